"""
Chromium: the machine's own, or unpacked into `.browser/` by `python3 -m tools.browser`.

Debian's packages are downloaded and unpacked, not installed; see `tools/packages.py`.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .packages import InstallError, run, unpack

PROJECT = Path(__file__).resolve().parents[1]
UNPACKED = PROJECT / ".browser"
STAMP = UNPACKED / ".installed"
PACKAGE = "chromium"


class MissingBrowserError(Exception):
    """Neither the project nor the machine has Chromium."""

    def __init__(self) -> None:
        super().__init__(
            f"no Chromium in {UNPACKED} and none on PATH; get it with `make .browser/.installed`"
        )


@dataclass(frozen=True)
class Browser:
    """
    One Chromium.

    Attributes:
        program: what is run.
        libraries: folders of the libraries that were unpacked with it; empty for an installed one.
    """

    program: Path
    libraries: tuple[Path, ...] = ()

    @classmethod
    def find(cls) -> Browser:
        """Return the unpacked one if there is one, else that on PATH, or raise."""
        found = cls.under(UNPACKED) or cls.installed()
        if found is None:
            raise MissingBrowserError
        return found

    @classmethod
    def installed(cls) -> Browser | None:
        """Return the one on PATH."""
        program = shutil.which("chromium")
        return None if program is None else cls(Path(program))

    @classmethod
    def under(cls, root: Path) -> Browser | None:
        """Return the one whose packages were unpacked into `root`."""
        program = root / "usr/lib/chromium/chromium"
        libraries = (*root.glob("usr/lib/*-linux-gnu/"), *root.glob("lib/*-linux-gnu/"))
        return cls(program, libraries) if program.exists() else None

    def environment(self) -> dict[str, str]:
        """Return the variables that it needs in order to run from where it is."""
        if not self.libraries:
            return {}
        return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, self.libraries))}

    def complaint(self) -> str | None:
        """Return why it does not run here, or None if it does."""
        try:
            run(
                [str(self.program), "--version"],
                environment={**os.environ, **self.environment()},
            )
        except InstallError as error:
            return str(error)
        return None


def install() -> Browser:
    """Return the machine's Chromium if it has one that works, else unpack one."""
    installed = Browser.installed()
    if installed is not None and installed.complaint() is None:
        # One that was unpacked before would be found first.
        shutil.rmtree(UNPACKED, ignore_errors=True)
        UNPACKED.mkdir()
        return installed
    unpack(UNPACKED, lambda apt: {PACKAGE, *apt.lacking(PACKAGE)})
    unpacked = Browser.under(UNPACKED)
    if unpacked is None:
        raise InstallError(f"the package holds no Chromium where it is looked for, in {UNPACKED}")
    complaint = unpacked.complaint()
    if complaint is not None:
        raise InstallError(f"Chromium does not run from {UNPACKED}:\n{complaint}")
    return unpacked


def main() -> int:
    """Install, leave the stamp that `make` looks at."""
    try:
        browser = install()
    except InstallError as error:
        print(
            f"cannot get Chromium: {error}\n"
            "It takes apt and its sources, or install chromium by other means.",
            file=sys.stderr,
        )
        return 1
    STAMP.write_text(f"{browser.program}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
