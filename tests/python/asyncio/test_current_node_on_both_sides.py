"""The native side and the ContextVar agree on the current node."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from concurrent.futures import ThreadPoolExecutor

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
