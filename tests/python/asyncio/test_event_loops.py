"""Async handlers and the life of event loops: several at once, ended, closed, replaced."""

from __future__ import annotations

import asyncio
import threading

import pytest
from phanos.metrics import Counter
from support import (
    JOB,
    AsyncCollectingHandler,
    assert_tree_at_rest,
    make_profiler,
    output_of,
    path_of,
    run_in_threads,
    run_python,
)

ITEM = __name__.rpartition(".")[2]
THREADS = 4
ROUNDS = 50


def test_a_loop_that_ends_right_after_a_sync_call_still_delivers() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def step():
        return None

    async def main():
        step()

    for number in range(1, 6):
        asyncio.run(main())
        assert handler.counts() == {f"{ITEM}:step": number}
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("begun", [False, True])
def test_the_end_of_a_loop_waits_for_deliveries(begun: bool) -> None:
    async def slowly(records, name):
        for _ in range(100):
            await asyncio.sleep(0)

    handler = AsyncCollectingHandler(on_handle=slowly)
    profiler = make_profiler(handler)

    @profiler.profile
    def step():
        return None

    async def main():
        step()
        if begun:
            await asyncio.sleep(0)
        step()

    asyncio.run(main())
    assert handler.counts() == {f"{ITEM}:step": 2}


def test_a_sync_call_after_the_loop_waits_for_the_next_one() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def step():
        return None

    @profiler.profile
    async def async_step():
        step()

    for number in range(1, 6):
        asyncio.run(async_step())
        step()
        expected = {f"{ITEM}:async_step": number, f"{ITEM}:async_step.step": number}
        if number > 1:
            expected[f"{ITEM}:step"] = number - 1
        assert handler.counts() == expected
    assert asyncio.run(profiler.aflush()) is True
    assert handler.counts()[f"{ITEM}:step"] == 5
    assert_tree_at_rest(profiler)


def test_loops_in_several_threads_each_deliver_their_own_calls() -> None:
    threads_of_batches: list[tuple[str, set[str]]] = []

    async def look(records, name):
        await asyncio.sleep(0)
        workers = {record["labels"]["worker"] for record in records if "worker" in record["labels"]}
        if workers:
            threads_of_batches.append((threading.current_thread().name, workers))

    handler = AsyncCollectingHandler(on_handle=look)
    profiler = make_profiler(handler, time_profile=False)
    counter = Counter("calls", JOB, "calls", {"worker"})
    profiler.add_metric(counter)

    @profiler.profile
    async def leaf():
        await asyncio.sleep(0)
        counter.inc(1, {"worker": threading.current_thread().name})
        return path_of(profiler)

    @profiler.profile
    async def outer():
        paths = await asyncio.gather(leaf(), leaf())
        assert paths == [f"{ITEM}:outer.leaf"] * 2

    def body(index):
        async def main():
            for _ in range(ROUNDS):
                await asyncio.gather(outer(), outer())

        threading.current_thread().name = f"worker-{index}"
        asyncio.run(main())

    run_in_threads(body, THREADS)
    assert handler.counts("calls") == {f"{ITEM}:outer.leaf": THREADS * ROUNDS * 4}
    per_worker = [record["labels"]["worker"] for record in handler.of_metric("calls")]
    for index in range(THREADS):
        assert per_worker.count(f"worker-{index}") == ROUNDS * 4
    # Whoever ended a root delivered on its own thread.
    assert {name for name, _ in threads_of_batches} == {f"worker-{i}" for i in range(THREADS)}
    assert_tree_at_rest(profiler)


def test_sync_calls_in_loops_of_several_threads_lose_nothing() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    def outer():
        leaf()

    def body(index):
        async def main():
            for number in range(ROUNDS):
                outer()
                if number % 5 == index:
                    await asyncio.sleep(0)
            # Not always True: the calls of another thread may wait by now.
            await profiler.aflush()

        asyncio.run(main())

    run_in_threads(body, THREADS)
    assert asyncio.run(profiler.aflush()) is True
    assert handler.counts() == {
        f"{ITEM}:outer.leaf": THREADS * ROUNDS,
        f"{ITEM}:outer": THREADS * ROUNDS,
    }
    assert_tree_at_rest(profiler)


def test_threads_without_a_loop_beside_one_with_a_loop() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def step():
        return None

    @profiler.profile
    async def async_step():
        await asyncio.sleep(0)

    def body(index):
        if index == 0:

            async def main():
                for _ in range(ROUNDS):
                    await async_step()

            asyncio.run(main())
        else:
            for _ in range(ROUNDS):
                step()

    run_in_threads(body, THREADS)
    assert asyncio.run(profiler.aflush()) is True
    assert handler.counts() == {
        f"{ITEM}:async_step": ROUNDS,
        f"{ITEM}:step": (THREADS - 1) * ROUNDS,
    }


def test_batches_that_never_met_a_loop_are_counted_and_logged_at_exit() -> None:
    done = run_python(
        """
        import logging, sys
        logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
        from support import AsyncCollectingHandler, make_profiler

        profiler = make_profiler(AsyncCollectingHandler("never-met"))

        @profiler.profile
        def step():
            return None

        for _ in range(17):
            step()
        """
    )
    assert done.returncode == 0, done.stderr
    complaints = [line for line in done.stderr.splitlines() if "phanos" in line]
    assert len(complaints) == 1, done.stderr
    level, name, message = complaints[0].split(" ", 2)
    assert level in ("WARNING", "ERROR")
    assert name.startswith("phanos")
    assert "17" in message


def test_nothing_is_logged_at_exit_when_everything_was_delivered() -> None:
    printed = output_of(
        """
        import asyncio, logging, sys
        logging.basicConfig(stream=sys.stderr)
        from support import AsyncCollectingHandler, make_profiler

        profiler = make_profiler(AsyncCollectingHandler())

        @profiler.profile
        def step():
            return None

        @profiler.profile
        async def async_step():
            step()

        step()
        asyncio.run(async_step())
        """
    )
    assert printed == ""
