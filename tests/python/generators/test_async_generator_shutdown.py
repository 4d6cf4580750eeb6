"""Asynchronous generators that are suspended when their loop shuts down or lets them go."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest
from phanos import publisher
from support import AsyncCollectingHandler, CollectingHandler, assert_tree_at_rest, make_profiler

ITEM = __name__.rpartition(".")[2]
pytestmark = pytest.mark.usefixtures("no_complaints")


def recorded(profiler, closed, pauses):
    """A profiled generator whose end takes `pauses` rounds of the loop."""

    @profiler.profile
    async def numbers():
        try:
            for number in range(10):
                yield number
        finally:
            for _ in range(pauses):
                await asyncio.sleep(0)
            closed.append("closed")

    return numbers


@pytest.mark.parametrize("pauses", [0, 1, 5])
@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("handler_class", [CollectingHandler, AsyncCollectingHandler])
def test_suspended_generators_are_closed_once(pauses: int, count: int, handler_class: Any) -> None:
    handler = handler_class()
    profiler = make_profiler(handler)
    closed: list[str] = []
    numbers = recorded(profiler, closed, pauses)
    kept = []

    async def main():
        for _ in range(count):
            generator = numbers()
            assert await generator.__anext__() == 0
            kept.append(generator)

    asyncio.run(main())
    assert closed == ["closed"] * count
    assert asyncio.run(profiler.aflush()) is True
    assert handler.counts() == {f"{ITEM}:numbers": count}
    assert_tree_at_rest(profiler)


async def left_early(numbers):
    async for number in numbers():
        if number == 3:
            break


async def left_in_a_cycle(numbers):
    cycle: list[Any] = [numbers()]
    cycle.append(cycle)
    assert await cycle[0].__anext__() == 0


@pytest.mark.parametrize("leave", [left_early, left_in_a_cycle])
def test_a_generator_that_nobody_has_is_closed_by_the_loop(
    leave: Callable[..., Any], handler: CollectingHandler, profiler: publisher.Profiler
) -> None:
    closed: list[str] = []
    numbers = recorded(profiler, closed, 1)

    async def main():
        await leave(numbers)
        gc.collect()
        for _ in range(10):
            await asyncio.sleep(0)
        assert closed == ["closed"]

    asyncio.run(main())
    assert handler.counts() == {f"{ITEM}:numbers": 1}
    assert_tree_at_rest(profiler)


def test_a_generator_without_a_loop_is_closed_when_it_is_freed() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    closed: list[str] = []
    generator = recorded(profiler, closed, 0)()
    with pytest.raises(StopIteration):
        generator.__anext__().send(None)
    del generator
    gc.collect()
    assert closed == ["closed"]
    assert handler.counts() == {f"{ITEM}:numbers": 1}


def test_hooks_of_the_thread_are_as_before_and_see_generators_of_the_body() -> None:
    seen: list[str] = []
    profiler = make_profiler(CollectingHandler())

    async def inner():
        yield 1

    @profiler.profile
    async def outer():
        async for number in inner():
            yield number

    async def main():
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(lambda generator: seen.append(generator.__name__))
        try:
            own = sys.get_asyncgen_hooks()
            assert [number async for number in outer()] == [1]
            assert sys.get_asyncgen_hooks() == own
        finally:
            sys.set_asyncgen_hooks(*before)

    asyncio.run(main())
    assert seen == ["outer", "inner"]
