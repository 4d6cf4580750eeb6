"""A metric that is deleted or replaced while handlers run: its last records go out as well."""

from __future__ import annotations

import asyncio
import io
import logging
import threading

import pytest
from phanos.handlers import StreamHandler
from phanos.metrics import Counter
from support import (
    DEADLINE_S,
    JOB,
    AsyncCollectingHandler,
    CollectingHandler,
    join_all,
    make_profiler,
)


def counter() -> Counter:
    return Counter("events", JOB, "events")


def leave_by_deletion(profiler) -> None:
    profiler.delete_metric("events")


def leave_with_all(profiler) -> None:
    profiler.delete_metrics()


def leave_by_replacement(profiler) -> None:
    profiler.add_metric(counter())


WAYS = pytest.mark.parametrize("leave", [leave_by_deletion, leave_with_all, leave_by_replacement])


def adding(metric, number):
    """For `on_handle`: adds to the metric while the first batch is handled."""
    added = []

    def on_handle(records, name):
        if not added:
            added.append(number)
            metric.inc(number)

    return on_handle


def values(handler) -> list[float]:
    return [record["value"][1] for record in handler.of_metric("events")]


@WAYS
def test_what_comes_in_while_handlers_run_goes_to_all_of_them(leave) -> None:
    metric = counter()
    output = io.StringIO()
    first = CollectingHandler("first", on_handle=adding(metric, 2))
    second = CollectingHandler("second")
    profiler = make_profiler(
        first, StreamHandler("text", output), second, time_profile=False, error_raised_label=False
    )
    profiler.add_metric(metric)
    metric.inc(1)
    leave(profiler)
    assert values(first) == values(second) == [1.0, 2.0]
    assert [line.rpartition("value: ")[2] for line in output.getvalue().splitlines()] == [
        "1.0 events",
        "2.0 events",
    ]
    assert list(metric.values) == []
    assert profiler.get_records_count() == 0
    assert profiler.flush() is True


@WAYS
def test_what_comes_in_from_another_thread_goes_out(leave) -> None:
    metric = counter()
    inside, leave_handler = threading.Event(), threading.Event()

    def block(records, name):
        if not inside.is_set():
            inside.set()
            assert leave_handler.wait(DEADLINE_S)

    handler = CollectingHandler(on_handle=block)
    profiler = make_profiler(handler, time_profile=False)
    profiler.add_metric(metric)
    metric.inc(1)
    thread = threading.Thread(target=leave, args=(profiler,), daemon=True)
    thread.start()
    assert inside.wait(DEADLINE_S)
    metric.inc(2)
    leave_handler.set()
    join_all([thread])
    assert values(handler) == [1.0, 2.0]
    assert profiler.flush() is True


@WAYS
def test_asynchronous_handlers_get_the_rest_in_order(leave) -> None:
    metric = counter()
    plain = CollectingHandler("plain", on_handle=adding(metric, 2))
    handler = AsyncCollectingHandler()
    profiler = make_profiler(plain, handler, time_profile=False)
    profiler.add_metric(metric)

    async def main():
        metric.inc(1)
        leave(profiler)
        assert await profiler.aflush() is True

    asyncio.run(main())
    assert values(plain) == values(handler) == [1.0, 2.0]


def test_a_handler_that_raises_keeps_the_rest_from_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metric = counter()

    def fail(records, name):
        metric.inc(2) if records[0]["value"][1] == 1.0 else None
        raise ValueError("from the handler")

    bad, good = CollectingHandler("bad", on_handle=fail), CollectingHandler("good")
    profiler = make_profiler(bad, good, time_profile=False)
    profiler.add_metric(metric)
    metric.inc(1)
    with caplog.at_level(logging.ERROR):
        profiler.delete_metric("events")
    assert values(good) == [1.0, 2.0]
    assert {str(record.exc_info[1]) for record in caplog.records} == {"from the handler"}
    assert "events" not in profiler.metrics


def test_the_rest_is_converted_by_the_metrics_own_means() -> None:
    class Own(Counter):
        def to_records(self):
            return tuple({**record, "units": "own"} for record in super().to_records())

    metric = Own("events", JOB, "events")
    handler = CollectingHandler(on_handle=adding(metric, 2))
    profiler = make_profiler(handler, time_profile=False)
    profiler.add_metric(metric)
    metric.inc(1)
    profiler.delete_metric("events")
    assert values(handler) == [1.0, 2.0]
    assert {record["units"] for record in handler.records} == {"own"}


def test_an_interrupt_in_a_handler_leaves_the_rest_of_the_batches() -> None:
    metric = counter()
    asynchronous = AsyncCollectingHandler()

    def interrupt(records, name):
        raise KeyboardInterrupt

    profiler = make_profiler(
        asynchronous, CollectingHandler("plain", on_handle=interrupt), time_profile=False
    )
    profiler.add_metric(metric)
    metric.inc(1)
    with pytest.raises(KeyboardInterrupt):
        profiler.flush()
    profiler.delete_handler("plain")
    assert asyncio.run(profiler.aflush()) is True
    assert values(asynchronous) == [1.0]


def test_a_replaced_metric_hands_nothing_over_any_more() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    old, new = counter(), counter()
    profiler.add_metric(old)
    profiler.add_metric(new)
    old.inc(1)
    new.inc(2)
    assert profiler.flush() is True
    assert values(handler) == [2.0]
    assert [value for _, value in old.values] == [1.0]
