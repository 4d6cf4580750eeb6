"""Operations stored by name, the first generation's way, with a subclass's own among them."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest
from captured_logs import errors, fresh_name
from phanos import metrics
from support import CollectingHandler, make_profiler, run_in_threads

JOB = "JOB"


class FirstGeneration(metrics.Histogram):
    """Follows the older page: names its operations in `operations`."""

    def __init__(self, name: str, job: str, units: str, labels: set[str] | None = None) -> None:
        super().__init__(name, job, units, labels)
        self.default_operation = "halve"
        self.operations = {"halve": self.halve, "observe": self.observe}

    def halve(self, value: float, *_: Any, **__: Any) -> None:
        self.values.append(("halve", value / 2))


def test_own_operations_are_stored_by_name() -> None:
    metric = FirstGeneration(fresh_name("first"), JOB, "units", {"place"})
    metric.store_operation(
        operation="halve", method="A:b.c", value=3, label_values={"place": "here"}
    )
    metric.store_operation(
        operation="observe", method="A:d", value=3, label_values={"place": "there"}
    )
    assert metric.values == [("halve", 1.5), ("observe", 3.0)]
    assert metric.method == ["A:b.c", "A:d"]
    assert metric.label_values == [{"place": "here"}, {"place": "there"}]
    assert [record["item"] for record in metric.to_records()] == ["A", "A"]


def test_without_a_name_the_default_operation_is_stored() -> None:
    metric = FirstGeneration(fresh_name("first"), JOB, "units")
    metric.store_operation(method="A:b", value=5)
    assert metric.values == [("halve", 2.5)]
    assert metric.label_values == [{}]


def test_store_operation_fills_in_error_raised_and_spares_the_callers_dict() -> None:
    metric = FirstGeneration(fresh_name("first"), JOB, "units", {"place"})
    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    profiler.add_metric(metric)
    given = {"place": "here"}

    @profiler.profile
    def work() -> None:
        path = str(profiler.curr_node.get().ctx)
        metric.store_operation(operation="halve", method=path, value=4, label_values=given)

    work()
    [record] = handler.records
    assert record["method"] == f"{__name__}:work"
    assert record["value"] == ("halve", 2.0)
    assert record["labels"] == {"place": "here", "error_raised": False}
    assert given == {"place": "here"}


@pytest.mark.parametrize(
    ("metric", "operation", "value"),
    [
        (metrics.Histogram("plain", JOB, "units"), "observe", ("observe", 2.0)),
        (metrics.Summary("plain", JOB, "units"), "observe", ("observe", 2.0)),
        (metrics.Counter("plain", JOB, "units"), "inc", ("inc", 2.0)),
        (metrics.Gauge("plain", JOB, "units"), "dec", ("dec", 2.0)),
    ],
)
def test_store_operation_knows_the_inherited_operations(
    metric: metrics.MetricWrapper, operation: str, value: tuple[str, float]
) -> None:
    metric.store_operation(operation=operation, method="A:b", value=2, label_values={})
    assert metric.values == [value]
    assert metric.method == ["A:b"]


def test_store_operation_with_wrong_labels_stores_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metric = FirstGeneration(fresh_name("first"), JOB, "units", {"place"})
    metric.store_operation(operation="halve", method="A:b", value=4, label_values={"other": 1})
    assert (metric.values, metric.label_values, metric.method) == ([], [], [])
    assert len(errors(caplog)) == 1


def test_store_operation_with_an_unknown_name_stores_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metric = FirstGeneration(fresh_name("first"), JOB, "units")
    metric.store_operation(operation="unknown_name", method="A:b", value=4)
    assert (metric.values, metric.label_values, metric.method) == ([], [], [])
    [line] = errors(caplog)
    assert "unknown_name" in line


def test_an_operation_of_ones_own_called_from_many_threads() -> None:
    class Own(metrics.Counter):
        @metrics.StoreOperationDecorator
        def put(self, value: Any, current_node: Any, label_values: Any) -> None:
            self.values.append(("inc", float(value)))

    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    metric = Own(fresh_name("own"), "JOB", "units", {"thread"})
    profiler.add_metric(metric)
    threads, calls = 6, 300

    @profiler.profile
    def root(number: int) -> None:
        metric.put(number, None, {"thread": number})
        metric.inc(number, {"thread": number})

    def work(number: int) -> None:
        for _ in range(calls):
            root(number)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        run_in_threads(work, threads)
    finally:
        sys.setswitchinterval(interval)
    assert profiler.flush()
    records = handler.of_metric(metric.name)
    assert len(records) == 2 * threads * calls
    assert all(record["value"][1] == record["labels"]["thread"] for record in records)


class Waiting(metrics.Histogram):
    """Its own operation lets another thread have its turn before it records."""

    def __init__(self, name: str, meeting: threading.Barrier) -> None:
        super().__init__(name, JOB, "units", {"place"})
        self.meeting = meeting
        self.operations = {"late": self.late}

    def late(self, value: float, *_: Any, **__: Any) -> None:
        self.meeting.wait(10)
        self.observe(value)
        self.meeting.wait(10)


def test_what_one_thread_stores_takes_nothing_from_another() -> None:
    metric = Waiting(fresh_name("waiting"), threading.Barrier(2))

    def store(index: int) -> None:
        place = ("here", "there")[index]
        metric.store_operation(
            operation="late", method=f"A:{place}", value=1, label_values={"place": place}
        )

    run_in_threads(store, 2)
    rows = [(record["method"], record["labels"]) for record in metric.to_records()]
    assert sorted(rows, key=str) == [
        ("A:here", {"place": "here"}),
        ("A:there", {"place": "there"}),
    ]
