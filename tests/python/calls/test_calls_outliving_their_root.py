"""Calls that outlive the root they began under: full path, handed over when they end."""

from __future__ import annotations

import asyncio
import contextvars
import threading

from support import (
    CollectingHandler,
    assert_tree_at_rest,
    join_all,
    make_profiler,
    path_of,
    watch_hooks,
)

ITEM = __name__.rpartition(".")[2]


def test_live_children_of_a_removed_node_move_up_to_its_parent() -> None:
    profiler = make_profiler(CollectingHandler())
    root = profiler.tree.root

    @profiler.profile
    async def leaf(go_on):
        node = profiler.curr_node.get()
        await go_on.wait()
        assert profiler.curr_node.get() is node
        return path_of(profiler)

    @profiler.profile
    async def middle(started):
        go_on = asyncio.Event()
        tasks = [asyncio.create_task(leaf(go_on)) for _ in range(2)]
        await asyncio.sleep(0)
        mine = profiler.curr_node.get()
        assert [child.parent is mine for child in mine.children] == [True, True]
        started.extend(mine.children)
        return go_on, tasks

    @profiler.profile
    async def outer():
        started = []
        go_on, tasks = await middle(started)
        mine = profiler.curr_node.get()
        assert set(map(id, mine.children)) == set(map(id, started))
        assert all(child.parent is mine for child in started)
        return go_on, tasks, started

    async def main():
        go_on, tasks, started = await outer()
        assert profiler.curr_node.get() is root
        assert set(map(id, root.children)) == set(map(id, started))
        assert all(child.parent is root for child in started)
        go_on.set()
        assert await asyncio.gather(*tasks) == [f"{ITEM}:outer.middle.leaf"] * 2
        assert_tree_at_rest(profiler)

    asyncio.run(main())
    assert_tree_at_rest(profiler)


def test_a_task_that_outlives_its_root_is_handed_over_when_it_ends() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    hooks = watch_hooks(profiler)

    @profiler.profile
    def inner():
        return path_of(profiler)

    @profiler.profile
    async def late(root_ended):
        await root_ended.wait()
        return inner(), path_of(profiler)

    @profiler.profile
    async def outer(root_ended):
        task = asyncio.create_task(late(root_ended))
        await asyncio.sleep(0)
        return task

    async def main():
        root_ended = asyncio.Event()
        task = await outer(root_ended)
        assert handler.methods("time_profiler") == [f"{ITEM}:outer"]
        root_ended.set()
        assert await task == (f"{ITEM}:outer.late.inner", f"{ITEM}:outer.late")
        # The end of the task handed over, with nobody else's help.
        assert handler.methods("time_profiler") == [
            f"{ITEM}:outer",
            f"{ITEM}:outer.late.inner",
            f"{ITEM}:outer.late",
        ]

    asyncio.run(main())
    assert handler.methods("response_size") == [f"{ITEM}:outer"]
    root_hooks = [path for name, path in hooks if "root" in name]
    assert root_hooks == [f"{ITEM}:outer", f"{ITEM}:outer"]
    assert ("after_func", f"{ITEM}:outer.late") in hooks
    assert_tree_at_rest(profiler)


def test_a_task_that_starts_after_its_root_ended_keeps_the_path_and_is_no_root() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    hooks = watch_hooks(profiler)

    @profiler.profile
    async def inner():
        await asyncio.sleep(0)
        return path_of(profiler)

    @profiler.profile
    async def late():
        before = profiler.curr_node.get()
        paths = await asyncio.gather(inner(), inner())
        assert profiler.curr_node.get() is before
        return paths

    async def unprofiled(root_ended):
        await root_ended.wait()
        before = profiler.curr_node.get()
        result = await late()
        assert profiler.curr_node.get() is before
        return result

    @profiler.profile
    async def outer(root_ended):
        return asyncio.create_task(unprofiled(root_ended))

    async def main():
        root_ended = asyncio.Event()
        task = await outer(root_ended)
        assert_tree_at_rest(profiler)
        handler.clear()
        root_ended.set()
        assert await task == [f"{ITEM}:outer.late.inner"] * 2
        assert handler.counts("time_profiler") == {
            f"{ITEM}:outer.late.inner": 2,
            f"{ITEM}:outer.late": 1,
        }
        assert handler.of_metric("response_size") == []
        assert_tree_at_rest(profiler)

    asyncio.run(main())
    assert [path for name, path in hooks if "root" in name] == [f"{ITEM}:outer"] * 2
    assert_tree_at_rest(profiler)


