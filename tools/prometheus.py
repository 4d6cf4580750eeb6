"""
Prometheus and promtool, unpacked into `.prometheus/` by `python3 -m tools.prometheus`.

Debian's package is downloaded and unpacked, not installed; see `tools/packages.py`.
`python3 -m tools.prometheus forky` puts that of another release of Debian into
`.prometheuses/forky/`, with the C library that it was made for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .packages import InstallError, run, unpack, unpack_release
from .relocated import relocate

PROJECT = Path(__file__).resolve().parents[1]
UNPACKED = PROJECT / ".prometheus"
# One for each release of Debian.
RELEASES = PROJECT / ".prometheuses"
# Names the folder of one of them, to be used in place of the other.
CHOSEN = "PHANOS_PROMETHEUS"
PACKAGE = "prometheus"
PROGRAMS = PROJECT / os.environ.get(CHOSEN, UNPACKED) / "usr" / "bin"
PROMETHEUS = PROGRAMS / "prometheus"
PROMTOOL = PROGRAMS / "promtool"


def install(release: str | None) -> Path:
    """Fill the folder anew that the package of this release has; return it."""
    if release is None:
        folder = UNPACKED
        unpack(folder, lambda apt: {PACKAGE})
    else:
        folder = RELEASES / release
        unpack_release(folder, release, PACKAGE)
        relocate(folder)
    return folder


def main(releases: list[str]) -> int:
    """Unpack the package, leave the stamp that `make` looks at; return the exit code."""
    try:
        folder = install(releases[0] if releases else None)
        version = run([str(folder / "usr" / "bin" / "prometheus"), "--version"]).stdout
    except InstallError as error:
        print(f"Prometheus cannot be had: {error}", file=sys.stderr)
        return 1
    (folder / ".installed").write_text(version.partition("\n")[0] + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
