"""Batches that wait for asynchronous handlers: so many and no more; drops are counted."""

from __future__ import annotations

import asyncio
import logging

import pytest
from phanos._asynchronous import dispatch
from phanos.metrics import Counter
from support import (
    DEADLINE_S,
    JOB,
    AsyncCollectingHandler,
    async_wait_until,
    make_profiler,
    run_python,
)

LIMIT = 5


@pytest.fixture(autouse=True)
def few_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "QUEUE_MAX_BATCHES", LIMIT)


def numbered(handler):
    """A profiler, and profiled calls that count `number`: each makes one batch."""
    profiler = make_profiler(handler, time_profile=False)
    counter = Counter("calls", JOB, "calls")
    profiler.add_metric(counter)

    @profiler.profile
    def step(number):
        counter.inc(number)

    @profiler.profile
    async def async_step(number):
        counter.inc(number)

    return profiler, step, async_step


def values(handler) -> list[float]:
    return [record["value"][1] for record in handler.records]


def drops(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.ERROR and "dropped" in record.getMessage()
    ]


@pytest.mark.parametrize("count", [LIMIT, LIMIT + 1, 3 * LIMIT])
def test_without_a_loop_the_newest_wait(count: int, caplog: pytest.LogCaptureFixture) -> None:
    handler = AsyncCollectingHandler()
    profiler, step, _ = numbered(handler)
    for number in range(count):
        step(number)
    assert profiler.flush() is False
    assert len(drops(caplog)) == (1 if count > LIMIT else 0)
    assert asyncio.run(profiler.aflush()) is True
    assert values(handler) == list(range(count))[-LIMIT:]


@pytest.mark.parametrize("count", [LIMIT, LIMIT + 1, 3 * LIMIT])
def test_in_a_loop_that_is_kept_busy_the_newest_wait(
    count: int, caplog: pytest.LogCaptureFixture
) -> None:
    handler = AsyncCollectingHandler()
    profiler, step, _ = numbered(handler)

    async def main():
        for number in range(count):
            step(number)
        assert await profiler.aflush() is True

    asyncio.run(main())
    assert values(handler) == list(range(count))[-LIMIT:]
    assert len(drops(caplog)) == (1 if count > LIMIT else 0)


def test_nothing_is_dropped_as_long_as_the_handler_keeps_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler = AsyncCollectingHandler()
    profiler, step, _ = numbered(handler)

    async def main():
        for number in range(4 * LIMIT):
            step(number)
            await async_wait_until(lambda: len(handler.records) == number + 1, "the batch")

    asyncio.run(main())
    assert values(handler) == list(range(4 * LIMIT))
    assert drops(caplog) == []
    assert profiler.flush() is True


def test_a_call_whose_batch_is_dropped_does_not_wait_for_it() -> None:
    async def main():
        entered, release = asyncio.Event(), asyncio.Event()

        async def block(records, name):
            entered.set()
            await release.wait()

        handler = AsyncCollectingHandler(on_handle=block)
        profiler, _, async_step = numbered(handler)
        first = asyncio.create_task(async_step(0))
        await asyncio.wait_for(entered.wait(), DEADLINE_S)
        # All but the first, which the handler has, and the newest are dropped.
        others = [asyncio.create_task(async_step(number)) for number in range(1, LIMIT + 4)]
        done, _ = await asyncio.wait(
            others, timeout=DEADLINE_S, return_when=asyncio.FIRST_COMPLETED
        )
        await async_wait_until(lambda: sum(task.done() for task in others) == 3, "the dropped")
        assert done <= set(others[:3])
        assert [task.done() for task in others] == [True] * 3 + [False] * LIMIT
        release.set()
        await asyncio.wait_for(asyncio.gather(first, *others), DEADLINE_S)
        assert values(handler) == [0, *range(4, LIMIT + 4)]
        assert profiler.flush() is True

    asyncio.run(main())


def test_the_dropped_are_counted_whatever_is_logged_meanwhile() -> None:
    done = run_python(
        """
        import logging, sys
        logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s")
        from phanos._asynchronous import dispatch
        dispatch.QUEUE_MAX_BATCHES = 5
        from support import AsyncCollectingHandler, make_profiler

        profiler = make_profiler(AsyncCollectingHandler())

        @profiler.profile
        def step():
            return None

        for _ in range(17):
            step()
        """
    )
    assert done.returncode == 0, done.stderr
    counts = [
        next(int(word) for word in line.split() if word.isdigit())
        for line in done.stderr.splitlines()
    ]
    # One at once, the rest and what still waits at exit.
    assert counts == [1, 11, 5]
    assert [("dropped" in line) for line in done.stderr.splitlines()] == [True, True, False]
