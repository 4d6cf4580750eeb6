"""The command `phanos`, also as `python -m phanos`."""

from __future__ import annotations

import signal
import sys

from ._phanos import run_command


def main() -> int:
    """Run the command with the arguments of this process; return its exit code."""
    # The command looks for signals itself: Python's own handler would raise when it has ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run_command(["phanos", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
