"""`curr_node` in tasks, gather, TaskGroup, callbacks, threads started from a loop."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import (
    DEADLINE_S,
    CollectingHandler,
    assert_tree_at_rest,
    async_wait_until,
    make_profiler,
    path_of,
    watch_hooks,
)

ITEM = __name__.rpartition(".")[2]


def sibling_tree(start_all):
    """Profile `outer`, which starts three `leaf` calls through `start_all`; check all paths."""
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    seen: list[str] = []
    together: list[int] = []

    @profiler.profile
    async def inner(number):
        await asyncio.sleep(0)
        seen.append(path_of(profiler))
        return number

    @profiler.profile
    async def leaf(number, everybody_is_here):
        (outer_node,) = profiler.tree.root.children
        together.append(len(outer_node.children))
        seen.append(path_of(profiler))
        if len(together) == 3:
            everybody_is_here.set()
        await asyncio.wait_for(everybody_is_here.wait(), DEADLINE_S)
        seen.append(path_of(profiler))
        assert await inner(number) == number
        seen.append(path_of(profiler))
        return number

    @profiler.profile
    async def outer():
        node = profiler.curr_node.get()
        everybody_is_here = asyncio.Event()
        results = await start_all([leaf(number, everybody_is_here) for number in range(3)])
        assert profiler.curr_node.get() is node
        assert list(node.children) == []
        return results

    async def main():
        results = await outer()
        assert_tree_at_rest(profiler)
        return results

    assert asyncio.run(main()) == [0, 1, 2]
    # All three were children of the one root at the same time: siblings, not a chain.
    assert together == [1, 2, 3]
    assert sorted(set(seen)) == [f"{ITEM}:outer.leaf", f"{ITEM}:outer.leaf.inner"]
    assert len(seen) == 12
    assert handler.counts() == {
        f"{ITEM}:outer.leaf.inner": 3,
        f"{ITEM}:outer.leaf": 3,
        f"{ITEM}:outer": 1,
    }
    assert_tree_at_rest(profiler)


def test_gathered_coroutines_are_siblings() -> None:
    async def start_all(coroutines):
        return await asyncio.gather(*coroutines)

    sibling_tree(start_all)


def test_tasks_are_siblings() -> None:
    async def start_all(coroutines):
        tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
        return [await task for task in tasks]

    sibling_tree(start_all)


def test_tasks_of_a_task_group_are_siblings() -> None:
    async def start_all(coroutines):
        if sys.version_info < (3, 11):
            # What a task group does, on the one supported version that has none.
            done, _ = await asyncio.wait([asyncio.ensure_future(each) for each in coroutines])
            return sorted(task.result() for task in done)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
        return [task.result() for task in tasks]

    sibling_tree(start_all)


def test_a_profiled_call_in_a_nested_task_keeps_the_whole_path() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def layer(depth):
        if depth == 0:
            return path_of(profiler)
        node = profiler.curr_node.get()
        result = await asyncio.create_task(layer(depth - 1))
        assert profiler.curr_node.get() is node
        return result

    assert asyncio.run(layer(4)) == f"{ITEM}:" + ".".join(["layer"] * 5)
    assert len(handler.records) == 5
    assert_tree_at_rest(profiler)


def test_interleaved_roots_do_not_see_each_other() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    hooks = watch_hooks(profiler)

    @profiler.profile
    async def leaf():
        await asyncio.sleep(0)
        return path_of(profiler)

    @profiler.profile
    async def outer(turns):
        for _ in range(turns):
            assert await leaf() == f"{ITEM}:outer.leaf"
            assert path_of(profiler) == f"{ITEM}:outer"
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(outer(turns) for turns in range(10)))
        assert_tree_at_rest(profiler)

    asyncio.run(main())
    assert handler.counts() == {f"{ITEM}:outer": 10, f"{ITEM}:outer.leaf": 45}
    assert hooks.count(("before_root_func", f"{ITEM}:outer")) == 10
    assert hooks.count(("after_root_func", f"{ITEM}:outer")) == 10
    assert hooks.count(("before_func", f"{ITEM}:outer.leaf")) == 45


def test_to_thread_carries_the_current_node_into_the_thread() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def leaf():
        return path_of(profiler)

    @profiler.profile
    async def outer():
        node = profiler.curr_node.get()
        inside = await asyncio.to_thread(leaf)
        assert profiler.curr_node.get() is node
        return inside

    assert asyncio.run(outer()) == f"{ITEM}:outer.leaf"
    assert handler.methods() == [f"{ITEM}:outer.leaf", f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


def test_an_executor_thread_has_its_own_root_unless_the_context_was_copied() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)

    @profiler.profile
    def leaf():
        return path_of(profiler)

    @profiler.profile
    def outer(pool):
        own = pool.submit(leaf).result(DEADLINE_S)
        shared = pool.submit(contextvars.copy_context().run, leaf).result(DEADLINE_S)
        again = pool.submit(leaf).result(DEADLINE_S)
        return own, shared, again

    @profiler.profile
    async def async_outer(pool):
        return await asyncio.get_running_loop().run_in_executor(pool, leaf)

    with ThreadPoolExecutor(1) as pool:
        own, below = f"{ITEM}:leaf", f"{ITEM}:outer.leaf"
        assert outer(pool) == (own, below, own)
        assert asyncio.run(async_outer(pool)) == own
        at_rest = pool.submit(lambda: profiler.curr_node.get() is profiler.tree.root)
        assert at_rest.result(DEADLINE_S)
    assert handler.counts("time_profiler") == {
        own: 3,
        below: 1,
        f"{ITEM}:outer": 1,
        f"{ITEM}:async_outer": 1,
    }
    # Response size belongs to roots: the three calls in the thread's own context are roots.
    assert handler.counts("response_size") == {own: 3, f"{ITEM}:outer": 1, f"{ITEM}:async_outer": 1}
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("how", ["call_soon", "call_later", "call_soon_threadsafe"])
def test_a_callback_has_the_node_that_was_current_when_it_was_scheduled(how: str) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    seen: list[str] = []

    @profiler.profile
    def leaf(ran):
        seen.append(path_of(profiler))
        ran.set()

    def schedule(ran):
        loop = asyncio.get_running_loop()
        if how == "call_later":
            loop.call_later(0.001, leaf, ran)
        else:
            getattr(loop, how)(leaf, ran)

    @profiler.profile
    async def outer(wait_here):
        node = profiler.curr_node.get()
        ran = asyncio.Event()
        schedule(ran)
        if wait_here:
            await asyncio.wait_for(ran.wait(), DEADLINE_S)
            assert profiler.curr_node.get() is node
        return ran

    async def main():
        await outer(True)
        assert_tree_at_rest(profiler)
        late = await outer(False)
        assert_tree_at_rest(profiler)
        await asyncio.wait_for(late.wait(), DEADLINE_S)
        unrelated = asyncio.Event()
        schedule(unrelated)
        await asyncio.wait_for(unrelated.wait(), DEADLINE_S)
        assert_tree_at_rest(profiler)

    asyncio.run(main())
    assert seen == [f"{ITEM}:outer.leaf", f"{ITEM}:outer.leaf", f"{ITEM}:leaf"]
    assert handler.counts() == {f"{ITEM}:outer": 2, f"{ITEM}:outer.leaf": 2, f"{ITEM}:leaf": 1}
    assert_tree_at_rest(profiler)


def test_a_done_callback_and_a_future_see_the_right_node() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    seen: list[str] = []

    @profiler.profile
    async def leaf(future):
        result = await future
        return result, path_of(profiler)

    @profiler.profile
    async def outer():
        future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(leaf(future))
        task.add_done_callback(lambda _: seen.append(path_of(profiler)))
        await asyncio.sleep(0)
        future.set_result("value")
        assert await task == ("value", f"{ITEM}:outer.leaf")
        await async_wait_until(lambda: bool(seen), "the callback")

    asyncio.run(outer())
    # The callback was added by `outer`, so it runs in the context of `outer`.
    assert seen == [f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


def test_sync_calls_inside_tasks_are_children_of_the_task() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def compute(number):
        return number * 2, path_of(profiler)

    @profiler.profile
    async def worker(number):
        await asyncio.sleep(0)
        return compute(number)

    @profiler.profile
    async def outer():
        return await asyncio.gather(*(worker(number) for number in range(5)))

    expected = f"{ITEM}:outer.worker.compute"
    assert asyncio.run(outer()) == [(number * 2, expected) for number in range(5)]
    assert handler.counts()[expected] == 5
    assert_tree_at_rest(profiler)


def test_async_with_and_async_for_run_in_the_callers_node() -> None:
    profiler = make_profiler(CollectingHandler())
    seen: list[str] = []

    class Resource:
        @profiler.profile
        async def __aenter__(self):
            seen.append(path_of(profiler))
            await asyncio.sleep(0)

        @profiler.profile
        async def __aexit__(self, *error):
            seen.append(path_of(profiler))
            await asyncio.sleep(0)

    @profiler.profile
    async def outer():
        async with Resource():
            seen.append(path_of(profiler))
        seen.append(path_of(profiler))

    asyncio.run(outer())
    assert seen == [
        f"{ITEM}:outer.__aenter__",
        f"{ITEM}:outer",
        f"{ITEM}:outer.__aexit__",
        f"{ITEM}:outer",
    ]
    assert_tree_at_rest(profiler)