def test_a_failing_orphan_keeps_its_record() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def late(root_ended):
        await root_ended.wait()
        raise ValueError("late failure")

    @profiler.profile
    async def outer(root_ended):
        task = asyncio.create_task(late(root_ended))
        await asyncio.sleep(0)
        return task

    async def main():
        root_ended = asyncio.Event()
        failing = await outer(root_ended)
        cancelled = await outer(root_ended)
        cancelled.cancel()
        root_ended.set()
        results = await asyncio.gather(failing, cancelled, return_exceptions=True)
        assert [type(result) for result in results] == [ValueError, asyncio.CancelledError]

    asyncio.run(main())
    late_records = [record for record in handler.records if record["method"].endswith(".late")]
    assert [record["method"] for record in late_records] == [f"{ITEM}:outer.late"] * 2
    assert [record["labels"]["error_raised"] for record in late_records] == [True, True]
    assert_tree_at_rest(profiler)


def test_an_orphan_under_a_new_roots_time_is_not_mixed_up_with_it() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def leaf():
        return path_of(profiler)

    @profiler.profile
    async def late(root_ended):
        await root_ended.wait()
        return await leaf()

    @profiler.profile
    async def first(root_ended):
        task = asyncio.create_task(late(root_ended))
        await asyncio.sleep(0)
        return task

    @profiler.profile
    async def second(root_ended, task):
        assert await leaf() == f"{ITEM}:second.leaf"
        root_ended.set()
        assert await task == f"{ITEM}:first.late.leaf"
        assert path_of(profiler) == f"{ITEM}:second"
        return await leaf()

    async def main():
        root_ended = asyncio.Event()
        task = await first(root_ended)
        assert await second(root_ended, task) == f"{ITEM}:second.leaf"

    asyncio.run(main())
    assert handler.counts() == {
        f"{ITEM}:first": 1,
        f"{ITEM}:first.late": 1,
        f"{ITEM}:first.late.leaf": 1,
        f"{ITEM}:second": 1,
        f"{ITEM}:second.leaf": 2,
    }
    assert_tree_at_rest(profiler)


def test_a_thread_with_a_copied_context_may_outlive_the_call() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    root_ended = threading.Event()
    seen: list[str] = []

    @profiler.profile
    def late():
        assert root_ended.wait(5)
        seen.append(path_of(profiler))

    @profiler.profile
    def outer():
        started = threading.Event()

        def body():
            started.set()
            late()

        thread = threading.Thread(target=contextvars.copy_context().run, args=(body,))
        thread.start()
        assert started.wait(5)
        return thread

    thread = outer()
    assert handler.methods() == [f"{ITEM}:outer"]
    root_ended.set()
    join_all([thread])
    assert seen == [f"{ITEM}:outer.late"]
    assert handler.methods() == [f"{ITEM}:outer", f"{ITEM}:outer.late"]
    assert_tree_at_rest(profiler)


def test_a_chain_of_tasks_each_outliving_its_parent() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    length = 50

    @profiler.profile
    async def link(number, ended):
        if number:
            # Started by this call, but running on when this call has long ended.
            asyncio.get_running_loop().call_soon(
                lambda: ended.append(asyncio.ensure_future(link(number - 1, ended)))
            )

    async def main():
        ended: list[asyncio.Future[None]] = []
        await link(length, ended)
        while len(ended) < length or not all(task.done() for task in ended):
            await asyncio.sleep(0)

    asyncio.run(main())
    names = [f"{ITEM}:" + ".".join(["link"] * depth) for depth in range(1, length + 2)]
    assert sorted(handler.methods(), key=len) == names
    assert_tree_at_rest(profiler)
