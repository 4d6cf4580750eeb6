"""
Prometheus and promtool, unpacked into `.prometheus/` by `python3 -m tools.prometheus`.

Debian's package is downloaded and unpacked, not installed; see `tools/packages.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .packages import InstallError, unpack

PROJECT = Path(__file__).resolve().parents[1]
UNPACKED = PROJECT / ".prometheus"
STAMP = UNPACKED / ".installed"
PACKAGE = "prometheus"
PROMTOOL = UNPACKED / "usr" / "bin" / "promtool"


def main() -> int:
    """Unpack the package; return the exit code."""
    try:
        unpack(UNPACKED, lambda apt: {PACKAGE})
    except InstallError as error:
        print(f"Prometheus cannot be had: {error}", file=sys.stderr)
        return 1
    STAMP.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
