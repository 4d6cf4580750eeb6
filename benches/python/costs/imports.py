"""Importing each participant: time and memory of a fresh interpreter, above one that does not."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from costs.participants import Installed
from costs.rounds import TIMEOUT_S, environment, turns

MEMORY = """
import os
with open("/proc/self/statm") as told:
    print(int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
"""


class Start(NamedTuple):
    """One interpreter, from its start to its end."""

    ms: float
    resident_bytes: int
    """At the end."""


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


def measured(there: Sequence[Installed], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Starts with the import and, right before, without it: by participant, round by round."""
    for one in there:
        # Whatever comes first reads files from the disk and compiles them.
        start(one.python, one.participant.imports)
    found: dict[str, list[dict[str, Any]]] = {one.participant.key: [] for one in there}
    for _, one in turns(there, rounds):
        found[one.participant.key].append(
            {
                "bare": start(one.python, "pass")._asdict(),
                "import": start(one.python, one.participant.imports)._asdict(),
            }
        )
    return found


class ImportCost(NamedTuple):
    """Above an interpreter that imports nothing."""

    minimum_ms: float
    median_ms: float
    resident_bytes: float


def cost(starts: Sequence[dict[str, Any]]) -> ImportCost:
    """Cost of one participant's import, from all rounds."""
    differences = {
        unit: statistics.median(one["import"][unit] - one["bare"][unit] for one in starts)
        for unit in Start._fields
    }
    smallest = {kind: min(one[kind]["ms"] for one in starts) for kind in ("import", "bare")}
    return ImportCost(
        smallest["import"] - smallest["bare"], differences["ms"], differences["resident_bytes"]
    )
