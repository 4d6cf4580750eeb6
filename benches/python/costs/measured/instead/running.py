"""Runs of calls while a profiler of the whole program is on."""

from __future__ import annotations

from collections.abc import Callable

from costs.measured.bare import async_body, async_run, body, sync_run
from costs.measured.case import Case

SAMPLED = 200_000
"""Calls among which a profiler that looks at the stack now and then has seen some."""


def cases_while(
    start: Callable[[], object],
    stop: Callable[[], object],
    seen: Callable[[str], int],
    *,
    samples: bool = False,
) -> list[Case]:
    """
    Cases of undecorated functions, with the profiler on while they run.

    `seen(name)` tells how many calls of a function it has seen so far; one that `samples` the
    stack sees as many as it happens to.
    """

    def on(run: Callable[[int], None]) -> Callable[[int], None]:
        def profiled(calls: int) -> None:
            start()
            try:
                run(calls)
            finally:
                stop()

        return profiled

    def case(name: str, run: Callable[[int], None], beside: str, function: str) -> Case:
        unit, records = (SAMPLED, 0) if samples else (1, 1)
        return Case(name, on(run), beside, unit, records, lambda: seen(function), samples)

    return [
        case("nested_sync", sync_run(body), "bare_sync", body.__name__),
        case("nested_async", async_run(async_body), "bare_async", async_body.__name__),
    ]
