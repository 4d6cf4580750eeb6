"""Many rounds in which participants take turns, each time in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from costs.participants import Installed

SUITE = Path(__file__).resolve().parents[1]
TIMEOUT_S = 900


class Plan(NamedTuple):
    """How much is measured."""

    rounds: int
    slice_ms: float
    """Of each measurement, of which there are `repeats` in each process."""
    repeats: int

    def options(self) -> list[str]:
        """As arguments of `costs.measured`."""
        return ["--slice-ms", str(self.slice_ms), "--repeats", str(self.repeats)]


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


def ask(python: str, *arguments: str) -> Any:
    """What `costs.measured` answers under this interpreter."""
    return answer([python, "-m", "costs.measured", *arguments])


def in_turn(there: Sequence[Installed], number: int) -> Sequence[Installed]:
    """The order of one round: another one begins each time."""
    start = number % len(there)
    return [*there[start:], *there[:start]]


def turns(there: Sequence[Installed], count: int) -> Iterator[tuple[int, Installed]]:
    """Whose turn it is, with the number of the round."""
    for number in range(count):
        for one in in_turn(there, number):
            yield number, one
