"""
Print which of the wanted CPython versions this machine has, as `3.11=/usr/bin/python3.11`.

Looks at every directory on PATH and at every version pyenv keeps. A name alone proves nothing:
a pyenv shim may refuse to run, `python3.13` may be a free-threaded build, and a distribution may
leave out `venv`. So each candidate is run, and the first one that works for a version is printed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROBE = """
import ensurepip, ssl, sys, sysconfig, venv
assert sys.implementation.name == "cpython"
assert not sysconfig.get_config_var("Py_GIL_DISABLED")
assert sys.prefix == sys.base_prefix, "inside a virtual environment"
print("%d.%d" % sys.version_info[:2], sys.executable)
"""
PROBE_TIMEOUT_S = 20


def candidates(version: str) -> Iterator[Path]:
    """Yield the programs that may be this version, the one a user would get by its name first."""
    for name in (f"python{version}", "python3", "python"):
        yield from (Path(directory, name) for directory in os.get_exec_path())
    pyenv_root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv_root.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)


def probe(program: Path) -> tuple[str, str] | None:
    """Run a program; return its version and own path, or None if it is of no use."""
    try:
        answer = subprocess.run(
            [program, "-I", "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version, _, path = answer.stdout.strip().partition(" ")
    return version, path


def find(version: str) -> str | None:
    """Return the path of the first working interpreter of this version."""
    for program in candidates(version):
        if os.access(program, os.X_OK):
            found = probe(program)
            if found is not None and found[0] == version:
                return found[1]
    return None


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        path = find(wanted)
        if path is not None:
            print(f"{wanted}={path}")
