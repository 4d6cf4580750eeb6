"""
What a profiled call costs, beside phanos 0.3.2 and a do-nothing wrapper, in one run.

Two interpreters of the same version answer in turn, one with this package, one with 0.3.2.
In each, every case is timed in rounds that alternate with the bare call; the cost is the
smallest difference found. Run by `make bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from machine import processor

HERE = Path(__file__).parent
ROUNDS = 5
"""How often the two packages answer, one after the other."""

ROWS = (
    ("idle, sync", "sync_idle", "sync_wrapper"),
    ("idle, async", "async_idle", "async_wrapper"),
    ("recorded nested call, sync", "sync_nested", "sync_wrapper"),
    ("recorded nested call, async", "async_nested", "async_wrapper"),
    ("root call, StreamHandler", "sync_root_stream", "sync_wrapper"),
    ("root call, handler in Python", "sync_root_python", "sync_wrapper"),
)
"""Title, case, and the do-nothing wrapper to compare it with."""


def ask(python: str) -> dict[str, float]:
    """Time all cases once under `python`; nanoseconds per call by case, bare ones included."""
    done = subprocess.run(
        [python, str(HERE / "cases.py")],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    return dict(json.loads(done.stdout))


def smallest(answers: list[dict[str, float]]) -> dict[str, float]:
    return {case: min(answer[case] for answer in answers) for case in answers[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", default=sys.executable, help="interpreter with this package")
    parser.add_argument("--oracle", required=True, help="interpreter with phanos 0.3.2")
    arguments = parser.parse_args()

    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(ask(arguments.ours))
        theirs.append(ask(arguments.oracle))
    new, old = smallest(ours), smallest(theirs)

    version = platform.python_version()
    print(f"{processor()}; CPython {version}; smallest of {ROUNDS} alternating runs.")
    print("Nanoseconds per call above the bare call; in brackets the total time of the call")
    print("as a multiple of that of a do-nothing wrapper.\n")
    print("| case | do-nothing wrapper | phanos 0.3.2 | phanos 0.4.0 | ratio |")
    print("|---|---|---|---|---|")
    for title, case, wrapper in ROWS:
        bare = f"{case.partition('_')[0]}_bare"
        cost_new, cost_old = new[case] - new[bare], old[case] - old[bare]
        cost_wrapper = new[wrapper] - new[bare]
        print(
            f"| {title} | {cost_wrapper:,.0f} "
            f"| {cost_old:,.0f} ({old[case] / old[wrapper]:.1f}x) "
            f"| {cost_new:,.0f} ({new[case] / new[wrapper]:.1f}x) "
            f"| 1/{cost_old / max(cost_new, 1):.0f} |"
        )


if __name__ == "__main__":
    main()
