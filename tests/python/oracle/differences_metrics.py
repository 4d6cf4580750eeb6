"""Differences in metrics and their operations."""

from __future__ import annotations

import threading
from decimal import Decimal
from fractions import Fraction
from typing import Any

from differences import configured, difference, logged, outcome
from phanos import metrics


@difference("M01", upstream=[1.5], ours=[1.5, 2.0, -3.0, 0.5, 0.25])
def integers_are_numbers() -> Any:
    gauge = metrics.Gauge("gauge", "JOB", "V")
    profiler, recorder = configured(gauge)

    @profiler.profile
    def measure() -> None:
        for value in (1.5, 2, -3, True, Fraction(1, 2), Decimal("0.25")):
            gauge.set(value, profiler.curr_node.get())

    measure()
    return recorder.values("gauge")


@difference(
    "M02",
    upstream={"value": "TypeError", "value and labels": "returned", "stored": []},
    ours={
        "value": "returned",
        "value and labels": "returned",
        "stored": [["measure", 1.5, {"error_raised": False}], ["measure", 2.5, {"k": "v"}]],
    },
)
def operations_find_the_node() -> Any:
    plain = metrics.Gauge("plain", "JOB", "V")
    labelled = metrics.Gauge("labelled", "JOB", "V", {"k"})
    profiler, recorder = configured(plain, labelled)
    found: dict[str, Any] = {}

    @profiler.profile
    def measure() -> None:
        found["value"] = outcome(lambda: plain.set(1.5))
        found["value and labels"] = outcome(lambda: labelled.set(2.5, {"k": "v"}))

    measure()
    found["stored"] = []
    for name in ("plain", "labelled"):
        for record in recorder.records(name):
            labels = dict(record["labels"])
            if name == "labelled":
                labels.pop("error_raised")
            path = record["method"].partition(":")[2]
            found["stored"].append([path, record["value"][1], labels])
    return found


@difference(
    "M03",
    upstream={"store_operation": "AttributeError", "stored": []},
    ours={"store_operation": "returned", "stored": [["somewhere:else", ["observe", 1.5]]]},
)
def store_operation_of_the_first_generation() -> Any:
    histogram = metrics.Histogram("histogram", "JOB", "V", {"k"})
    profiler, recorder = configured(histogram)
    found: dict[str, Any] = {}

    @profiler.profile
    def measure() -> None:
        found["store_operation"] = outcome(
            lambda: histogram.store_operation(
                operation="observe",
                method="somewhere:else",
                value=1.5,
                label_values={"k": "v"},
            )
        )

    measure()
    records = recorder.records("histogram")
    found["stored"] = [[record["method"], list(record["value"])] for record in records]
    return found


@difference("M04", upstream={"k": "v", "error_raised": False}, ours={"k": "v"})
def labels_of_the_caller_stay_as_they_are() -> Any:
    gauge = metrics.Gauge("gauge", "JOB", "V", {"k"})
    profiler, _ = configured(gauge)
    labels = {"k": "v"}

    @profiler.profile
    def measure() -> None:
        gauge.set(1.5, profiler.curr_node.get(), labels)

    measure()
    return labels


@difference(
    "M05",
    upstream={"label": "changed", "info": {"state": "changed"}},
    ours={"label": "at the call", "info": {"state": "at the call"}},
)
def labels_and_info_are_copied_at_the_call() -> Any:
    gauge = metrics.Gauge("gauge", "JOB", "V", {"k"})
    info = metrics.Info("info", "JOB")
    profiler, recorder = configured(gauge, info)
    labels = {"k": "at the call"}
    facts = {"state": "at the call"}

    @profiler.profile
    def measure() -> None:
        gauge.set(1.5, profiler.curr_node.get(), labels)
        info.info_(facts, profiler.curr_node.get())
        labels["k"] = facts["state"] = "changed"

    measure()
    [record] = recorder.records("gauge")
    return {"label": record["labels"]["k"], "info": recorder.values("info")[0]}


@difference(
    "M06",
    upstream={"unhashable": "TypeError", "stored": []},
    ours={"unhashable": "returned", "stored": ["a"]},
)
def unhashable_state() -> Any:
    enum = metrics.Enum("enum", "JOB", {"a", "b"})
    profiler, recorder = configured(enum)
    found: dict[str, Any] = {}

    @profiler.profile
    def measure() -> None:
        enum.state("a", profiler.curr_node.get())
        found["unhashable"] = outcome(lambda: enum.state(["a"], profiler.curr_node.get()))

    measure()
    found["stored"] = recorder.values("enum")
    return found


@difference("M07", upstream=["TypeError", "TypeError"], ours=["returned", "returned"])
def stop_without_a_datetime() -> Any:
    timer = metrics.TimeProfiler("timer", "JOB")
    profiler, recorder = configured(timer)

    def stop(start: Any) -> None:
        timer.stop(start, profiler.curr_node.get(), {})

    @profiler.profile
    def measure() -> list[str]:
        return [outcome(lambda: stop("noon")), outcome(lambda: stop(None))]

    found = measure()
    assert recorder.records("timer") == []
    return found


