"""`handlers` and `metrics` of a profiler are dicts that may be changed directly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from phanos import metrics, publisher
from support import CollectingHandler, make_profiler


def work_of(profiler: publisher.Profiler, *counted: metrics.Counter) -> Callable[[], None]:
    @profiler.profile
    def work() -> None:
        for metric in counted:
            metric.inc(1)

    return work


def counter(name: str) -> metrics.Counter:
    return metrics.Counter(name, "JOB", "units")


def test_both_are_dicts() -> None:
    profiler = make_profiler(CollectingHandler("h"))
    assert isinstance(profiler.handlers, dict)
    assert isinstance(profiler.metrics, dict)
    assert profiler.handlers.get("absent") is None
    assert [name for name, _ in profiler.metrics.items()] == ["time_profiler"]


def test_a_handler_set_by_name_gets_records() -> None:
    first, second = CollectingHandler("first"), CollectingHandler("second")
    profiler = make_profiler(first)
    work = work_of(profiler)
    work()
    profiler.handlers["second"] = second
    work()
    assert (len(first.records), len(second.records)) == (2, 1)


@pytest.mark.parametrize(
    "remove",
    [
        lambda handlers: handlers.pop("first"),
        lambda handlers: handlers.__delitem__("first"),
        lambda handlers: handlers.clear(),
        lambda handlers: handlers.popitem(),
    ],
)
def test_a_removed_handler_gets_nothing(remove: Callable[[Any], Any]) -> None:
    handler = CollectingHandler("first")
    profiler = make_profiler(handler)
    work = work_of(profiler)
    remove(profiler.handlers)
    work()
    assert handler.records == []
    assert not profiler.needs_profiling()


def test_a_whole_dict_of_handlers_can_be_assigned() -> None:
    first, second = CollectingHandler("first"), CollectingHandler("second")
    profiler = make_profiler(first)
    work = work_of(profiler)
    profiler.handlers = {"second": second}
    work()
    assert (len(first.records), len(second.records)) == (0, 1)


@pytest.mark.parametrize("time_profile", [True, False])
def test_a_metric_set_by_name_is_handed_over(time_profile: bool) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=time_profile)
    added, set_by_name = counter("added"), counter("set_by_name")
    profiler.add_metric(added)
    profiler.metrics["set_by_name"] = set_by_name
    work = work_of(profiler, set_by_name)
    work()
    assert [record["value"] for record in handler.of_metric("set_by_name")] == [("inc", 1.0)]
    assert set_by_name.values == []


def test_a_removed_metric_is_not_handed_over() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    removed = counter("removed")
    profiler.add_metric(removed)
    work = work_of(profiler, removed)
    del profiler.metrics["removed"]
    work()
    assert [name for name, _ in handler.batches] == ["time_profiler"]


def test_metrics_are_handed_over_in_the_order_of_the_dict() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    first, second = counter("first"), counter("second")
    profiler.add_metric(first)
    profiler.add_metric(second)
    profiler.metrics = {"second": second, "first": first}
    work_of(profiler, first, second)()
    assert [name for name, _ in handler.batches] == ["second", "first"]


def test_time_is_not_measured_without_its_metric() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    profiler.time_profile = None
    work_of(profiler)()
    assert [name for name, _ in handler.batches] == ["response_size"]
