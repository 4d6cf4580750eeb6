"""Metrics subclassed by users: overridden methods and decorated operations of their own."""

from __future__ import annotations

import contextlib
import datetime
from typing import Any

import pytest
from captured_logs import errors, fresh_name, warnings
from phanos import metrics, publisher, tree
from support import CollectingHandler, make_profiler

JOB = "JOB"


def profiler_with(
    metric: metrics.MetricWrapper, **settings: Any
) -> tuple[publisher.Profiler, CollectingHandler]:
    handler = CollectingHandler()
    settings.setdefault("time_profile", False)
    profiler = make_profiler(handler, **settings)
    profiler.add_metric(metric)
    return profiler, handler


class Doubling(metrics.Counter):
    """Overrides an operation and calls the inherited one with every calling form."""

    def inc(
        self, value: Any, current_node: Any = None, label_values: dict[str, Any] | None = None
    ) -> None:
        super().inc(value * 2, current_node, label_values)


class Both(metrics.Gauge):
    def both(self, value: float, label_values: dict[str, Any] | None = None) -> None:
        self.inc(value, label_values)
        self.dec(value, label_values=label_values)


class Summing(metrics.Gauge):
    """Keeps state of its own beside the records."""

    def __init__(self, name: str, job: str, units: str) -> None:
        super().__init__(name, job, units)
        self.total = 0.0
        self.cleanups = 0

    def add(self, value: float) -> None:
        self.total += value
        self.set(self.total)

    def cleanup(self) -> None:
        super().cleanup()
        self.total = 0.0
        self.cleanups += 1


def test_overridden_operation_can_call_the_inherited_one() -> None:
    metric = Doubling("doubling", JOB, "units")
    profiler, handler = profiler_with(metric)

    @profiler.profile
    def work() -> None:
        metric.inc(2)
        metric.inc(1.5, profiler.tree.root, {})

    work()
    recorded = [(record["method"], record["value"]) for record in handler.records]
    assert recorded == [(f"{__name__}:work", ("inc", 4.0)), ("", ("inc", 3.0))]


def test_one_method_may_call_several_operations() -> None:
    metric = Both("both", JOB, "units", {"place"})
    metric.both(2.0, {"place": "here"})
    assert metric.values == [("inc", 2.0), ("dec", 2.0)]
    assert metric.label_values == [{"place": "here"}] * 2


def test_overridden_cleanup_is_called_at_every_hand_over() -> None:
    metric = Summing("summing", JOB, "units")
    profiler, handler = profiler_with(metric)

    @profiler.profile
    def work() -> None:
        metric.add(1)
        metric.add(2)

    work()
    work()
    assert [record["value"] for record in handler.records] == [("set", 1.0), ("set", 3.0)] * 2
    assert (metric.total, metric.cleanups) == (0.0, 2)


def test_records_are_made_then_cleaned_up_then_handed_over() -> None:
    events: list[str] = []

    class Telling(metrics.Counter):
        def to_records(self) -> Any:
            events.append("to_records")
            return super().to_records()

        def cleanup(self) -> None:
            events.append("cleanup")
            super().cleanup()

    metric = Telling("telling", JOB, "units")
    profiler, handler = profiler_with(metric)
    handler.on_handle = lambda records, name: events.append(f"handle {len(metric.values)}")

    @profiler.profile
    def work() -> None:
        metric.inc(1)

    work()
    assert events == ["to_records", "cleanup", "handle 0"]


def test_overridden_to_records_decides_what_is_handed_over() -> None:
    class Selecting(metrics.Counter):
        def to_records(self) -> Any:
            records = super().to_records()
            return [record for record in records if record["value"][1] > 1]

    metric = Selecting("selecting", JOB, "units")
    profiler, handler = profiler_with(metric)

    @profiler.profile
    def work(*values: int) -> None:
        for value in values:
            metric.inc(value)

    work(1, 2, 3)
    assert [record["value"] for record in handler.records] == [("inc", 2.0), ("inc", 3.0)]
    handler.clear()
    work(1)
    assert handler.batches == []
    assert metric.values == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_methods_assigned_to_an_instance_are_called(when: str) -> None:
    metric = metrics.Counter("assigned", JOB, "units")
    calls: list[str] = []

    def assign() -> None:
        own_to_records, own_cleanup = metric.to_records, metric.cleanup

        def to_records() -> Any:
            calls.append("to_records")
            return own_to_records()

        def cleanup() -> None:
            calls.append("cleanup")
            own_cleanup()

        metric.to_records = to_records  # type: ignore[method-assign]
        metric.cleanup = cleanup  # type: ignore[method-assign]

    if when == "before":
        assign()
    profiler, handler = profiler_with(metric)
    if when == "after":
        assign()

    @profiler.profile
    def work() -> None:
        metric.inc(1)

    work()
    assert calls == ["to_records", "cleanup"]
    assert [record["value"] for record in handler.records] == [("inc", 1.0)]
    assert metric.values == []


class StopTelling(metrics.TimeProfiler):
    stops: list[tuple[Any, Any, Any]]

    def stop(self, start: Any, current_node: Any = None, label_values: Any = None) -> None:
        self.__dict__.setdefault("stops", []).append((start, str(current_node.ctx), label_values))
        super().stop(start, current_node, label_values)


class RecTelling(metrics.ResponseSize):
    recs: list[tuple[Any, Any]]

    def rec(self, value: Any, current_node: Any = None, label_values: Any = None) -> None:
        self.__dict__.setdefault("recs", []).append((value, str(current_node.ctx)))
        super().rec(value, current_node, label_values)