@difference("M08", upstream=["TypeError", "TypeError"], ours=["returned", "returned"])
def labels_that_are_no_dict() -> Any:
    gauge = metrics.Gauge("gauge", "JOB", "V", {"k"})
    profiler, _ = configured(gauge)

    def measure_with(labels: Any) -> None:
        gauge.set(1.5, profiler.curr_node.get(), labels)

    @profiler.profile
    def measure() -> list[str]:
        return [outcome(lambda: measure_with("k")), outcome(lambda: measure_with(["k"]))]

    return measure()


@difference("M09", upstream=20, ours=1)
def rejected_values_are_logged_once_a_minute() -> Any:
    gauge = metrics.Gauge("refusing", "JOB", "V")
    profiler, _ = configured(gauge)

    @profiler.profile
    def measure() -> None:
        for _ in range(20):
            gauge.set("text", profiler.curr_node.get())

    with logged("phanos.metrics") as lines:
        measure()
    return len(lines)


@difference(
    "M10",
    upstream={"caller": "IndexError", "stored": []},
    ours={"caller": "returned", "stored": ["outer"]},
)
def another_root_ends_in_the_middle_of_an_operation() -> Any:
    enum = metrics.Enum("enum", "JOB", {"a"})
    profiler, recorder = configured(enum)

    @profiler.profile
    def other_root() -> None:
        pass

    class Interrupting(str):
        """Another thread's root call ends while the value is looked up among the states."""

        def __hash__(self) -> int:
            thread = threading.Thread(target=other_root)
            thread.start()
            thread.join(10)
            return str.__hash__(self)

    @profiler.profile
    def outer() -> None:
        enum.state(Interrupting("a"), profiler.curr_node.get())

    return {"caller": outcome(outer), "stored": recorder.methods("enum")}


class ShyGauge(metrics.Gauge):
    """Has an operation of its own that fails by an exception which is not InvalidValueError."""

    @metrics.StoreOperationDecorator
    def whisper(self, value: float, *_: Any) -> None:
        if value < 0:
            raise ArithmeticError("too quiet")
        self.values.append(("whisper", value))


@difference("M11", upstream=[], ours=[1.0])
def own_operation_that_fails_loses_no_other_record() -> Any:
    gauge = ShyGauge("gauge", "JOB", "V")
    profiler, recorder = configured(gauge)

    @profiler.profile
    def measure() -> None:
        gauge.whisper(1.0, profiler.curr_node.get())
        outcome(lambda: gauge.whisper(-1.0, profiler.curr_node.get()))

    measure()
    return recorder.values("gauge")


@difference("M12", upstream=[], ours=[2.0])
def custom_metric_as_documented() -> Any:
    class CustomMetric(metrics.Counter):
        def __init__(self, name: str, job: str, units: str, labels: set[str]) -> None:
            super().__init__(name, job, units, labels)
            self.count = 0

        def custom_op(self, value: int = 0, label_values: Any = None) -> None:
            self.count += value
            self.inc(self.count, label_values)

        def cleanup(self) -> None:
            super().cleanup()
            self.count = 0

    metric = CustomMetric(name="name", job="MyJob", units="units", labels={"label_name"})
    profiler, recorder = configured(metric)
    profiler.before_func = lambda func, args, kwargs: metric.custom_op(2, {"label_name": "x"})

    @profiler.profile
    def measure() -> None:
        pass

    measure()
    return recorder.values("name")


@difference("M13", upstream=[None, 0], ours=[1, 1])
def columns_of_unequal_length() -> Any:
    metric = metrics.Counter("a_counter", "JOB", "units")
    profiler, recorder = configured(metric, time_profile=False)
    converted: list[Any] = []

    @profiler.profile
    def root() -> None:
        metric.inc(1.0, current_node=profiler.curr_node.get(), label_values={})
        metric.values.append(("inc", 2.0))
        converted.append(metric.to_records())

    root()
    [records] = converted
    return [None if records is None else len(records), len(recorder.values("a_counter"))]


@difference("M14", upstream=["later", "later"], ours=["at the call", "at the call"])
def labels_that_are_lazy() -> Any:
    class Lazy:
        text = "at the call"

        def __str__(self) -> str:
            return Lazy.text

    gauge = metrics.Gauge("gauge", "JOB", "V", {"k"})
    info = metrics.Info("info", "JOB")
    profiler, recorder = configured(gauge, info)

    @profiler.profile
    def measure() -> None:
        gauge.set(1.5, profiler.curr_node.get(), {"k": Lazy()})
        info.info_({"k": Lazy()}, profiler.curr_node.get())
        Lazy.text = "later"

    measure()
    [record] = recorder.records("gauge")
    return [str(record["labels"]["k"]), str(recorder.values("info")[0]["k"])]
