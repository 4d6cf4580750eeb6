"""
The cases of `overhead.py`, timed under whichever phanos this interpreter has.

Prints `{case: nanoseconds per call}`. Each case's result is checked before it is timed.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import time
from collections.abc import Callable
from typing import Any

from phanos.publisher import Profiler, StreamHandler, SyncBaseHandler

CALLS = 20_000
REPEATS = 7
NESTED = 90
"""Profiled calls per root: below the limit at which a nested call hands over."""


class NullStream:
    lines = 0

    def write(self, text: str) -> None:
        NullStream.lines += text.count("\n")

    def flush(self) -> None:
        pass


class NullHandler(SyncBaseHandler):
    records = 0

    def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        NullHandler.records += len(records)


def idle() -> Profiler:
    """Configured, without a handler: nothing is recorded."""
    profiler = Profiler()
    profiler.config(job="bench")
    return profiler


def to_stream() -> Profiler:
    profiler = idle()
    profiler.add_handler(StreamHandler("stream", NullStream()))  # type: ignore[arg-type]
    return profiler


def to_python() -> Profiler:
    profiler = idle()
    profiler.add_handler(NullHandler("python"))
    return profiler


def body(number: int) -> int:
    return number


async def async_body(number: int) -> int:
    return number


def do_nothing(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def async_do_nothing(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def inner(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return inner


def loop(function: Callable[[int], int], calls: int = CALLS) -> None:
    for number in range(calls):
        function(number)


async def async_loop(function: Callable[[int], Any], calls: int = CALLS) -> None:
    for number in range(calls):
        await function(number)


def nested(profiler: Profiler) -> Callable[[], None]:
    """Calls under roots of `NESTED` calls each; the roots' own cost is spread over them."""
    decorated = profiler.profile(body)

    @profiler.profile
    def root() -> None:
        loop(decorated, NESTED)

    def run() -> None:
        for _ in range(CALLS // NESTED):
            root()

    return run


def async_nested(profiler: Profiler) -> Callable[[], None]:
    decorated = profiler.profile(async_body)

    @profiler.profile
    async def root() -> None:
        await async_loop(decorated, NESTED)

    async def run() -> None:
        for _ in range(CALLS // NESTED):
            await root()

    return lambda: asyncio.run(run())


def sync_case(function: Callable[[int], int]) -> Callable[[], None]:
    assert function(5) == 5
    return lambda: loop(function)


def async_case(function: Callable[[int], Any]) -> Callable[[], None]:
    async def check() -> None:
        assert await function(5) == 5

    asyncio.run(check())
    return lambda: asyncio.run(async_loop(function))


def main() -> None:
    cases = {
        "sync_bare": sync_case(body),
        "sync_wrapper": sync_case(do_nothing(body)),
        "sync_idle": sync_case(idle().profile(body)),
        "sync_nested": nested(to_stream()),
        "sync_root_stream": sync_case(to_stream().profile(body)),
        "sync_root_python": sync_case(to_python().profile(body)),
        "async_bare": async_case(async_body),
        "async_wrapper": async_case(async_do_nothing(async_body)),
        "async_idle": async_case(idle().profile(async_body)),
        "async_nested": async_nested(to_stream()),
    }
    per_call = {case: float("inf") for case in cases}
    gc.disable()
    for _ in range(REPEATS):
        for case, run in cases.items():
            gc.collect()
            start = time.perf_counter_ns()
            run()
            elapsed = time.perf_counter_ns() - start
            calls = CALLS // NESTED * NESTED if case.endswith("nested") else CALLS
            per_call[case] = min(per_call[case], elapsed / calls)
    assert NullStream.lines > 2 * CALLS * REPEATS
    assert NullHandler.records >= CALLS * REPEATS
    print(json.dumps(per_call))


if __name__ == "__main__":
    main()
