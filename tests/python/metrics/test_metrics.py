"""Which operations each metric has, which values they accept, and what a record of them says."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import logging
import math
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
from captured_logs import errors, fresh_name
from phanos import metrics
from support import CollectingHandler, make_profiler

JOB = "JOB"
UNITS = "units"


class Whole(enum.IntEnum):
    THREE = 3


class Text(str):
    pass


REAL_NUMBERS = [
    (1.5, 1.5),
    (3, 3.0),
    (0, 0.0),
    (2**53, float(2**53)),
    (Whole.THREE, 3.0),
    (fractions.Fraction(1, 4), 0.25),
    (decimal.Decimal("1.5"), 1.5),
    (math.inf, math.inf),
]
NEGATIVE_NUMBERS = [
    (-1.5, -1.5),
    (-3, -3.0),
    (-math.inf, -math.inf),
    (fractions.Fraction(-1, 2), -0.5),
    (decimal.Decimal("-0.5"), -0.5),
]
NOT_NUMBERS: list[Any] = [
    True,
    False,
    "1.0",
    b"1",
    None,
    [1.0],
    (1.0,),
    {"value": 1.0},
    1j,
    decimal.Decimal("sNaN"),
    object(),
    float,
    10**400,
]


def histogram() -> metrics.MetricWrapper:
    return metrics.Histogram(fresh_name("a_histogram"), JOB, UNITS)


def summary() -> metrics.MetricWrapper:
    return metrics.Summary(fresh_name("a_summary"), JOB, UNITS)


def counter() -> metrics.MetricWrapper:
    return metrics.Counter(fresh_name("a_counter"), JOB, UNITS)


def gauge() -> metrics.MetricWrapper:
    return metrics.Gauge(fresh_name("a_gauge"), JOB, UNITS)


NUMBER_OPERATIONS = [
    pytest.param(histogram, "observe", id="Histogram.observe"),
    pytest.param(summary, "observe", id="Summary.observe"),
    pytest.param(counter, "inc", id="Counter.inc"),
    pytest.param(gauge, "inc", id="Gauge.inc"),
    pytest.param(gauge, "dec", id="Gauge.dec"),
    pytest.param(gauge, "set", id="Gauge.set"),
]
UNSIGNED_OPERATIONS = [
    parameters for parameters in NUMBER_OPERATIONS if parameters.values[1] in ("inc", "dec")
]
SIGNED_OPERATIONS = [
    parameters for parameters in NUMBER_OPERATIONS if parameters not in UNSIGNED_OPERATIONS
]


def assert_refused(metric: metrics.MetricWrapper, caplog: pytest.LogCaptureFixture) -> None:
    assert list(metric.values) == []
    assert list(metric.label_values) == []
    assert list(metric.method) == []
    assert metric.to_records() == []
    logged = errors(caplog)
    assert len(logged) == 1
    assert logged[0].startswith("phanos - ")
    assert metric.name in logged[0]


@pytest.mark.parametrize(("make", "operation"), NUMBER_OPERATIONS)
@pytest.mark.parametrize(("given", "stored"), REAL_NUMBERS)
def test_real_number_is_stored_as_float(
    make: Callable[[], metrics.MetricWrapper], operation: str, given: Any, stored: float
) -> None:
    metric = make()
    assert getattr(metric, operation)(given) is None
    assert metric.values == [(operation, stored)]
    assert type(metric.values[0][1]) is float


@pytest.mark.parametrize(("make", "operation"), NUMBER_OPERATIONS)
def test_not_a_number_is_a_float_like_any_other(
    make: Callable[[], metrics.MetricWrapper], operation: str
) -> None:
    metric = make()
    getattr(metric, operation)(math.nan)
    assert len(metric.values) == 1
    assert metric.values[0][0] == operation
    assert math.isnan(metric.values[0][1])


@pytest.mark.parametrize(("make", "operation"), SIGNED_OPERATIONS)
@pytest.mark.parametrize(("given", "stored"), NEGATIVE_NUMBERS)
def test_negative_number_is_stored_where_it_makes_sense(
    make: Callable[[], metrics.MetricWrapper], operation: str, given: Any, stored: float
) -> None:
    metric = make()
    getattr(metric, operation)(given)
    assert metric.values == [(operation, stored)]


@pytest.mark.parametrize(("make", "operation"), UNSIGNED_OPERATIONS)
@pytest.mark.parametrize(("given", "stored"), NEGATIVE_NUMBERS)
def test_negative_step_is_refused(
    make: Callable[[], metrics.MetricWrapper],
    operation: str,
    given: Any,
    stored: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    metric = make()
    assert getattr(metric, operation)(given) is None
    assert_refused(metric, caplog)


@pytest.mark.parametrize(("make", "operation"), NUMBER_OPERATIONS)
@pytest.mark.parametrize("given", NOT_NUMBERS, ids=lambda given: repr(given)[:20])
def test_what_is_no_real_number_is_refused(
    make: Callable[[], metrics.MetricWrapper],
    operation: str,
    given: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    metric = make()
    assert getattr(metric, operation)(given) is None
    assert_refused(metric, caplog)


def test_gauge_keeps_its_operations_in_order() -> None:
    metric = gauge()
    metric.inc(1)
    metric.dec(2)
    metric.set(-3)
    assert metric.values == [("inc", 1.0), ("dec", 2.0), ("set", -3.0)]


@pytest.mark.parametrize("given", [{"version": "1"}, {}, OrderedDict(a=1), {"nested": {"a": [1]}}])
def test_info_takes_a_dict(given: dict[str, Any]) -> None:
    metric = metrics.Info(fresh_name("an_info"), JOB)
    assert metric.info_(given) is None
    assert metric.values == [("info", given)]


@pytest.mark.parametrize("given", ["version", None, 1.0, True, [("a", 1)], {"a"}])
def test_info_takes_nothing_but_a_dict(given: Any, caplog: pytest.LogCaptureFixture) -> None:
    metric = metrics.Info(fresh_name("an_info"), JOB)
    assert metric.info_(given) is None
    assert_refused(metric, caplog)


@pytest.mark.parametrize("given", ["on", "off", Text("on")])
def test_enum_takes_one_of_its_states(given: str) -> None:
    metric = metrics.Enum(fresh_name("an_enum"), JOB, {"on", "off"})
    assert metric.state(given) is None
    assert metric.values == [("state", given)]


@pytest.mark.parametrize("given", ["broken", "", None, 1.0, True, ["on"], {"on": 1}, {"on"}])
def test_enum_takes_no_other_state(given: Any, caplog: pytest.LogCaptureFixture) -> None:
    metric = metrics.Enum(fresh_name("an_enum"), JOB, {"on", "off"})
    assert metric.state(given) is None
    assert_refused(metric, caplog)


def test_enum_needs_states_and_keeps_them() -> None:
    with pytest.raises(TypeError, match="states"):
        metrics.Enum(fresh_name("an_enum"), JOB)  # type: ignore[call-arg]
    assert metrics.Enum(fresh_name("an_enum"), JOB, {"on", "off"}).states == {"on", "off"}


@pytest.mark.parametrize("name", ["Histogram", "Summary", "Counter", "Gauge"])
def test_units_are_required(name: str) -> None:
    with pytest.raises(TypeError, match="units"):
        getattr(metrics, name)("metric", JOB)


def test_time_is_measured_from_the_given_start() -> None:
    metric = metrics.TimeProfiler(fresh_name("a_time"), JOB)
    metric.stop(datetime.datetime.now() - datetime.timedelta(seconds=90))
    [(operation, value)] = metric.values
    assert operation == "observe"
    assert 90_000 <= value < 120_000
    assert value == round(value, 2)


@pytest.mark.parametrize("given", [1.0, 3, None, "12:00", datetime.date.today(), datetime.time()])
def test_time_needs_a_datetime(given: Any, caplog: pytest.LogCaptureFixture) -> None:
    metric = metrics.TimeProfiler(fresh_name("a_time"), JOB)
    assert metric.stop(given) is None
    assert_refused(metric, caplog)


@pytest.mark.parametrize("given", ["text", b"bytes", None, 1, [1, 2, 3], object(), ValueError])
def test_response_size_takes_any_object(given: Any) -> None:
    metric = metrics.ResponseSize("a_size", JOB)
    assert metric.rec(given) is None
    assert metric.values == [("observe", float(sys.getsizeof(given)))]
    assert type(metric.values[0][1]) is float


def test_built_in_metrics_are_histograms_with_all_their_operations() -> None:
    for metric in (metrics.TimeProfiler("t", JOB), metrics.ResponseSize("r", JOB)):
        metric.observe(2)
        assert metric.values == [("observe", 2.0)]


KINDS_AND_UNITS: list[tuple[metrics.MetricWrapper, str, str]] = [
    (metrics.Histogram("m", JOB, UNITS), "histogram", UNITS),
    (metrics.Summary("m", JOB, UNITS), "summary", UNITS),
    (metrics.Counter("m", JOB, UNITS), "counter", UNITS),
    (metrics.Gauge("m", JOB, UNITS), "gauge", UNITS),
    (metrics.Info("m", JOB), "info", "info"),
    (metrics.Info("m", JOB, UNITS), "info", UNITS),
    (metrics.Enum("m", JOB, {"on"}), "enum", "enum"),
    (metrics.Enum("m", JOB, {"on"}, UNITS), "enum", UNITS),
    (metrics.TimeProfiler("m", JOB), "histogram", "mS"),
    (metrics.ResponseSize("m", JOB), "histogram", "B"),
]


@pytest.mark.parametrize(("metric", "kind", "units"), KINDS_AND_UNITS)
def test_kind_and_units(metric: metrics.MetricWrapper, kind: str, units: str) -> None:
    assert (metric.name, metric.job) == ("m", JOB)
    assert metric.metric == kind
    assert metric.units == units
    assert metric.label_names == set()
    assert isinstance(metric.label_names, set)


def test_constructor_arguments_are_kept() -> None:
    logger = logging.getLogger("test_metrics.own")
    metric = metrics.Counter(name="m", job=JOB, units=UNITS, labels={"a", "b"}, logger=logger)
    assert metric.label_names == {"a", "b"}
    assert metric.logger is logger
    assert metrics.Counter("m", JOB, UNITS).logger.name == "phanos.metrics"


def test_every_operation_arrives_at_a_handler_as_a_record() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    every = [
        metrics.Histogram("hi", JOB, UNITS),
        metrics.Summary("su", JOB, UNITS),
        metrics.Counter("co", JOB, UNITS),
        metrics.Gauge("ga", JOB, UNITS),
        metrics.Info("in", JOB),
        metrics.Enum("en", JOB, {"on"}),
        metrics.TimeProfiler("ti", JOB),
        metrics.ResponseSize("re", JOB),
    ]
    for metric in every:
        profiler.add_metric(metric)
    hi, su, co, ga, info, en, ti, re = every

    @profiler.profile
    def work() -> None:
        hi.observe(1)
        su.observe(2)
        co.inc(3)
        ga.set(4)
        info.info_({"version": "1"})
        en.state("on")
        ti.stop(datetime.datetime.now())
        re.rec("text")

    work()
    path = f"{__name__}:work"
    common = {"item": __name__, "job": JOB, "method": path, "labels": {"error_raised": False}}
    assert handler.records[:6] == [
        {**common, "metric": "histogram", "units": UNITS, "value": ("observe", 1.0)},
        {**common, "metric": "summary", "units": UNITS, "value": ("observe", 2.0)},
        {**common, "metric": "counter", "units": UNITS, "value": ("inc", 3.0)},
        {**common, "metric": "gauge", "units": UNITS, "value": ("set", 4.0)},
        {**common, "metric": "info", "units": "info", "value": ("info", {"version": "1"})},
        {**common, "metric": "enum", "units": "enum", "value": ("state", "on")},
    ]
    assert [record["units"] for record in handler.records[6:]] == ["mS", "B"]
    assert handler.records[7]["value"] == ("observe", float(sys.getsizeof("text")))
    assert [name for name, _ in handler.batches] == [metric.name for metric in every]
    keys = ["item", "metric", "units", "job", "method", "labels", "value"]
    for record in handler.records:
        assert list(record) == keys
        assert type(record["value"]) is tuple


def test_records_are_counted_over_all_metrics() -> None:
    profiler = make_profiler(CollectingHandler())
    first, second = counter(), gauge()
    profiler.add_metric(first)
    profiler.add_metric(second)
    assert profiler.get_records_count() == 0
    first.inc(1)
    first.inc(1)
    second.set(1)
    second.inc(-1)
    assert profiler.get_records_count() == 3
    first.cleanup()
    assert profiler.get_records_count() == 1
