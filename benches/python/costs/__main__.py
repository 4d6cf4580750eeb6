"""Measure all participants under one Python version."""

from __future__ import annotations

import argparse

from costs.participants import found
from costs.rounds import Plan, rounds
from costs.tables import calls_table

FULL = Plan(rounds=12, slice_ms=20, repeats=7)
QUICK = Plan(rounds=3, slice_ms=10, repeats=5)


def main() -> None:
    parser = argparse.ArgumentParser(prog="costs", description=__doc__)
    parser.add_argument("--ours", required=True, help="interpreter with this package")
    parser.add_argument("--oracle", required=True, help="interpreter with phanos 0.3.2")
    parser.add_argument("--peers", required=True, help="interpreter with the other libraries")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--only", nargs="*", default=[], help="cases of calls")
    told = parser.parse_args()
    there, missing = found(told.ours, told.oracle, told.peers)
    for participant in missing:
        print(f"not installed: {participant.title}")
    print(calls_table(rounds(there, QUICK if told.quick else FULL, told.only)))


if __name__ == "__main__":
    main()
