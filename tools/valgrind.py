"""
Valgrind: the machine's own, or unpacked into `.valgrind/` by `python3 -m tools.valgrind`.

Debian's package is downloaded and unpacked, not installed; see `tools/packages.py`.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .packages import InstallError, run, unpack

PROJECT = Path(__file__).resolve().parents[1]
UNPACKED = PROJECT / ".valgrind"
STAMP = UNPACKED / ".installed"
PACKAGE = "valgrind"


class MissingValgrindError(Exception):
    """Neither the project nor the machine has valgrind."""

    def __init__(self) -> None:
        super().__init__(
            f"no valgrind in {UNPACKED} and none on PATH; get it with `make .valgrind/.installed`"
        )


@dataclass(frozen=True)
class Valgrind:
    """
    One valgrind.

    Attributes:
        program: what is run.
        tools: the folder of its tools; None for an installed one, which knows.
    """

    program: Path
    tools: Path | None = None

    @classmethod
    def find(cls) -> Valgrind:
        """Return the unpacked one if there is one, else that on PATH, or raise."""
        found = cls.under(UNPACKED) or cls.installed()
        if found is None:
            raise MissingValgrindError
        return found

    @classmethod
    def installed(cls) -> Valgrind | None:
        """Return the one on PATH."""
        program = shutil.which("valgrind")
        return None if program is None else cls(Path(program))

    @classmethod
    def under(cls, root: Path) -> Valgrind | None:
        """Return the one whose package was unpacked into `root`."""
        program = root / "usr/bin/valgrind"
        tools = sorted(root.glob("usr/lib*/valgrind/"))
        return cls(program, tools[-1]) if program.exists() and tools else None

    def environment(self) -> dict[str, str]:
        """Return the variables that it needs in order to run from where it is."""
        return {} if self.tools is None else {"VALGRIND_LIB": str(self.tools)}

    def complaint(self) -> str | None:
        """Return why it cannot run a Python here, or None if it can."""
        command = [str(self.program), "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        try:
            run(
                [*command, sys.executable, "-c", ""],
                environment={**os.environ, **self.environment()},
            )
        except InstallError as error:
            return str(error)
        return None


def install() -> Valgrind:
    """Return the machine's valgrind if it has one that works, else unpack one."""
    installed = Valgrind.installed()
    if installed is not None and installed.complaint() is None:
        # One that was unpacked before would be found first.
        shutil.rmtree(UNPACKED, ignore_errors=True)
        UNPACKED.mkdir()
        return installed
    unpack(UNPACKED, lambda _: {PACKAGE})
    unpacked = Valgrind.under(UNPACKED)
    if unpacked is None:
        raise InstallError(f"the package holds no valgrind where it is looked for, in {UNPACKED}")
    complaint = unpacked.complaint()
    if complaint is not None:
        raise InstallError(f"valgrind does not run from {UNPACKED}:\n{complaint}")
    return unpacked


def main() -> int:
    """Install, leave the stamp that `make` looks at."""
    try:
        valgrind = install()
    except InstallError as error:
        print(
            f"cannot get valgrind: {error}\n"
            "It takes apt and its sources, or install valgrind by other means.",
            file=sys.stderr,
        )
        return 1
    STAMP.write_text(f"{valgrind.program}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
