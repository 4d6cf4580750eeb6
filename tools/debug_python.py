"""
A debug build of CPython, unpacked into `.debug-python/` by `python3 -m tools.debug_python`.

Such a build counts all references and checks what it is given. It is Debian's, of the version that
its `python3` has, downloaded and unpacked, not installed; see `tools/packages.py`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from .packages import Apt, InstallError, run, unpack

PROJECT = Path(__file__).resolve().parents[1]
UNPACKED = PROJECT / ".debug-python"
STAMP = UNPACKED / ".installed"
PROGRAM = UNPACKED / "usr/bin/python"
"""A link to the interpreter, whose name has its version in it, beside that: `venv` looks there."""

PACKAGE = "python3-dbg"
NEEDED_MODULES = "import ctypes, ssl, sqlite3, sys, venv; sys.gettotalrefcount()"


def needed(apt: Apt) -> set[str]:
    """Return the packages to unpack: the interpreter, its library, other libraries lacking here."""
    name = re.compile(r"python3\.\d+-dbg")
    interpreter = max(filter(name.fullmatch, apt.related(PACKAGE)), default=None)
    if interpreter is None:
        raise InstallError(f"{PACKAGE} depends on no interpreter")
    version = interpreter.removesuffix("-dbg")
    parts = {f"lib{version}-{part}" for part in ("dbg", "minimal", "stdlib")}
    lacking = apt.lacking(interpreter)
    libraries = {one for one in lacking if one.startswith("lib") and "python" not in one}
    return {interpreter} | parts | libraries


def install() -> None:
    """Fill `.debug-python/` anew; raises `InstallError`."""
    unpack(UNPACKED, needed)
    programs = sorted(UNPACKED.glob("usr/bin/python3.*-dbg"))
    if not programs:
        raise InstallError(f"the packages hold no interpreter where it is looked for, {UNPACKED}")
    PROGRAM.symlink_to(programs[-1].name)
    try:
        run([str(PROGRAM), "-I", "-c", NEEDED_MODULES])
    except InstallError as error:
        raise InstallError(f"the interpreter does not run from {UNPACKED}:\n{error}") from error


def main() -> int:
    """Install, leave the stamp that `make` looks at."""
    try:
        install()
    except InstallError as error:
        print(
            f"cannot get a debug build of CPython: {error}\nIt takes apt and its sources.",
            file=sys.stderr,
        )
        return 1
    STAMP.write_text(f"{PROGRAM.resolve()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