class OwnMetricsProfiler(publisher.Profiler):
    """Makes its built-in metrics from subclasses."""

    def create_time_profiler(self) -> None:
        self.time_profile = StopTelling(publisher.TIME_PROFILER, self.job)
        self.add_metric(self.time_profile)

    def create_response_size_profiler(self) -> None:
        self.resp_size_profile = RecTelling(publisher.RESPONSE_SIZE, self.job)
        self.add_metric(self.resp_size_profile)


def test_overridden_stop_and_rec_are_called_for_every_call_and_root() -> None:
    profiler = OwnMetricsProfiler()
    profiler.config(job=JOB, response_size_profile=True)
    handler = CollectingHandler()
    profiler.add_handler(handler)
    time_profile, resp_size_profile = profiler.time_profile, profiler.resp_size_profile
    assert isinstance(time_profile, StopTelling)
    assert isinstance(resp_size_profile, RecTelling)

    @profiler.profile
    def leaf() -> None:
        pass

    @profiler.profile
    def root() -> str:
        leaf()
        return "result"

    root()
    path = f"{__name__}:root"
    assert [stop[1] for stop in time_profile.stops] == [f"{path}.leaf", path]
    assert all(isinstance(stop[0], datetime.datetime) for stop in time_profile.stops)
    assert resp_size_profile.recs == [("result", path)]
    assert handler.methods(publisher.TIME_PROFILER) == [f"{path}.leaf", path]
    assert handler.methods(publisher.RESPONSE_SIZE) == [path]


def test_stop_calls_an_overridden_observe() -> None:
    class Rounding(metrics.TimeProfiler):
        def observe(self, value: Any, current_node: Any = None, label_values: Any = None) -> None:
            super().observe(1000.0, current_node, label_values)

    handler = CollectingHandler()
    profiler = make_profiler(handler)
    metric = Rounding(publisher.TIME_PROFILER, JOB)
    profiler.time_profile = metric
    profiler.add_metric(metric)

    @profiler.profile
    def work() -> None:
        pass

    work()
    assert [record["value"] for record in handler.records] == [("observe", 1000.0)]


class Decorated(metrics.Histogram):
    """Operations of its own, each made with the library's decorator."""

    received: list[tuple[Any, ...]]

    @metrics.StoreOperationDecorator
    def twice(self, value: Any, current_node: Any, label_values: Any = None) -> None:
        self.__dict__.setdefault("received", []).append((value, current_node, label_values))
        self.values.append(("twice", value * 2))

    @metrics.StoreOperationDecorator
    def positive(self, value: Any, current_node: Any, label_values: Any = None) -> None:
        if value <= 0:
            raise metrics.InvalidValueError("greater than zero")
        self.values.append(("positive", value))

    @metrics.StoreOperationDecorator
    def silent(self, value: Any, current_node: Any, label_values: Any = None) -> None:
        return None

    @metrics.StoreOperationDecorator
    def failing(self, value: Any, current_node: Any, label_values: Any = None) -> None:
        raise ZeroDivisionError("in the operation")


def decorated() -> Decorated:
    return Decorated(fresh_name("decorated"), JOB, "units", {"place"})


@pytest.mark.parametrize(
    "call",
    [
        lambda operation, node: operation(2, node, {"place": "here"}),
        lambda operation, node: operation(2, current_node=node, label_values={"place": "here"}),
        lambda operation, node: operation(2, label_values={"place": "here"}),
        lambda operation, node: operation(2, {"place": "here"}),
    ],
)
def test_own_operation_gets_value_node_and_labels(call: Any) -> None:
    metric = decorated()
    profiler, handler = profiler_with(metric)

    @profiler.profile
    def work() -> None:
        call(metric.twice, profiler.curr_node.get())

    work()
    [(value, node, labels)] = metric.received
    assert value == 2
    assert isinstance(node, tree.MethodTreeNode)
    assert str(node.ctx) == f"{__name__}:work"
    assert labels["place"] == "here"
    [record] = handler.records
    assert record["value"] == ("twice", 4)
    assert record["method"] == f"{__name__}:work"
    assert record["labels"] == {"place": "here", "error_raised": False}


def test_own_operation_checks_labels_before_it_runs(caplog: pytest.LogCaptureFixture) -> None:
    metric = decorated()
    metric.twice(2, {"other": 1})
    assert "received" not in metric.__dict__
    assert metric.values == []
    assert len(errors(caplog)) == 1


def test_a_value_refused_by_its_own_operation_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    metric = decorated()
    assert metric.positive(-1, {"place": 1}) is None
    assert (metric.values, metric.label_values, metric.method) == ([], [], [])
    [line] = errors(caplog)
    assert metric.name in line
    assert "greater than zero" in line
    metric.positive(1, {"place": 1})
    assert metric.values == [("positive", 1)]
    assert metric.to_records() is not None


def test_an_operation_that_stores_nothing_warns(caplog: pytest.LogCaptureFixture) -> None:
    metric = decorated()
    assert metric.silent(1, {"place": 1}) is None
    assert (metric.values, metric.label_values, metric.method) == ([], [], [])
    [line] = warnings(caplog)
    assert metric.name in line


def test_an_operation_that_fails_leaves_the_metric_usable() -> None:
    metric = decorated()
    with contextlib.suppress(ZeroDivisionError):
        metric.failing(1, {"place": 1})
    metric.twice(1, {"place": 1})
    records = metric.to_records()
    assert [record["value"] for record in records] == [("twice", 2)]


def test_a_metric_class_may_take_keywords() -> None:
    class Taking(metrics.Counter):
        taken = ""

        def __init_subclass__(cls, taken: str = "", **options: Any) -> None:
            super().__init_subclass__(**options)
            cls.taken = taken

    class Own(Taking, taken="given"):
        pass

    assert Own.taken == "given"
