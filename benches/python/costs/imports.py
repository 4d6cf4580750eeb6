"""Importing each participant: time and memory of a fresh interpreter, above one that does not."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple

from costs.participants import Installed
from costs.rounds import TIMEOUT_S, environment, turns

MEMORY = "\nprint(open('/proc/self/statm').read().split()[1])"
"""What every interpreter does at its end: say how many pages it has."""


class Start(NamedTuple):
    """One interpreter, from its start to its end."""

    ms: float
    pages: int


def start(python: str, statement: str) -> Start:
    """
    Time an interpreter that runs a statement.

    Raises:
        subprocess.CalledProcessError: the statement failed.
    """
    began = time.perf_counter_ns()
    done = subprocess.run(
        [python, "-c", statement + MEMORY],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment(),
        check=True,
    )
    return Start((time.perf_counter_ns() - began) / 1e6, int(done.stdout))


def measured(there: Sequence[Installed], rounds: int) -> dict[str, list[dict[str, Start]]]:
    """Starts with the import and, right before, without it: by participant, round by round."""
    for one in there:
        # Whatever comes first reads files from the disk and compiles them.
        start(one.python, one.participant.imports)
    found: dict[str, list[dict[str, Start]]] = {one.participant.key: [] for one in there}
    for _, one in turns(there, rounds):
        found[one.participant.key].append(
            {
                "bare": start(one.python, "pass"),
                "import": start(one.python, one.participant.imports),
            }
        )
    return found
