"""Many rounds in which participants take turns, each time in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from costs.participants import Installed
from costs.statistics import Cost, cost

SUITE = Path(__file__).resolve().parents[1]
TIMEOUT_S = 900

Samples = dict[str, list[float]]
"""Nanoseconds per call by case, one number for each repeat."""


class Plan(NamedTuple):
    """How much is measured."""

    rounds: int
    slice_ms: float
    repeats: int


class Measured(NamedTuple):
    """Rounds of one participant."""

    beside: dict[str, str]
    """The case to subtract, by case."""
    rounds: list[Samples]

    def cost(self, case: str) -> Cost | None:
        """Cost of a case; None if the participant does not have it."""
        return cost(self.rounds, case, self.beside[case]) if case in self.beside else None


def environment() -> dict[str, str]:
    """Of every process that measures: the same hashes, and no package but the installed ones."""
    return {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(SUITE)}


def answer(command: Sequence[str]) -> Any:
    """
    What a process that measures says, as JSON.

    Raises:
        RuntimeError: it failed; with what it wrote.
    """
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment(),
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def measured(one: Installed, plan: Plan, only: Sequence[str] = ()) -> dict[str, Any]:
    """One participant's turn: its `samples`, and which case each is `beside`."""
    command = [one.python, "-m", "costs.measured", one.participant.module]
    command += ["--slice-ms", str(plan.slice_ms), "--repeats", str(plan.repeats)]
    found: dict[str, Any] = answer([*command, *(["--only", *only] if only else [])])
    return found


def in_turn(there: Sequence[Installed], number: int) -> Iterable[Installed]:
    """The order of one round: another one begins each time."""
    start = number % len(there)
    return [*there[start:], *there[:start]]


def rounds(there: Sequence[Installed], plan: Plan, only: Sequence[str] = ()) -> dict[str, Measured]:
    """All rounds, by the key of the participant."""
    results = {one.participant.key: Measured({}, []) for one in there}
    for number in range(plan.rounds):
        for one in in_turn(there, number):
            found, result = measured(one, plan, only), results[one.participant.key]
            result.beside.update(found["beside"])
            result.rounds.append(found["samples"])
    return results
