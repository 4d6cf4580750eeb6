"""Async handlers are awaited by async calls, and shielded from what ends those."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from support import (
    DEADLINE_S,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    async_wait_until,
    make_profiler,
    path_of,
)

ITEM = __name__.rpartition(".")[2]


def test_an_async_call_has_awaited_its_handlers_when_it_returns() -> None:
    async def slowly(records, name):
        for _ in range(10):
            await asyncio.sleep(0)

    first = AsyncCollectingHandler("first", on_handle=slowly)
    second = AsyncCollectingHandler("second", on_handle=slowly)
    plain = CollectingHandler("plain")
    profiler = make_profiler(first, plain, second, response_size_profile=True)

    @profiler.profile
    async def leaf():
        await asyncio.sleep(0)

    @profiler.profile
    async def outer():
        await leaf()
        return "result"

    async def main():
        for number in range(1, 4):
            assert await outer() == "result"
            for handler in (first, second, plain):
                assert len(handler.of_metric("time_profiler")) == 2 * number
                assert len(handler.of_metric("response_size")) == number
            assert_tree_at_rest(profiler)

    asyncio.run(main())
    for handler in (first, second, plain):
        assert [name for name, _ in handler.batches] == ["response_size", "time_profiler"] * 3


def test_an_async_handler_sees_the_callers_node_and_loop() -> None:
    seen = []

    async def look(records, name):
        node = profiler.curr_node.get()
        seen.append((path_of(profiler), asyncio.get_running_loop()))
        await asyncio.sleep(0)
        assert profiler.curr_node.get() is node

    profiler = make_profiler(AsyncCollectingHandler(on_handle=look))

    @profiler.profile
    async def outer():
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    async def main():
        return await asyncio.gather(outer(), outer())

    loops = asyncio.run(main())
    assert seen == [(f"{ITEM}:outer", loop) for loop in loops]
    assert_tree_at_rest(profiler)


def test_profiled_calls_of_an_async_handler_hang_below_the_caller() -> None:
    seen: list[str] = []

    async def look(records, name):
        if not seen:
            seen.append(await helper())

    profiler = make_profiler(AsyncCollectingHandler(on_handle=look))

    @profiler.profile
    async def helper():
        await asyncio.sleep(0)
        return path_of(profiler)

    @profiler.profile
    async def outer():
        return None

    asyncio.run(outer())
    assert seen == [f"{ITEM}:outer.helper"]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("times", [1, 3])
def test_cancelling_the_caller_does_not_cancel_the_delivery(times: int) -> None:
    handled: list[str] = []

    async def main():
        entered, release = asyncio.Event(), asyncio.Event()

        async def wait_for_release(records, name):
            entered.set()
            await release.wait()
            handled.append("to the end")

        handler = AsyncCollectingHandler(on_handle=wait_for_release)
        profiler = make_profiler(handler)

        @profiler.profile
        async def outer():
            return "result"

        task = asyncio.create_task(outer())
        await asyncio.wait_for(entered.wait(), DEADLINE_S)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        release.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        await async_wait_until(lambda: bool(handler.batches), "the batch")
        assert handled == ["to the end"]
        assert handler.methods() == [f"{ITEM}:outer"]
        assert_tree_at_rest(profiler)

    asyncio.run(main())


def test_a_timeout_around_a_call_with_a_slow_handler_loses_nothing() -> None:
    async def main():
        release = asyncio.Event()

        async def wait_for_release(records, name):
            await release.wait()

        handler = AsyncCollectingHandler(on_handle=wait_for_release)
        profiler = make_profiler(handler)

        @profiler.profile
        async def outer():
            return "result"

        asyncio.get_running_loop().call_later(0.05, release.set)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(outer(), 0.01)
        await async_wait_until(lambda: bool(handler.batches), "the batch")
        assert handler.methods() == [f"{ITEM}:outer"]
        assert_tree_at_rest(profiler)

    asyncio.run(main())


def test_a_handler_that_is_cancelled_itself_passes_the_cancellation_on() -> None:
    async def cancel(records, name):
        raise asyncio.CancelledError

    profiler = make_profiler(AsyncCollectingHandler(on_handle=cancel))

    @profiler.profile
    async def outer():
        return None

    async def main():
        with pytest.raises(asyncio.CancelledError):
            await outer()
        assert_tree_at_rest(profiler)

    asyncio.run(main())
