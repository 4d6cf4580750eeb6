"""
The program that is counted: `python -m counts.counted CASE`.

It makes the calls of one case in stretches of known length. Between stretches it calls a
function of the C library that nothing else calls, at which callgrind notes what it has so far.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

CALLS = 1000
"""Calls of the first stretch; the second has twice as many, so what both share cancels out."""

MARKED_BY = "getppid"
"""The function of the C library that stands between stretches."""

MARKS = 3


class Stretches:
    """
    Makes the calls of a case.

    Args:
        warm_up: calls beforehand: caches are filled, memory is there to be used again.
    """

    def __init__(self, warm_up: int = CALLS) -> None:
        self._warm_up = warm_up
        self.done = 0

    def run(self, calls: Callable[[int], None]) -> None:
        """Let `calls` make as many calls as it is told."""
        calls(self._warm_up)
        self._only_calls()
        os.getppid()
        calls(CALLS)
        os.getppid()
        calls(2 * CALLS)
        os.getppid()

    async def arun(self, calls: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        """Await `calls`; otherwise as `run`."""
        await calls(self._warm_up)
        self._only_calls()
        os.getppid()
        await calls(CALLS)
        os.getppid()
        await calls(2 * CALLS)
        os.getppid()

    def _only_calls(self) -> None:
        self.done = self._warm_up + 3 * CALLS
        # When it runs depends on whatever else was allocated.
        gc.collect()
        gc.disable()


def main() -> None:
    from counts.cases import CASES
    from counts.growth_cases import GROWTH

    name, _, size = sys.argv[1].partition("=")
    if size:
        GROWTH[name].run(int(size))
    else:
        CASES[name].run()
    # The end would wait for the broker that the RabbitMQ case does not have.
    os._exit(0)


if __name__ == "__main__":
    main()
