"""The cases of the table, for phanos: the same file under 0.3.2 and under this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phanos.publisher import Profiler

from costs.measured.bare import (
    NESTED,
    SHARED,
    Sync,
    async_body,
    async_call,
    async_run,
    body,
    call,
    decorating_run,
    run_async,
    sync_run,
    threads_run,
)
from costs.measured.case import Case
from costs.measured.phanos_profilers import counter, idle, to_python, to_stream
from costs.measured.phanos_version import IS_0_3

COUNTED = 40
"""Calls per root that store a record of their own beside that of their duration."""


def idle_cases() -> list[Case]:
    profiler = idle()
    return [
        Case("idle_sync", sync_run(profiler.profile(body)), "bare_sync"),
        Case("idle_async", async_run(profiler.profile(async_body)), "bare_async"),
    ]


def nested_sync() -> Case:
    """Calls under roots of `NESTED` calls each; the roots' own cost is spread over them."""
    profiler, stream = to_stream()
    run = under_roots(profiler, profiler.profile(body), NESTED)
    return Case("nested_sync", run, "bare_sync", NESTED, NESTED + 1, stream.arrived)


def under_roots(profiler: Profiler, function: Any, nested: int) -> Callable[[int], None]:
    @profiler.profile
    def root() -> None:
        call(function, nested)

    def run(calls: int) -> None:
        for _ in range(calls // nested):
            root()

    return run


def nested_async() -> Case:
    profiler, stream = to_stream()
    decorated = profiler.profile(async_body)

    @profiler.profile
    async def root() -> None:
        await async_call(decorated, NESTED)

    async def roots(calls: int) -> None:
        for _ in range(calls // NESTED):
            await root()

    def run(calls: int) -> None:
        run_async(roots(calls))

    return Case("nested_async", run, "bare_async", NESTED, NESTED + 1, stream.arrived)


def root_cases() -> list[Case]:
    streaming, stream = to_stream()
    handling, handler = to_python()
    run_stream = sync_run(streaming.profile(body))
    run_python = sync_run(handling.profile(body))
    return [
        Case("root_stream", run_stream, "bare_sync", records=1, arrived=stream.arrived),
        Case("root_python", run_python, "bare_sync", records=1, arrived=handler.arrived),
    ]


def threads_case(threads: int) -> Case:
    """
    Roots in threads that share the interpreter.

    Several threads mix up the records of 0.3.2: it loses and repeats some, and a call may raise
    what its lists do when they are shorter than it thinks, mostly IndexError.
    """
    profiler, stream = to_stream()
    decorated = profiler.profile(body)
    unsafe = IS_0_3 and threads > 1
    return Case(
        f"threads_{threads}",
        threads_run(forgiven(decorated) if unsafe else decorated, threads),
        f"bare_threads_{threads}",
        unit=SHARED,
        records=SHARED,
        arrived=stream.arrived,
        unreliable=unsafe,
    )


def forgiven(function: Sync) -> Sync:
    def inner(number: int) -> int:
        try:
            return function(number)
        except Exception:
            return number

    return inner


def hooks_case() -> Case:
    """A root call with all four hooks."""
    profiler, stream = to_stream()
    decorated = profiler.profile(body)
    called: list[str] = []

    def noting_before(func: Any, args: Any, kwargs: Any) -> None:
        called.append("before")

    def noting_after(fn_result: Any, args: Any, kwargs: Any) -> None:
        called.append("after")

    def before(func: Any, args: Any, kwargs: Any) -> None:
        pass

    def after(fn_result: Any, args: Any, kwargs: Any) -> None:
        pass

    set_hooks(profiler, noting_before, noting_after)
    decorated(5)
    assert called == ["before", "before", "after", "after"], called
    set_hooks(profiler, before, after)
    return Case("hooks", sync_run(decorated), "bare_sync", records=1, arrived=stream.arrived)


def set_hooks(profiler: Profiler, before: Callable[..., None], after: Callable[..., None]) -> None:
    profiler.before_root_func = profiler.before_func = before
    profiler.after_root_func = profiler.after_func = after


def operation_cases() -> list[Case]:
    """A nested call that counts something, and the same call without counting."""
    return [*counting_cases("operation", "no_operation", {"kind": "a"})]


def counting_cases(name: str, name_without: str, labels: dict[str, str]) -> tuple[Case, Case]:
    """A nested call with `counter.inc` of such labels, and the same call without it."""
    profiler, stream = to_stream()
    counted = counter(profiler, "counted", set(labels))
    current = profiler.curr_node

    @profiler.profile
    def counting(number: int) -> int:
        counted.inc(1.0, current.get(), labels)
        return number

    @profiler.profile
    def not_counting(number: int) -> int:
        current.get()
        return number

    run = under_roots(profiler, counting, COUNTED)
    run_without = under_roots(profiler, not_counting, COUNTED)
    records = COUNTED + 1
    return (
        Case(name, run, name_without, COUNTED, records + COUNTED, stream.arrived),
        Case(name_without, run_without, "bare_sync", COUNTED, records, stream.arrived),
    )


def cases() -> list[Case]:
    return [
        *idle_cases(),
        nested_sync(),
        nested_async(),
        *root_cases(),
        threads_case(1),
        threads_case(4),
        hooks_case(),
        *operation_cases(),
        Case("decorate", decorating_run(idle().profile), "bare_decorate"),
    ]
