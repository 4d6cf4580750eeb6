"""Batches that threads hand over for async handlers: prompt, in order, and holding nothing."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from phanos.metrics import Counter
from support import (
    DEADLINE_S,
    JOB,
    AsyncCollectingHandler,
    async_wait_until,
    drive,
    make_profiler,
    run_in_threads,
    wait_until,
)

ITEM = __name__.rpartition(".")[2]
REQUEST: contextvars.ContextVar[Any] = contextvars.ContextVar("request", default=None)


class Request:
    """What must not be kept alive."""


def serve(profiler: Any, fails: bool) -> list[weakref.ref[Request]]:
    """Serve requests in threads; return references to them."""
    references: list[weakref.ref[Request]] = []

    @profiler.profile
    def handle(request: Request) -> None:
        held_by_frame = request
        if fails:
            raise LookupError(held_by_frame)

    def body(_: int) -> None:
        for _ in range(20):
            request = Request()
            references.append(weakref.ref(request))
            REQUEST.set(request)
            with contextlib.suppress(LookupError):
                handle(request)
        REQUEST.set(None)

    run_in_threads(body, 4)
    return references


@pytest.mark.parametrize("fails", [False, True])
def test_batches_that_wait_for_a_loop_hold_nothing_of_their_calls(fails: bool) -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)
    references = serve(profiler, fails)
    gc.collect()
    assert [reference() for reference in references] == [None] * 80
    assert profiler.flush() is False
    assert asyncio.run(profiler.aflush()) is True
    assert handler.counts() == {f"{ITEM}:handle": 80}


@pytest.mark.parametrize("fails", [False, True])
def test_batches_that_wait_in_a_loop_hold_nothing_of_their_calls(fails: bool) -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)
    references: list[weakref.ref[Request]] = []

    @profiler.profile
    def handle(request: Request) -> None:
        if fails:
            raise LookupError(request)

    async def main() -> None:
        def one() -> None:
            request = Request()
            references.append(weakref.ref(request))
            REQUEST.set(request)
            with contextlib.suppress(LookupError):
                handle(request)
            REQUEST.set(None)

        for _ in range(10):
            one()
        gc.collect()
        assert [reference() for reference in references] == [None] * 10
        assert await profiler.aflush() is True

    asyncio.run(main())
    assert len(handler.records) == 10


def test_a_call_that_was_cancelled_leaves_nothing_of_itself_with_its_batch() -> None:
    references: list[weakref.ref[Request]] = []

    async def main() -> None:
        release = asyncio.Event()
        entered = asyncio.Event()

        async def wait(records: Any, name: str) -> None:
            entered.set()
            await release.wait()

        handler = AsyncCollectingHandler(on_handle=wait)
        profiler = make_profiler(handler)

        @profiler.profile
        async def handle(request: Request | None) -> None:
            return None

        async def serve_one() -> None:
            request = Request()
            references.append(weakref.ref(request))
            REQUEST.set(request)
            await handle(request)

        first = asyncio.create_task(handle(None))
        await asyncio.wait_for(entered.wait(), DEADLINE_S)
        # Its batch waits behind the first one.
        second = asyncio.create_task(serve_one())
        await asyncio.sleep(0.01)
        second.cancel()
        done, _ = await asyncio.wait([second], timeout=DEADLINE_S)
        assert done == {second}
        assert second.cancelled()
        del second, done
        gc.collect()
        assert [reference() for reference in references] == [None]
        release.set()
        await first
        assert await profiler.aflush() is True
        assert len(handler.records) == 2

    asyncio.run(main())


Prepare = Callable[[Any], Any]


async def delivered_before(profiler: Any) -> None:
    @profiler.profile
    async def warm() -> None:
        return None

    await warm()


async def added_in_the_loop(profiler: Any) -> None:
    profiler.add_handler(profiler.handlers.pop("async-collecting"))


@pytest.mark.parametrize("prepare", [delivered_before, added_in_the_loop])
def test_a_loop_that_runs_delivers_them_at_once_and_in_order(prepare: Prepare) -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)
    sequence = Counter("sequence", JOB, "number")
    profiler.add_metric(sequence)

    @profiler.profile
    def step(number: int) -> None:
        sequence.inc(number)

    async def main() -> None:
        await prepare(profiler)
        handler.clear()

        def work() -> None:
            for number in range(200):
                step(number)

        await asyncio.wait_for(asyncio.to_thread(work), DEADLINE_S)
        # No coroutine is profiled, and nobody flushes.
        await async_wait_until(lambda: len(handler.of_metric("sequence")) == 200, "all batches")

    asyncio.run(main())
    values = [record["value"][1] for record in handler.of_metric("sequence")]
    assert values == list(range(200))
    assert profiler.flush() is True


def test_a_loop_that_is_closed_meanwhile_leaves_them_to_the_next() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def step() -> None:
        return None

    asyncio.run(delivered_before(profiler))
    step()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(delivered_before(profiler))
    handler.clear()
    step()  # That loop is open, but does not run.
    assert handler.batches == []
    loop.close()
    step()
    asyncio.run(profiler.aflush())
    assert handler.counts() == {f"{ITEM}:step": 2}


def test_several_loops_that_run_lose_nothing() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)
    stop = threading.Event()
    started = threading.Barrier(3)

    @profiler.profile
    def step() -> None:
        return None

    async def main() -> None:
        await delivered_before(profiler)
        await asyncio.to_thread(started.wait, DEADLINE_S)
        while not stop.is_set():
            await asyncio.sleep(0.001)

    def body(index: int) -> None:
        if index < 2:
            asyncio.run(main())
            return
        started.wait(DEADLINE_S)
        for _ in range(300):
            step()
        try:
            wait_until(lambda: handler.counts()[f"{ITEM}:step"] == 300, "all batches")
        finally:
            stop.set()

    run_in_threads(body, 3)
    assert profiler.flush() is True


def test_a_thread_without_asyncio_may_drive_a_coroutine_beside_a_loop() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def outer() -> int:
        return 1

    async def main() -> None:
        await outer()
        assert await asyncio.to_thread(lambda: drive(outer())) == 1
        assert handler.counts() == {f"{ITEM}:outer": 2}

    asyncio.run(main())
