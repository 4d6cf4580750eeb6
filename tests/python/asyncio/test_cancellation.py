"""Cancelling tasks at every await: the error passes, records stay, the tree is right."""

from __future__ import annotations

import asyncio
import random
import sys

import pytest
from support import (
    DEADLINE_S,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
    path_of,
)

ITEM = __name__.rpartition(".")[2]
AWAITS = 8


def call_tree(profiler):
    """Return a profiled `outer` that suspends `AWAITS` times at four depths."""
    wrong: list[str] = []

    async def stop_here(expected):
        await asyncio.sleep(0)
        if path_of(profiler) != expected:
            wrong.append(path_of(profiler))

    @profiler.profile
    async def leaf(where):
        await stop_here(f"{where}.leaf")
        await stop_here(f"{where}.leaf")

    @profiler.profile
    async def middle():
        where = f"{ITEM}:outer.middle"
        await leaf(where)
        await stop_here(where)
        await leaf(where)

    @profiler.profile
    async def outer():
        await stop_here(f"{ITEM}:outer")
        await middle()
        await stop_here(f"{ITEM}:outer")
        await stop_here(f"{ITEM}:outer")

    return outer, wrong


@pytest.mark.parametrize("steps", range(1, AWAITS + 2))
def test_a_task_cancelled_at_any_await(steps: int) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    outer, wrong = call_tree(profiler)

    async def main():
        task = asyncio.create_task(outer())
        for _ in range(steps):
            await asyncio.sleep(0)
        was_cancelled = task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert was_cancelled == isinstance(result, asyncio.CancelledError)
        assert_tree_at_rest(profiler)
        return was_cancelled

    was_cancelled = asyncio.run(main())
    # The task needs one step more than it has awaits; after that there is nothing to cancel.
    assert was_cancelled == (steps <= AWAITS)
    assert wrong == []
    assert handler.methods()[-1] == f"{ITEM}:outer"
    assert handler.records[-1]["labels"] == {"error_raised": was_cancelled}
    assert_tree_at_rest(profiler)


def test_cancelling_a_gather_cancels_the_siblings_and_leaves_nothing() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def leaf():
        await asyncio.Event().wait()

    @profiler.profile
    async def outer():
        await asyncio.gather(*(leaf() for _ in range(5)))

    async def main():
        task = asyncio.create_task(outer())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        (node,) = profiler.tree.root.children
        assert len(node.children) == 5
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert_tree_at_rest(profiler)

    asyncio.run(main())
    assert handler.counts() == {f"{ITEM}:outer": 1, f"{ITEM}:outer.leaf": 5}
    assert all(record["labels"]["error_raised"] for record in handler.records)


def test_a_timeout_passes_through_a_profiled_call() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def slow():
        await asyncio.Event().wait()

    @profiler.profile
    async def outer():
        node = profiler.curr_node.get()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(slow(), 0.01)
        assert profiler.curr_node.get() is node
        return "went on"

    assert asyncio.run(outer()) == "went on"
    assert [record["labels"]["error_raised"] for record in handler.records] == [True, False]
    assert_tree_at_rest(profiler)


def test_a_call_that_swallows_its_cancellation_is_not_an_error() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def stubborn(started):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert path_of(profiler) == f"{ITEM}:stubborn"
        return "stayed"

    async def main():
        started = asyncio.Event()
        task = asyncio.create_task(stubborn(started))
        await started.wait()
        task.cancel()
        return await task

    assert asyncio.run(main()) == "stayed"
    assert [record["labels"] for record in handler.records] == [{"error_raised": False}]
    assert_tree_at_rest(profiler)


def test_the_cancel_message_and_the_cleanup_code_work_as_without_the_decorator() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    cleaned: list[str] = []

    @profiler.profile
    async def cleanup():
        await asyncio.sleep(0)
        cleaned.append(path_of(profiler))

    @profiler.profile
    async def outer(started):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await cleanup()

    async def main():
        started = asyncio.Event()
        task = asyncio.create_task(outer(started))
        await started.wait()
        task.cancel("please stop")
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        if sys.version_info >= (3, 11):
            assert raised.value.args == ("please stop",)

    asyncio.run(main())
    assert cleaned == [f"{ITEM}:outer.cleanup"]
    assert handler.methods() == [f"{ITEM}:outer.cleanup", f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


def test_thousands_of_cancelled_tasks_leave_no_node_and_lose_no_record() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    outer, wrong = call_tree(profiler)
    chosen = random.Random(20)
    tasks_count = 2000

    async def main():
        tasks = [asyncio.create_task(outer()) for _ in range(tasks_count)]
        cancelled_at = [chosen.randrange(1, AWAITS + 3) for _ in tasks]
        for step in range(AWAITS + 3):
            for task, when in zip(tasks, cancelled_at, strict=True):
                if when == step:
                    task.cancel()
            await asyncio.sleep(0)
        results = await asyncio.wait_for(
            asyncio.gather(*tasks, return_exceptions=True), DEADLINE_S * 4
        )
        assert_tree_at_rest(profiler)
        return results

    results = asyncio.run(main())
    cancelled = sum(isinstance(result, asyncio.CancelledError) for result in results)
    assert 0 < cancelled < tasks_count
    assert sum(result is None for result in results) == tasks_count - cancelled
    assert wrong == []
    roots = [record for record in handler.records if record["method"] == f"{ITEM}:outer"]
    assert len(roots) == tasks_count
    assert sum(record["labels"]["error_raised"] for record in roots) == cancelled
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("body", ["cancelled", "done"])
@pytest.mark.parametrize("own_step", [False, True])
def test_a_cancelled_call_does_not_wait_for_a_slow_handler(body: str, own_step: bool) -> None:
    async def main() -> None:
        entered, release = asyncio.Event(), asyncio.Event()

        async def wait(records, name):
            entered.set()
            await release.wait()

        handler = AsyncCollectingHandler(on_handle=wait)
        profiler = make_profiler(handler)
        if own_step:
            profiler.measure_execution_start = profiler.measure_execution_start

        @profiler.profile
        async def call():
            if body == "cancelled":
                await asyncio.Event().wait()

        @profiler.profile
        async def numbers():
            yield 1
            await call()

        for begin in (call, lambda: anext_of(numbers())):
            task = asyncio.create_task(begin())
            if body == "done":
                await asyncio.wait_for(entered.wait(), DEADLINE_S)
                entered.clear()
            else:
                await asyncio.sleep(0.01)
            task.cancel()
            # The handler holds its batch all the time.
            done, _ = await asyncio.wait([task], timeout=DEADLINE_S)
            assert done == {task}
            assert task.cancelled()
            assert handler.batches == []
            assert_tree_at_rest(profiler)
            if body == "done":
                break
        release.set()
        assert await profiler.aflush() is True
        labels = [record["labels"]["error_raised"] for record in handler.records]
        assert set(labels) == {body == "cancelled"}

    asyncio.run(main())


async def anext_of(generator):
    """Iterate to the end."""
    return [item async for item in generator]


def test_a_call_that_was_interrupted_hands_over_at_the_end_of_the_loop() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def interrupted():
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(interrupted())
    assert_tree_at_rest(profiler)
    asyncio.run(profiler.aflush())
    assert handler.counts() == {f"{ITEM}:interrupted": 1}
