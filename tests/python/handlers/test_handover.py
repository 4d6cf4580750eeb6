"""Handing over: metrics are emptied first, in their order, then the handlers get the batches."""

from __future__ import annotations

import asyncio
import logging

import pytest
from phanos.metrics import Counter
from support import (
    JOB,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
)

ITEM = __name__.rpartition(".")[2]


class NotingCounter(Counter):
    """Counter that notes when it is asked for its records and when it is emptied."""

    def __init__(self, name: str, steps: list[str]) -> None:
        super().__init__(name, JOB, "units")
        self.steps = steps

    def to_records(self):
        self.steps.append(f"{self.name}.to_records")
        return super().to_records()

    def cleanup(self):
        self.steps.append(f"{self.name}.cleanup")
        super().cleanup()


EXPECTED = [
    "zebra.to_records",
    "zebra.cleanup",
    "apple.to_records",
    "apple.cleanup",
    "first got zebra",
    "second got zebra",
    "first got apple",
    "second got apple",
]


@pytest.mark.parametrize("kind", ["sync", "async call", "async handlers"])
def test_metrics_are_emptied_before_any_handler_runs(kind: str) -> None:
    steps: list[str] = []

    def note(who):
        return lambda records, name: steps.append(f"{who} got {name}")

    def note_async(who):
        async def noting(records, name):
            await asyncio.sleep(0)
            steps.append(f"{who} got {name}")

        return noting

    if kind == "async handlers":
        handlers = [AsyncCollectingHandler(name, note_async(name)) for name in ("first", "second")]
    else:
        handlers = [CollectingHandler(name, note(name)) for name in ("first", "second")]
    profiler = make_profiler(*handlers, time_profile=False)
    # In the order they were added, which is not that of their names.
    zebra, apple = NotingCounter("zebra", steps), NotingCounter("apple", steps)
    profiler.add_metric(zebra)
    profiler.add_metric(apple)

    @profiler.profile
    def outer():
        apple.inc(1)
        zebra.inc(2)

    @profiler.profile
    async def async_outer():
        apple.inc(1)
        zebra.inc(2)

    if kind == "sync":
        outer()
    else:
        asyncio.run(async_outer())
    if kind == "async handlers":
        # Which of two async handlers ends first is their own affair.
        assert steps[:4] == EXPECTED[:4]
        assert sorted(steps) == sorted(EXPECTED)
        for handler in handlers:
            assert [name for name, _ in handler.batches] == ["zebra", "apple"]
    else:
        assert steps == EXPECTED


def test_a_metric_without_records_is_not_handed_over() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    profiler.add_metric(Counter("silent", JOB, "units"))

    @profiler.profile
    def outer():
        return None

    outer()
    assert [name for name, _ in handler.batches] == ["time_profiler"]


def test_what_is_recorded_while_handlers_run_is_in_a_later_batch() -> None:
    handler = CollectingHandler(on_handle=lambda records, name: counter.inc(len(handler.batches)))
    profiler = make_profiler(handler, time_profile=False)
    counter = Counter("events", JOB, "events")
    profiler.add_metric(counter)

    @profiler.profile
    def outer():
        counter.inc(100)

    outer()
    assert [[record["value"][1] for record in batch] for _, batch in handler.batches] == [[100.0]]
    outer()
    assert [[record["value"][1] for record in batch] for _, batch in handler.batches] == [
        [100.0],
        [0.0, 100.0],
    ]


@pytest.mark.parametrize("method", ["to_records", "cleanup"])
def test_a_metric_of_ones_own_that_raises_harms_nobody(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    class BrokenCounter(Counter):
        pass

    def fail(self):
        raise ValueError("from the metric")

    setattr(BrokenCounter, method, fail)
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    broken = BrokenCounter("broken", JOB, "units")
    profiler.add_metric(broken)

    @profiler.profile
    def outer():
        broken.inc(1)
        return "result"

    with caplog.at_level(logging.ERROR):
        assert outer() == "result"
    assert handler.methods("time_profiler") == [f"{ITEM}:outer"]
    logged = [record for record in caplog.records if record.exc_info]
    assert [str(record.exc_info[1]) for record in logged][:1] == ["from the metric"]
    assert_tree_at_rest(profiler)
