"""How the cost of a phanos call grows: the same file under 0.3.2 and under this package."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from types import FunctionType
from typing import Any

from phanos.publisher import Profiler

from costs.measured.bare import NESTED, body, call, itself, sync_run
from costs.measured.case import Case
from costs.measured.phanos_calls import counting_cases, under_roots
from costs.measured.phanos_profilers import counter, to_stream
from costs.measured.series import Point, Series, Thunk

LIMIT = Profiler.RECORDS_LEN_LIMIT
"""A nested call hands over when so many records wait."""
UNLIMITED = 1 << 40
LEAVES = LIMIT - 1
"""Nested calls of each root that `paths` makes, so that a root hands over once."""


def bare() -> Case:
    return Case("bare_sync", sync_run(body), "bare_sync")


def nested_case(profiler: Profiler, arrived: Callable[[], int]) -> Case:
    """Calls below whatever is current; `LIMIT` of them hand over exactly once."""
    decorated = profiler.profile(body)

    def run(calls: int) -> None:
        call(decorated, calls)

    return Case("nested", run, "bare_sync", LIMIT, LIMIT, arrived)


def depth(callers: int) -> Point:
    """A call below so many profiled callers; its record is written, with a path as long."""
    profiler, stream = to_stream()
    return Point(nested_case(profiler, stream.arrived), bare(), below(profiler, callers))


def recorded_depth(callers: int) -> Point:
    """The same without handing over: records are kept until the measurement ends."""
    profiler, _ = to_stream()
    case = nested_case(profiler, profiler.get_records_count)
    descend = below(profiler, callers)

    def surroundings(measure: Thunk) -> None:
        # 0.3.2 looks at the class alone.
        Profiler.RECORDS_LEN_LIMIT = UNLIMITED  # pyright: ignore[reportAttributeAccessIssue]
        try:
            descend(measure)
        finally:
            Profiler.RECORDS_LEN_LIMIT = LIMIT

    return Point(case, bare(), surroundings)


def below(profiler: Profiler, callers: int) -> Callable[[Thunk], None]:
    """`Point.surroundings` inside so many profiled calls."""

    @profiler.profile
    def f(left: int, measure: Thunk) -> None:
        if left > 1:
            f(left - 1, measure)
        else:
            measure()

    return lambda measure: f(callers, measure)


def live_tasks(tasks: int) -> Point:
    """A call beside so many tasks of the same root that are inside a profiled call."""
    profiler, stream = to_stream()

    @profiler.profile
    async def waiting(end: asyncio.Event) -> None:
        await end.wait()

    @profiler.profile
    async def root(measure: Thunk) -> None:
        end = asyncio.Event()
        live = [asyncio.create_task(waiting(end)) for _ in range(tasks)]
        # Tasks begin in the order in which they were made.
        await asyncio.create_task(asyncio.sleep(0))
        measure()
        end.set()
        await asyncio.gather(*live)

    def surroundings(measure: Thunk) -> None:
        asyncio.run(root(measure))

    return Point(nested_case(profiler, stream.arrived), bare(), surroundings)


def named(number: int, prefix: str, code: Any, closure: Any = None) -> FunctionType:
    """A function of a name of its own."""
    function = FunctionType(code.__code__, globals(), f"{prefix}{number}", None, closure)
    function.__qualname__ = function.__name__
    return function


def family(profile: Callable[[Any], Any], parents: int) -> Callable[[int], None]:
    """`Case.run` over `parents` roots that call `LEAVES` functions each."""
    leaves = [profile(named(number, "leaf", body)) for number in range(LEAVES)]

    def root() -> None:
        for leaf in leaves:
            leaf(5)

    roots = [profile(named(number, "root", root, root.__closure__)) for number in range(parents)]

    def run(calls: int) -> None:
        for _ in range(calls // (parents * LIMIT)):
            for each in roots:
                each()

    return run


def paths(count: int) -> Point:
    """Calls that go through so many different paths in turn."""
    profiler, stream = to_stream()
    parents = count // LIMIT
    case = Case(
        "paths", family(profiler.profile, parents), "bare_paths", count, count, stream.arrived
    )
    return Point(case, Case("bare_paths", family(itself, parents), "bare_paths", count))


def metrics(count: int) -> Point:
    """A root call of a profiler with so many metrics that nothing uses."""
    profiler, stream = to_stream()
    for number in range(count):
        counter(profiler, f"metric{number}", set())
    run = sync_run(profiler.profile(body))
    return Point(Case("metrics", run, "bare_sync", 1, 1, stream.arrived), bare())


def labels(count: int) -> Point:
    """`counter.inc` with so many labels, above the same call without it."""
    values = {f"label{number}": "value" for number in range(count)}
    return Point(*counting_cases("labels", "no_labels", values))


def context_variables(count: int) -> Point:
    """Nested calls in a context with so many other variables."""
    profiler, stream = to_stream()
    variables = [contextvars.ContextVar[int](f"other{number}") for number in range(count)]
    run = under_roots(profiler, profiler.profile(body), NESTED)
    case = Case("context", run, "bare_sync", NESTED, NESTED + 1, stream.arrived)

    def surroundings(measure: Thunk) -> None:
        def inside() -> None:
            for number, variable in enumerate(variables):
                variable.set(number)
            measure()

        contextvars.Context().run(inside)

    return Point(case, bare(), surroundings)


# 200 callers are what 0.3.2 reaches, in round numbers, at the default recursion limit.
DEPTHS = (1, 3, 10, 30, 100, 240)  # 0.3.2 ends below 247.
SERIES = (
    Series("depth", DEPTHS, depth),
    Series("recorded_depth", DEPTHS, recorded_depth),
    Series("live_tasks", (1, 10, 100, 1_000, 10_000, 100_000), live_tasks),
    Series("paths", (100, 1_000, 10_000, 100_000), paths),
    Series("metrics", (0, 1, 3, 10, 30, 100), metrics),
    Series("labels", (0, 1, 3, 10, 30), labels),
    Series("context_variables", (0, 10, 100, 1_000), context_variables),
)
