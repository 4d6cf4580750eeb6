"""What a profiled call must not depend on: each case makes calls beside much or little of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from .cases import async_body, async_loop, body, loop, recording, within_root
from .counted import Stretches


@dataclass(frozen=True)
class Growth:
    """
    Something that there can be more or less of.

    Attributes:
        run: makes nested calls beside as much of it as it is told.
        sizes: how much, the smallest first.
    """

    run: Callable[[int], None]
    sizes: tuple[int, ...]


def depth(levels: int) -> None:
    profiler, lines = recording()
    leaf = profiler.profile(body)
    made = 0

    @profiler.profile
    def level(below: int) -> None:
        nonlocal made
        if below:
            level(below - 1)
        else:
            made = within_root(profiler, loop(leaf))

    level(levels - 1)
    assert made + levels + 1 == lines.written


def live_tasks(count: int) -> None:
    """Every task is within a profiled call of its own, which goes on."""
    profiler, lines = recording()
    stretches = Stretches()
    leaf = profiler.profile(async_body)

    @profiler.profile
    async def live(enough: asyncio.Event) -> None:
        await enough.wait()

    @profiler.profile
    async def root() -> None:
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(live(enough))
            await asyncio.sleep(0)  # All of them begin.
            await stretches.arun(async_loop(leaf))
            enough.set()

    asyncio.run(root())
    assert stretches.done + count + 1 == lines.written


def distinct_paths(count: int) -> None:
    """The same function is called by many others in turn, so the path is looked up each time."""
    profiler, lines = recording()
    leaf = profiler.profile(body)

    def caller(number: int) -> Callable[[int], None]:
        def call(argument: int) -> None:
            leaf(argument)

        call.__name__ = f"caller_{number}"
        return profiler.profile(call)

    callers = [caller(number) for number in range(count)]
    turn = 0

    def in_turn(calls: int) -> None:
        nonlocal turn
        for _ in range(calls):
            callers[turn](0)
            turn = (turn + 1) % count

    stretches = Stretches(warm_up=count)

    @profiler.profile
    def root() -> None:
        stretches.run(in_turn)

    root()
    assert 2 * stretches.done + 1 == lines.written


def context_variables(count: int) -> None:
    others: list[ContextVar[Any]] = [ContextVar(f"other_{number}") for number in range(count)]
    for other in others:
        other.set(None)
    profiler, lines = recording()
    assert within_root(profiler, loop(profiler.profile(body))) + 1 == lines.written


GROWTH = {
    "depth": Growth(depth, (1, 10, 100)),
    "live tasks": Growth(live_tasks, (1, 1000)),
    "distinct paths": Growth(distinct_paths, (10, 10_000)),
    "other context variables": Growth(context_variables, (1, 1000)),
}
"""By what grows."""
