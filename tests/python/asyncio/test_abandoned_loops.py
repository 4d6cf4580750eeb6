"""Event loops that are left behind: nothing keeps them alive, nothing waits in them for ever."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from phanos._asynchronous import dispatch
from phanos._phanos import monotonic_ns
from support import DEADLINE_S, AsyncCollectingHandler, make_profiler, run_in_threads, wait_until

ITEM = __name__.rpartition(".")[2]
pytestmark = pytest.mark.usefixtures("no_complaints")


def leave_loop(main: Coroutine[Any, Any, None], end: str) -> weakref.ref[Any]:
    """Run `main` in a loop of its own, which is `dropped` or `closed`; return a reference to it."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main)
    if end == "closed":
        loop.close()
    return weakref.ref(loop)


def collect(reference: Callable[[], Any]) -> None:
    """Collect garbage; what is referred to must be part of it, closed or not."""

    def is_gone() -> bool:
        # What a native thread lets go of without the interpreter's lock is freed by the next
        # call of the native module.
        monotonic_ns()
        gc.collect()
        return reference() is None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        # The thread that woke a loop from `aflush` lets go of it a moment later.
        wait_until(is_gone, "the loop is collected")


class Slow:
    """What `on_handle` of a handler can be: waits until it is let go."""

    def __init__(self) -> None:
        self.entered = 0
        self.released: asyncio.Event | None = asyncio.Event()

    async def __call__(self, records: Any, name: str) -> None:
        self.entered += 1
        if self.released is not None:
            await self.released.wait()


@pytest.mark.parametrize("call", ["sync", "async"])
@pytest.mark.parametrize("end", ["dropped", "closed"])
def test_a_loop_is_collected_after_deliveries(call: str, end: str) -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def step():
        return None

    @profiler.profile
    async def async_step():
        return None

    async def main():
        if call == "sync":
            step()
        else:
            await async_step()
        assert await profiler.aflush() is True

    reference = leave_loop(main(), end)
    collect(reference)
    assert len(handler.records) == 1
    assert profiler.flush() is True


@pytest.mark.parametrize("end", ["dropped", "closed"])
@pytest.mark.parametrize("rounds", [0, 1, 2, 3])
def test_batches_in_a_loop_that_is_left_go_to_the_next_one(end: str, rounds: int) -> None:
    slow = Slow()
    handler = AsyncCollectingHandler(on_handle=slow)
    profiler = make_profiler(handler)

    @profiler.profile
    def step():
        return None

    async def main():
        step()
        step()
        for _ in range(rounds):
            await asyncio.sleep(0)

    reference = leave_loop(main(), end)
    slow.released = None  # The event belongs to that loop.
    collect(reference)
    assert handler.records == []
    assert profiler.flush() is False
    assert asyncio.run(profiler.aflush()) is True
    assert handler.counts() == {f"{ITEM}:step": 2}


def test_a_call_cancelled_with_its_loop_leaves_its_batch() -> None:
    slow = Slow()
    handler = AsyncCollectingHandler(on_handle=slow)
    profiler = make_profiler(handler)

    @profiler.profile
    async def step():
        return None

    async def main():
        task = asyncio.create_task(step())
        while not slow.entered:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    reference = leave_loop(main(), "closed")
    slow.released = None
    collect(reference)
    assert asyncio.run(profiler.aflush()) is True
    assert handler.counts() == {f"{ITEM}:step": 1}


def test_a_handler_that_nothing_can_resume_gets_its_batch_again() -> None:
    class Forgetful:
        entered = 0

        async def __call__(self, records, name):
            self.entered += 1
            if self.entered == 1:
                await asyncio.get_running_loop().create_future()

    forgetful = Forgetful()
    handler = AsyncCollectingHandler(on_handle=forgetful)
    profiler = make_profiler(handler)

    @profiler.profile
    def step():
        return None

    async def main():
        step()
        while not forgetful.entered:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()  # Takes the handler's task, which only its future knew.
        step()
        assert await profiler.aflush() is True

    asyncio.run(main())
    assert forgetful.entered == 3
    assert handler.counts() == {f"{ITEM}:step": 2}


def test_loops_left_by_threads_lose_nothing() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def step():
        return None

    async def main():
        step()

    def body(index):
        for _ in range(25):
            leave_loop(main(), "closed")

    run_in_threads(body, 4)
    assert asyncio.run(profiler.aflush()) is True
    assert handler.counts() == {f"{ITEM}:step": 100}


def test_a_queue_that_ends_while_it_is_emptied_gives_its_batch_once() -> None:
    slow = Slow()
    handler = AsyncCollectingHandler(on_handle=slow)
    profiler = make_profiler(handler)

    @profiler.profile
    def step():
        return None

    async def main():
        step()
        while not slow.entered:
            await asyncio.sleep(0)

    leave_loop(main(), "closed")
    [queue] = profiler._make_dispatcher()._queues.values()
    assert queue.task is not None
    task = queue.task()
    assert task is not None

    class Ending(deque[Any]):
        """Ends the task of the queue, as the garbage collector may whenever an object is made."""

        def __iter__(self) -> Iterator[Any]:
            body: Any = task.get_coro()
            body.close()
            return super().__iter__()

    queue.batches = Ending(queue.batches)
    slow.released = None
    assert asyncio.run(profiler.aflush()) is True
    assert handler.counts() == {f"{ITEM}:step": 1}


def test_a_loop_does_not_wait_for_ever_for_a_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "AT_END_S", 0.05)
    slow = Slow()
    handler = AsyncCollectingHandler(on_handle=slow)
    profiler = make_profiler(handler)

    @profiler.profile
    def step():
        return None

    async def main():
        step()
        step()
        while not slow.entered:
            await asyncio.sleep(0)

    asyncio.run(main())
    assert slow.entered == 2
    assert handler.records == []
    slow.released = None
    assert asyncio.run(profiler.aflush()) is True
    assert handler.counts() == {f"{ITEM}:step": 2}


@pytest.mark.parametrize("pass_on", ["flush", "drop", "aflush"])
def test_what_a_closed_loop_leaves_goes_to_one_that_runs(pass_on: str) -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def leave() -> None:
        pass

    @profiler.profile
    async def greet() -> None:
        pass

    async def main() -> None:
        leave()

    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(greet(), running).result(DEADLINE_S)
        left = leave_loop(main(), "closed")
        assert handler.methods() == [f"{ITEM}:greet"]
        if pass_on == "flush":
            profiler.flush()
        elif pass_on == "drop":
            collect(left)
        else:
            flushed = asyncio.run_coroutine_threadsafe(profiler.aflush(), running)
            assert flushed.result(DEADLINE_S) is True
        wait_until(lambda: len(handler.batches) == 2, "the batch that was left")
        assert handler.methods() == [f"{ITEM}:greet", f"{ITEM}:leave"]
    finally:
        running.call_soon_threadsafe(running.stop)
        thread.join(DEADLINE_S)
        running.close()
