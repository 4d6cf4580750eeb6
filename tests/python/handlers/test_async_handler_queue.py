"""Batches of sync calls for async handlers: queued in order, delivered by a loop or by `aflush`."""

from __future__ import annotations

import asyncio
import random

from phanos.metrics import Counter
from support import (
    DEADLINE_S,
    JOB,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    async_wait_until,
    make_profiler,
    path_of,
)

ITEM = __name__.rpartition(".")[2]


def numbers_of(handler, metric: str = "sequence") -> list[float]:
    return [record["value"][1] for record in handler.of_metric(metric)]


def sequence_profiler(*handlers):
    """Profiler with a counter metric whose values show the order of the batches."""
    profiler = make_profiler(*handlers)
    sequence = Counter("sequence", JOB, "number")
    profiler.add_metric(sequence)
    return profiler, sequence


def test_a_sync_call_in_a_running_loop_is_delivered_by_that_loop() -> None:
    loops = []

    async def look(records, name):
        loops.append(asyncio.get_running_loop())

    handler = AsyncCollectingHandler(on_handle=look)
    plain = CollectingHandler("plain")
    profiler = make_profiler(handler, plain)

    @profiler.profile
    def leaf():
        return path_of(profiler)

    @profiler.profile
    def outer():
        return leaf()

    async def main():
        assert outer() == f"{ITEM}:outer.leaf"
        assert_tree_at_rest(profiler)
        await async_wait_until(lambda: bool(handler.batches), "the batch")
        await async_wait_until(lambda: bool(plain.batches), "the batch of the sync handler")
        return asyncio.get_running_loop()

    loop = asyncio.run(main())
    assert loops == [loop]
    for each in (handler, plain):
        assert each.methods() == [f"{ITEM}:outer.leaf", f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


def test_the_order_per_metric_is_kept_however_long_the_handler_takes() -> None:
    chosen = random.Random(7)

    async def unevenly(records, name):
        for _ in range(chosen.randrange(5)):
            await asyncio.sleep(0)

    handler = AsyncCollectingHandler(on_handle=unevenly)
    profiler, sequence = sequence_profiler(handler)

    @profiler.profile
    def step(number):
        sequence.inc(number)

    @profiler.profile
    async def async_step(number):
        sequence.inc(number)

    async def main():
        for number in range(300):
            if number % 7 == 3:
                await async_step(number)
                # What was queued by sync calls before came first.
                assert numbers_of(handler) == list(range(number + 1))
            else:
                step(number)
            if number % 11 == 5:
                await asyncio.sleep(0)
        await async_wait_until(lambda: len(numbers_of(handler)) == 300, "all batches")

    asyncio.run(main())
    assert numbers_of(handler) == list(range(300))
    assert handler.counts("time_profiler") == {f"{ITEM}:step": 257, f"{ITEM}:async_step": 43}


def test_the_next_async_exit_delivers_what_waited_for_a_loop() -> None:
    handler = AsyncCollectingHandler()
    plain = CollectingHandler("plain")
    profiler, sequence = sequence_profiler(handler, plain)

    @profiler.profile
    def step(number):
        sequence.inc(number)

    @profiler.profile
    async def async_step(number):
        sequence.inc(number)

    for number in range(20):
        step(number)
        # A sync handler needs no loop.
        assert numbers_of(plain) == list(range(number + 1))
    assert handler.batches == []

    async def main():
        await async_step(20)
        assert numbers_of(handler) == list(range(21))

    asyncio.run(main())
    assert numbers_of(plain) == list(range(21))
    assert handler.counts("time_profiler") == {f"{ITEM}:step": 20, f"{ITEM}:async_step": 1}


def test_aflush_delivers_what_waited_for_a_loop() -> None:
    handler = AsyncCollectingHandler()
    profiler, sequence = sequence_profiler(handler)

    @profiler.profile
    def step(number):
        sequence.inc(number)

    for number in range(20):
        step(number)
    sequence.inc(20)
    assert asyncio.run(profiler.aflush()) is True
    assert numbers_of(handler) == list(range(21))
    assert handler.counts("time_profiler") == {f"{ITEM}:step": 20}
    assert asyncio.run(profiler.aflush()) is True
    assert len(numbers_of(handler)) == 21


def test_aflush_waits_for_what_sync_calls_have_queued() -> None:
    async def slowly(records, name):
        for _ in range(10):
            await asyncio.sleep(0)

    handler = AsyncCollectingHandler(on_handle=slowly)
    profiler, sequence = sequence_profiler(handler)

    @profiler.profile
    def step(number):
        sequence.inc(number)

    async def main():
        for number in range(10):
            step(number)
        assert await profiler.aflush() is True
        assert numbers_of(handler) == list(range(10))

    asyncio.run(main())


def test_aflush_gives_up_after_its_timeout_and_loses_nothing() -> None:
    async def main():
        release = asyncio.Event()

        async def wait_for_release(records, name):
            await release.wait()

        handler = AsyncCollectingHandler(on_handle=wait_for_release)
        profiler, sequence = sequence_profiler(handler)

        @profiler.profile
        def step(number):
            sequence.inc(number)

        step(0)
        assert await asyncio.wait_for(profiler.aflush(timeout_s=0.05), DEADLINE_S) is False
        assert handler.batches == []
        release.set()
        assert await profiler.aflush() is True
        assert numbers_of(handler) == [0]
        assert handler.counts("time_profiler") == {f"{ITEM}:step": 1}

    asyncio.run(main())


def test_a_long_root_hands_over_before_it_ends() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def leaf():
        await asyncio.sleep(0)

    @profiler.profile
    def sync_leaf():
        return None

    @profiler.profile
    async def outer():
        for _ in range(99):
            await leaf()
        assert handler.batches == []
        await leaf()
        assert len(handler.records) == 100
        for _ in range(100):
            sync_leaf()
        await async_wait_until(lambda: len(handler.records) == 200, "the second hundred")

    asyncio.run(outer())
    assert handler.counts() == {
        f"{ITEM}:outer.leaf": 100,
        f"{ITEM}:outer.sync_leaf": 100,
        f"{ITEM}:outer": 1,
    }


def test_sync_roots_of_an_async_profiler_do_not_pile_up() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def step():
        return None

    async def main():
        for _ in range(50):
            for _ in range(100):
                step()
            await asyncio.sleep(0)
        assert await profiler.aflush() is True

    asyncio.run(main())
    # More than the 3000 records at which piled up ones used to be dropped.
    assert handler.counts() == {f"{ITEM}:step": 5000}


def test_a_delivery_in_the_background_does_not_show_another_calls_node() -> None:
    seen: list[tuple[str, set[str]]] = []

    async def look(records, name):
        await asyncio.sleep(0)
        seen.append((path_of(profiler), {record["method"] for record in records}))

    profiler = make_profiler(AsyncCollectingHandler(on_handle=look))

    @profiler.profile
    def first():
        return None

    @profiler.profile
    def second():
        return None

    async def main():
        for _ in range(5):
            first()
            second()
            await asyncio.sleep(0)
        assert await profiler.aflush() is True

    asyncio.run(main())
    assert seen
    for path, methods in seen:
        assert path == "" or methods == {path}
    assert_tree_at_rest(profiler)
