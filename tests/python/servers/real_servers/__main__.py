"""
Every row, with this package and with phanos 0.3.2, as a table of what arrived.

Run by `make test-servers`; ends with status 1 if a row of this package fails.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import traceback
from pathlib import Path

from tools.rabbitmq import Node

from .rows import ROWS, Row
from .running import Outcome, run

HEAD = (
    "| environment | phanos | answered | dropped | recorded | received | wrong path | lost "
    "| end (s) |\n|---|---|---|---|---|---|---|---|---|"
)


def line(row: Row, version: str, outcome: Outcome) -> str:
    """A row of the table; all but the time are numbers of requests or records."""
    ledger = outcome.ledger
    cells = (
        row.name,
        version,
        f"{len(ledger.answered):,}",
        f"{outcome.dropped:,}",
        f"{ledger.recorded:,}",
        f"{ledger.arrived:,}",
        f"{ledger.misplaced:,}",
        f"{len(ledger.lost):,}",
        f"{outcome.stopped_s:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def attempt(row: Row, version: str, python: str, port: int) -> bool:
    """Run a row and print its line; True if it is as it should be."""
    with tempfile.TemporaryDirectory(prefix="servers-") as folder:
        try:
            outcome = run(row, Path(folder), port, python)
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            print(f"| {row.name} | {version} | {reason} |||||||", flush=True)
            if version == "ours":
                traceback.print_exc()
            return False
    print(line(row, version, outcome), flush=True)
    try:
        outcome.check()
    except AssertionError:
        if version == "ours":
            traceback.print_exc()
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--oracle", help="interpreter that has phanos 0.3.2 and the servers")
    parser.add_argument("--only", default="", help="rows whose name matches this expression")
    arguments = parser.parse_args()
    rows = [row for row in ROWS if re.search(arguments.only, row.name)]
    print(HEAD, flush=True)
    succeeded = True
    with Node() as node:
        for row in rows:
            succeeded &= attempt(row, "ours", sys.executable, node.port)
            if arguments.oracle:
                attempt(row, "0.3.2", arguments.oracle, node.port)
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
