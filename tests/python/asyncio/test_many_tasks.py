"""Thousands of interleaved tasks, alone and beside threads: exact counts, no node left."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor

from phanos.metrics import Counter
from support import (
    JOB,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
    path_of,
    run_in_threads,
)

ITEM = __name__.rpartition(".")[2]
TASKS = 5000


def test_thousands_of_interleaved_roots() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    wrong: list[str] = []

    def check(expected):
        if path_of(profiler) != expected:
            wrong.append(path_of(profiler))

    @profiler.profile
    async def leaf():
        await asyncio.sleep(0)
        check(f"{ITEM}:outer.leaf")

    @profiler.profile
    def sync_leaf():
        check(f"{ITEM}:outer.sync_leaf")

    @profiler.profile
    async def outer(number):
        await asyncio.gather(leaf(), leaf())
        check(f"{ITEM}:outer")
        sync_leaf()
        await asyncio.sleep(0)
        check(f"{ITEM}:outer")
        return number

    async def main():
        results = await asyncio.gather(*(outer(number) for number in range(TASKS)))
        assert results == list(range(TASKS))
        assert_tree_at_rest(profiler)

    asyncio.run(main())
    assert wrong == []
    assert handler.counts("time_profiler") == {
        f"{ITEM}:outer": TASKS,
        f"{ITEM}:outer.leaf": 2 * TASKS,
        f"{ITEM}:outer.sync_leaf": TASKS,
    }
    assert handler.counts("response_size") == {f"{ITEM}:outer": TASKS}
    assert profiler.get_records_count() == 0
    assert_tree_at_rest(profiler)


def test_thousands_of_tasks_under_one_root() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    most_children = 0

    @profiler.profile
    async def inner():
        await asyncio.sleep(0)

    @profiler.profile
    async def leaf():
        nonlocal most_children
        (outer_node,) = profiler.tree.root.children
        most_children = max(most_children, len(outer_node.children))
        await inner()

    @profiler.profile
    async def outer():
        node = profiler.curr_node.get()
        await asyncio.gather(*(leaf() for _ in range(TASKS)))
        assert list(node.children) == []

    asyncio.run(outer())
    assert most_children == TASKS
    assert handler.counts() == {
        f"{ITEM}:outer": 1,
        f"{ITEM}:outer.leaf": TASKS,
        f"{ITEM}:outer.leaf.inner": TASKS,
    }
    assert_tree_at_rest(profiler)


def test_thousands_of_tasks_that_outlive_their_roots() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    count = 1000

    @profiler.profile
    async def late(go_on):
        await go_on.wait()
        await asyncio.sleep(0)
        assert path_of(profiler) == f"{ITEM}:outer.middle.late"

    @profiler.profile
    async def middle(go_on):
        return [asyncio.create_task(late(go_on)) for _ in range(2)]

    @profiler.profile
    async def outer(go_on):
        tasks = await middle(go_on)
        await asyncio.sleep(0)
        return tasks

    async def main():
        go_on = asyncio.Event()
        started = await asyncio.gather(*(outer(go_on) for _ in range(count)))
        assert len(profiler.tree.root.children) == 2 * count
        go_on.set()
        await asyncio.gather(*(task for tasks in started for task in tasks))
        assert_tree_at_rest(profiler)

    asyncio.run(main())
    assert handler.counts("time_profiler") == {
        f"{ITEM}:outer": count,
        f"{ITEM}:outer.middle": count,
        f"{ITEM}:outer.middle.late": 2 * count,
    }
    assert handler.counts("response_size") == {f"{ITEM}:outer": count}
    assert profiler.get_records_count() == 0


def test_random_trees_of_tasks_with_failures() -> None:
    chosen = random.Random(41)
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    identities = Counter("identities", JOB, "id", {"path"})
    profiler.add_metric(identities)
    expected: list[tuple[str, float]] = []

    @profiler.profile
    async def branch(path, depth):
        number = len(expected)
        expected.append((path, float(number)))
        identities.inc(number, {"path": path})
        for _ in range(chosen.randrange(3)):
            await asyncio.sleep(0)
        if depth:
            below = f"{path}.branch"
            children = [branch(below, depth - 1) for _ in range(chosen.randrange(4))]
            await asyncio.gather(*children, return_exceptions=True)
        assert path_of(profiler) == path
        if chosen.random() < 0.2:
            raise KeyError(path)

    async def main():
        roots = [branch(f"{ITEM}:branch", 4) for _ in range(200)]
        await asyncio.gather(*roots, return_exceptions=True)
        assert_tree_at_rest(profiler)

    asyncio.run(main())
    assert len(expected) > 2000
    recorded = handler.of_metric("identities")
    # The label holds the path the call expected, `method` the one that was recorded.
    assert all(record["method"] == record["labels"]["path"] for record in recorded)
    assert sorted((record["method"], record["value"][1]) for record in recorded) == sorted(expected)
    assert len(handler.of_metric("time_profiler")) == len(expected)


def test_tasks_with_an_async_handler() -> None:
    async def slowly(records, name):
        await asyncio.sleep(0)

    handler = AsyncCollectingHandler(on_handle=slowly)
    profiler = make_profiler(handler)
    count = 1500

    @profiler.profile
    def sync_leaf():
        return None

    @profiler.profile
    async def leaf():
        await asyncio.sleep(0)
        sync_leaf()

    @profiler.profile
    async def outer():
        await asyncio.gather(leaf(), leaf())

    async def main():
        await asyncio.gather(*(outer() for _ in range(count)))
        assert await profiler.aflush() is True

    asyncio.run(main())
    assert handler.counts() == {
        f"{ITEM}:outer": count,
        f"{ITEM}:outer.leaf": 2 * count,
        f"{ITEM}:outer.leaf.sync_leaf": 2 * count,
    }
    assert_tree_at_rest(profiler)


def test_loops_threads_and_executors_together() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    threads, rounds = 4, 60

    @profiler.profile
    def sync_leaf():
        return path_of(profiler)

    @profiler.profile
    async def leaf():
        await asyncio.sleep(0)
        return sync_leaf()

    @profiler.profile
    async def outer(pool):
        loop = asyncio.get_running_loop()
        results = await asyncio.gather(
            leaf(),
            leaf(),
            asyncio.to_thread(sync_leaf),
            loop.run_in_executor(pool, sync_leaf),
        )
        below = f"{ITEM}:outer.leaf.sync_leaf"
        assert results == [below, below, f"{ITEM}:outer.sync_leaf", f"{ITEM}:sync_leaf"]

    def body(index):
        async def main(pool):
            for _ in range(rounds):
                await asyncio.gather(outer(pool), outer(pool))

        with ThreadPoolExecutor(2) as pool:
            asyncio.run(main(pool))

    run_in_threads(body, threads)
    count = threads * rounds * 2
    assert handler.counts() == {
        f"{ITEM}:outer": count,
        f"{ITEM}:outer.leaf": 2 * count,
        f"{ITEM}:outer.leaf.sync_leaf": 2 * count,
        f"{ITEM}:outer.sync_leaf": count,
        f"{ITEM}:sync_leaf": count,
    }
    assert_tree_at_rest(profiler)
