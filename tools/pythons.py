"""
Put a CPython that the machine lacks into `.pythons/3.14/`: `python3 -m tools.pythons 3.14`.

Debian's packages of its next release are unpacked there; see `tools/packages.py`. Whichever
version of them the release has that day is taken.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .interpreters import probe
from .packages import InstallError, unpack_release
from .relocated import relocate

PROJECT = Path(__file__).resolve().parents[1]
UNPACKED = PROJECT / ".pythons"
RELEASE = "forky"
# `venv` installs pip from here; Debian names the folder by an absolute path.
WHEELS = "/usr/share/python-wheels"


def packages(version: str) -> tuple[str, ...]:
    """Return the packages of an interpreter that makes environments and compiles extensions."""
    return (f"python{version}", f"python{version}-venv", f"libpython{version}-dev")


def install(version: str) -> Path:
    """Fill `.pythons/<version>/` anew; return the interpreter. Raises `InstallError`."""
    folder = UNPACKED / version
    unpack_release(folder, RELEASE, *packages(version))
    relocate(folder)
    _find_wheels_in(folder, version)
    program = folder / f"usr/bin/python{version}"
    found = probe(program)
    if found is None or found[0] != version:
        raise InstallError(f"the Python unpacked into {folder} does not run")
    return program


def _find_wheels_in(folder: Path, version: str) -> None:
    for path in folder.glob(f"usr/lib/python{version}/_sysconfig*"):
        if not path.is_symlink():
            text = path.read_text()
            path.write_text(text.replace(WHEELS, f"{folder}{WHEELS}"))


def main(version: str) -> int:
    """Install, leave the stamp that `make` looks at."""
    try:
        program = install(version)
    except InstallError as error:
        print(
            f"cannot get Python {version}: {error}\n"
            "It takes apt and Debian's archive, or install it by other means.",
            file=sys.stderr,
        )
        return 1
    (UNPACKED / version / ".installed").write_text(f"{program}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
