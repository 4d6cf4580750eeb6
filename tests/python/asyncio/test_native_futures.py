"""The native side and the ContextVar agree, also in futures on the package's own runtime."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from phanos import _phanos
from support import (
    DEADLINE_S,
    HOOK_NAMES,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
)

ITEM = __name__.rpartition(".")[2]


def test_both_sides_agree_at_every_moment_of_a_sync_call(compare) -> None:
    profiler = compare.profiler = make_profiler(CollectingHandler(on_handle=compare))
    for name in HOOK_NAMES:
        setattr(profiler, name, compare)

    @profiler.profile
    def leaf():
        compare()

    @profiler.profile
    def numbers():
        compare()
        yield 1
        compare()

    @profiler.profile
    def outer():
        compare()
        leaf()
        compare()
        for _ in numbers():
            compare()
        contextvars.copy_context().run(leaf)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(compare).result(DEADLINE_S)
            pool.submit(leaf).result(DEADLINE_S)
            pool.submit(contextvars.copy_context().run, leaf).result(DEADLINE_S)

    compare()
    outer()
    compare()
    assert set(compare.paths) == {
        "",
        f"{ITEM}:leaf",
        f"{ITEM}:outer",
        f"{ITEM}:outer.leaf",
        f"{ITEM}:outer.numbers",
    }
    assert_tree_at_rest(profiler)


def test_both_sides_agree_at_every_moment_of_an_async_call(compare) -> None:
    async def async_compare(records, name):
        compare()
        await asyncio.sleep(0)
        compare()

    profiler = compare.profiler = make_profiler(
        AsyncCollectingHandler(on_handle=async_compare), CollectingHandler(on_handle=compare)
    )
    for name in HOOK_NAMES:
        setattr(profiler, name, compare)

    @profiler.profile
    async def leaf():
        compare()
        await asyncio.sleep(0)
        compare()

    @profiler.profile
    async def numbers():
        compare()
        yield 1
        await asyncio.sleep(0)
        compare()

    @profiler.profile
    async def outer():
        compare()
        await asyncio.gather(leaf(), leaf())
        async for _ in numbers():
            compare()
        await asyncio.to_thread(compare)
        ran = asyncio.Event()
        asyncio.get_running_loop().call_soon(lambda: (compare(), ran.set()))
        await asyncio.wait_for(ran.wait(), DEADLINE_S)
        if sys.version_info >= (3, 11):
            async with asyncio.TaskGroup() as group:
                group.create_task(leaf())
        return compare()

    async def main():
        compare()
        assert await outer() == f"{ITEM}:outer"
        compare()

    asyncio.run(main())
    assert set(compare.paths) == {
        "",
        f"{ITEM}:outer",
        f"{ITEM}:outer.leaf",
        f"{ITEM}:outer.numbers",
    }
    assert_tree_at_rest(profiler)


def test_a_function_called_from_a_native_future_sees_the_callers_node(compare) -> None:
    handler = CollectingHandler()
    profiler = compare.profiler = make_profiler(handler)
    threads: list[int] = []

    @profiler.profile
    def leaf():
        compare()

    def inside_the_future():
        threads.append(threading.get_ident())
        compare()
        leaf()
        compare()
        return "result"

    @profiler.profile
    async def outer():
        node = profiler.curr_node.get()
        result = await _phanos.call_in_future(profiler._core, inside_the_future)
        assert profiler.curr_node.get() is node
        return result

    async def main():
        results = await asyncio.gather(outer(), outer())
        assert profiler.curr_node.get() is profiler.tree.root
        return results

    assert asyncio.run(main()) == ["result", "result"]
    # Called on a thread of the package's own runtime, not on that of the loop.
    assert len(threads) == 2
    assert threading.get_ident() not in threads
    assert sorted(compare.paths) == [f"{ITEM}:outer"] * 4 + [f"{ITEM}:outer.leaf"] * 2
    assert handler.counts() == {f"{ITEM}:outer": 2, f"{ITEM}:outer.leaf": 2}
    assert_tree_at_rest(profiler)


def test_what_a_function_in_a_native_future_raises_reaches_the_awaiting_call(compare) -> None:
    handler = CollectingHandler()
    profiler = compare.profiler = make_profiler(handler)
    error = ValueError("from the future")

    def fail():
        compare()
        raise error

    @profiler.profile
    async def outer():
        await _phanos.call_in_future(profiler._core, fail)

    with pytest.raises(ValueError, match="from the future") as raised:
        asyncio.run(outer())
    assert raised.value is error
    assert compare.paths == [f"{ITEM}:outer"]
    assert [record["labels"] for record in handler.records] == [{"error_raised": True}]
    assert_tree_at_rest(profiler)


def test_current_node_refuses_what_is_no_profiler() -> None:
    with pytest.raises(TypeError):
        _phanos.current_node(42)
