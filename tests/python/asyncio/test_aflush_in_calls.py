"""`aflush` inside of profiled calls: the caller's node is current, and nothing is kept."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from phanos.metrics import Counter
from support import (
    DEADLINE_S,
    JOB,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
    path_of,
    run_python,
    wait_until,
)

ITEM = __name__.rpartition(".")[2]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_handler_run_by_aflush_sees_the_callers_node(compare, asynchronous: bool) -> None:
    async def async_compare(records, name):
        compare()
        await asyncio.sleep(0)
        compare()

    if asynchronous:
        handler = AsyncCollectingHandler(on_handle=async_compare)
    else:
        handler = CollectingHandler(on_handle=compare)
    profiler = compare.profiler = make_profiler(handler)

    @profiler.profile
    async def leaf():
        await asyncio.sleep(0)

    @profiler.profile
    async def outer():
        node = profiler.curr_node.get()
        await leaf()
        assert handler.batches == []
        assert await profiler.aflush() is True
        assert handler.methods() == [f"{ITEM}:outer.leaf"]
        assert profiler.curr_node.get() is node
        assert set(compare.paths) == {f"{ITEM}:outer"}

    async def main():
        await outer()
        assert profiler.curr_node.get() is profiler.tree.root

    asyncio.run(main())
    assert handler.methods() == [f"{ITEM}:outer.leaf", f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


def test_profiled_calls_made_by_a_handler_of_aflush_hang_below_the_caller() -> None:
    seen: list[str] = []

    async def look(records, name):
        if not seen:
            seen.append(helper())
            seen.append(await async_helper())

    profiler = make_profiler(AsyncCollectingHandler(on_handle=look))

    @profiler.profile
    def helper():
        return path_of(profiler)

    @profiler.profile
    async def async_helper():
        await asyncio.sleep(0)
        return path_of(profiler)

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    async def outer():
        leaf()
        await profiler.aflush()
        assert path_of(profiler) == f"{ITEM}:outer"

    asyncio.run(outer())
    assert seen == [f"{ITEM}:outer.helper", f"{ITEM}:outer.async_helper"]
    assert_tree_at_rest(profiler)


def test_concurrent_aflushes_do_not_mix_up_their_callers(compare) -> None:
    handler = CollectingHandler(on_handle=compare)
    profiler = compare.profiler = make_profiler(handler, time_profile=False)
    counter = Counter("calls", JOB, "calls")
    profiler.add_metric(counter)

    def make_worker(name):
        async def worker():
            node = profiler.curr_node.get()
            for _ in range(20):
                counter.inc(1)
                await profiler.aflush()
                assert profiler.curr_node.get() is node

        worker.__name__ = worker.__qualname__ = name
        return profiler.profile(worker)

    workers = [make_worker(name) for name in ("first", "second", "third")]

    async def main():
        await asyncio.wait_for(asyncio.gather(*(worker() for worker in workers)), 20)

    asyncio.run(main())
    expected = {f"{ITEM}:{name}" for name in ("first", "second", "third")}
    # Any of the callers may hand over what the others recorded, but as itself.
    assert compare.paths
    assert set(compare.paths) <= expected
    assert handler.counts() == dict.fromkeys(expected, 20)
    assert_tree_at_rest(profiler)


def test_cancelling_an_aflush_leaves_everything_right() -> None:
    async def main():
        entered, release = asyncio.Event(), asyncio.Event()

        async def wait_for_release(records, name):
            entered.set()
            await release.wait()

        handler = AsyncCollectingHandler(on_handle=wait_for_release)
        profiler = make_profiler(handler)

        @profiler.profile
        def leaf():
            return None

        async def flush_in_call():
            leaf()
            await profiler.aflush()

        task = asyncio.create_task(flush_in_call())
        await asyncio.wait_for(entered.wait(), DEADLINE_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert_tree_at_rest(profiler)
        release.set()
        assert await profiler.aflush() is True
        assert handler.methods() == [f"{ITEM}:leaf"]

    asyncio.run(main())


def test_aflush_works_in_loops_of_several_threads(compare) -> None:
    handler = CollectingHandler(on_handle=compare)
    profiler = compare.profiler = make_profiler(handler)

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    async def outer():
        for _ in range(20):
            leaf()
            # Not always True: the calls of another thread may wait again by now.
            await profiler.aflush()
            assert path_of(profiler) == f"{ITEM}:outer"

    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(lambda: asyncio.run(outer())) for _ in range(3)]
        for run in runs:
            run.result(20)
    assert handler.counts() == {f"{ITEM}:outer.leaf": 60, f"{ITEM}:outer": 3}
    assert set(compare.paths) == {f"{ITEM}:outer"}
    assert_tree_at_rest(profiler)


def test_aflush_keeps_no_profiler_alive() -> None:
    def flush_once():
        handler = CollectingHandler()
        profiler = make_profiler(handler)

        @profiler.profile
        async def outer():
            assert await profiler.aflush() is True

        # In a context of its own, which may hold the profiler's variable, and ends with it.
        contextvars.Context().run(asyncio.run, outer())
        assert handler.methods() == [f"{ITEM}:outer"]
        return weakref.ref(profiler), weakref.ref(handler)

    def freed():
        gc.collect()
        return [reference() for reference in references] == [None, None]

    references = flush_once()
    # The runtime's thread lets go of the finished future a moment after its result is known.
    wait_until(freed, "profiler and handler are freed")


def test_aflush_works_in_a_forked_child() -> None:
    done = run_python(
        """
        import asyncio, os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from support import CollectingHandler, make_profiler

        def look(records, name):
            assert profiler._core.current() is profiler.curr_node.get()

        handler = CollectingHandler(on_handle=look)
        profiler = make_profiler(handler)

        @profiler.profile
        def leaf():
            return None

        @profiler.profile
        async def outer():
            leaf()
            assert await profiler.aflush() is True
            return str(profiler.curr_node.get().ctx)

        assert asyncio.run(outer()) == "__main__:outer"
        child = os.fork()
        path = asyncio.run(outer())
        sys.stdout.write(f"{path} {len(handler.records)}\\n")
        sys.stdout.flush()
        if child == 0:
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0, status
        """,
        timeout_s=20,
    )
    assert done.returncode == 0, done.stderr
    # The child inherited the two records of the parent's first call, and added its own two.
    assert done.stdout == "__main__:outer 4\n" * 2
