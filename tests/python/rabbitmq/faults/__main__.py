"""Run faults and print what became of the records: `make faults`, `make soak`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from faults.catalogue import SCENARIOS
from faults.outcome import Outcome
from faults.soak import soak
from faults.table import head, line, markdown, write_into
from tools.rabbitmq import Node

PATIENCE = 3.0
"""Faults that consist in time last so many times as long as in tests."""
SLOWEST_S, LAG_S = 0.25, 0.5
"""What a profiled call and the event loop's lag should take at most on a machine of its own."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("names", nargs="*", help="scenarios to run; by default all")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="page to put the table into")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="faults at random instead")
    parser.add_argument("--seed", type=int, help="of --soak; by default another one each time")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Node() as node:
        if told.soak is not None:
            soak_for(node, Path(folder), told.soak, told.seed)
            return 0
        outcomes = run_all(node, Path(folder), told.names)
    for outcome in outcomes:
        if outcome.slowest_s > SLOWEST_S or outcome.lag_s > LAG_S:
            print(f"missed {SLOWEST_S} s for a call, {LAG_S} s for the loop: {outcome.fault}")
    if told.write is not None:
        write_into(told.write, markdown(outcomes))
    return 0


def run_all(node: Node, folder: Path, names: list[str]) -> list[Outcome]:
    """Run scenarios, printing a line for each; all of them, if none is named."""
    chosen = [scenario for scenario in SCENARIOS if not names or scenario.name in names]
    print(head(), flush=True)
    outcomes = []
    for scenario in chosen:
        if lacking := scenario.lacks():
            print(f"{scenario.fault:<62} not here: {lacking}", flush=True)
            continue
        outcomes.append(scenario.run(node, folder, PATIENCE))
        print(line(outcomes[-1]), flush=True)
    return outcomes


def soak_for(node: Node, folder: Path, seconds: float, seed: int | None) -> None:
    """Soak, printing the seed first."""
    seed = random.randrange(2**32) if seed is None else seed
    print(f"seed {seed}", flush=True)
    outcome = soak(node, folder, seed, seconds)
    print(f"{head()}\n{line(outcome)}")


if __name__ == "__main__":
    sys.exit(main())
