"""Metrics, handlers and configuration changed beside running calls: nothing is lost."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from phanos import publisher
from phanos.metrics import Counter, Gauge
from support import (
    DEADLINE_S,
    JOB,
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
    run_in_threads,
)

ITEM = __name__.rpartition(".")[2]
OUTER, LEAF = f"{ITEM}:outer", f"{ITEM}:outer.leaf"
THREADS = 4
ROUNDS = 300


def values(handler, metric: str) -> list[float]:
    return [record["value"][1] for record in handler.of_metric(metric)]


def profiler_with_events(handler):
    profiler = make_profiler(handler)
    events = Counter("events", JOB, "events")
    profiler.add_metric(events)
    return profiler, events


class Churn:
    """Changes one profiler in every way, over and over, until told to stop."""

    def __init__(self, profiler: publisher.Profiler) -> None:
        self.profiler = profiler
        self.first_round_done = threading.Event()
        self.stop = threading.Event()
        self.rounds = 0
        self.visitors: list[CollectingHandler] = []

    def run(self, reconfigure: bool) -> None:
        profiler = self.profiler
        while not self.stop.is_set():
            self.rounds += 1
            visitor = CollectingHandler(f"visitor{self.rounds % 2}")
            self.visitors.append(visitor)
            profiler.add_handler(visitor)
            metric = Gauge(f"gauge{self.rounds % 3}", JOB, "gauge")
            profiler.add_metric(metric)
            metric.set(self.rounds)
            profiler.before_func = lambda func, args, kwargs: None
            profiler.flush()
            if reconfigure:
                profiler.config(job=f"JOB{self.rounds}", response_size_profile=True)
                profiler.error_raised_label
            profiler.before_func = None
            profiler.delete_handler(visitor.handler_name)
            profiler.delete_metric(metric.name)
            self.first_round_done.set()


@pytest.mark.usefixtures("many_switches")
@pytest.mark.parametrize("reconfigure", [False, True])
def test_changes_beside_running_calls_lose_nothing(
    reconfigure: bool, caplog: pytest.LogCaptureFixture
) -> None:
    permanent = CollectingHandler("permanent")
    profiler, events = profiler_with_events(permanent)

    @profiler.profile
    def leaf(number):
        events.inc(number)

    @profiler.profile
    def outer(number):
        leaf(2 * number)
        leaf(2 * number + 1)

    def body(index):
        for number in range(ROUNDS):
            outer(index * ROUNDS + number)

    churn = Churn(profiler)
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.ERROR):
        churning = pool.submit(churn.run, reconfigure)
        try:
            assert churn.first_round_done.wait(DEADLINE_S)
            run_in_threads(body, THREADS)
        finally:
            churn.stop.set()
        churning.result(DEADLINE_S)
    profiler.flush()
    expected = 2 * THREADS * ROUNDS
    assert sorted(values(permanent, "events")) == [float(number) for number in range(expected)]
    assert permanent.counts("events") == {LEAF: expected}
    times = permanent.counts("time_profiler")
    if reconfigure:
        # Calls that run while the time metric is replaced have no record of their time.
        assert times[LEAF] <= expected
        assert times[OUTER] <= THREADS * ROUNDS
    else:
        assert times == {LEAF: expected, OUTER: THREADS * ROUNDS}
    gauges = [value for number in range(3) for value in values(permanent, f"gauge{number}")]
    assert sorted(gauges) == [float(number) for number in range(1, churn.rounds + 1)]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert_tree_at_rest(profiler)


@pytest.mark.usefixtures("many_switches")
def test_a_handler_replaced_beside_running_calls_loses_nothing_to_its_successors() -> None:
    permanent = CollectingHandler("permanent")
    profiler, events = profiler_with_events(permanent)
    successors = [CollectingHandler("changing")]
    profiler.add_handler(successors[0])
    done = threading.Event()

    @profiler.profile
    def outer(number):
        events.inc(number)

    def replace():
        while not done.is_set():
            successors.append(CollectingHandler("changing"))
            profiler.add_handler(successors[-1])

    def body(index):
        for number in range(ROUNDS):
            outer(index * ROUNDS + number)

    with ThreadPoolExecutor(1) as pool:
        replacing = pool.submit(replace)
        try:
            run_in_threads(body, THREADS)
        finally:
            done.set()
        replacing.result(DEADLINE_S)
    profiler.flush()
    expected = [float(number) for number in range(THREADS * ROUNDS)]
    assert sorted(values(permanent, "events")) == expected
    # There is one of them at any time, so together they got every record, each once.
    shared = [value for handler in successors for value in values(handler, "events")]
    assert sorted(shared) == expected


def test_changes_between_the_steps_of_thousands_of_tasks() -> None:
    permanent = CollectingHandler("permanent")
    profiler, events = profiler_with_events(permanent)
    count = 1000

    @profiler.profile
    async def leaf(number):
        await asyncio.sleep(0)
        events.inc(number)
        await asyncio.sleep(0)

    @profiler.profile
    async def outer(number):
        await asyncio.gather(leaf(2 * number), leaf(2 * number + 1))

    async def churn():
        for number in range(50):
            profiler.add_handler(CollectingHandler("visitor"))
            profiler.add_metric(Gauge("gauge", JOB, "gauge"))
            await asyncio.sleep(0)
            profiler.config(job=f"JOB{number}", time_profile=number % 2 == 0)
            await asyncio.sleep(0)
            profiler.delete_handler("visitor")
            profiler.delete_metric("gauge")

    async def main():
        calls = [outer(number) for number in range(count)]
        await asyncio.gather(churn(), *calls)
        assert_tree_at_rest(profiler)

    asyncio.run(main())
    profiler.flush()
    assert sorted(values(permanent, "events")) == [float(number) for number in range(2 * count)]
    assert permanent.counts("events") == {LEAF: 2 * count}
    assert_tree_at_rest(profiler)
