"""Measure all participants under one Python version and keep the numbers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from costs import calls
from costs.participants import found, found_instead
from costs.results import path_of, to_json
from costs.rows import call_rows
from costs.run import measured
from costs.scales import FULL, QUICK
from costs.tables import calls_table


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="costs", description=__doc__)
    parser.add_argument("--ours", required=True, help="interpreter with this package")
    parser.add_argument("--oracle", required=True, help="interpreter with phanos 0.3.2")
    parser.add_argument("--peers", required=True, help="interpreter with the other libraries")
    parser.add_argument("--wheel", type=Path, help="of this package, to be weighed")
    parser.add_argument("--results", type=Path, help="folder that keeps the numbers")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument(
        "--only", nargs="+", metavar="CASE", help="print these cases of calls, keep nothing"
    )
    parser.add_argument("--rounds", type=int, help="of calls, instead of the usual number")
    told = parser.parse_args()
    if told.results is None and not told.only:
        parser.error("--results or --only: numbers are kept, or some of them printed")
    return told


def tell(line: str) -> None:
    """Say what is going on, apart from what is found."""
    print(f"  {line}", file=sys.stderr, flush=True)


def main() -> None:
    told = arguments()
    scale = QUICK if told.quick else FULL
    if told.rounds is not None:
        scale = scale._replace(calls=scale.calls._replace(rounds=told.rounds))
    there, missing = found(told.ours, told.oracle, told.peers)
    for participant in missing:
        tell(f"not installed: {participant.title}")
    if told.only:
        rows = call_rows(calls.measured(there, scale.calls, told.only, tell))
        print(calls_table(rows.values()))
        return
    instead = found_instead(told.peers, there[0].python_version)
    result = measured(there, missing, instead, scale, told.wheel, tell)
    told.results.mkdir(parents=True, exist_ok=True)
    kept = path_of(result, told.results)
    kept.write_text(to_json(result))
    tell(f"kept in {kept}, after {result.about['took_s']} s")


if __name__ == "__main__":
    main()
