"""`values`, `label_values` and `method` of a metric behave like the lists they stand for."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from captured_logs import errors, fresh_name
from phanos import metrics
from support import CollectingHandler, make_profiler

JOB = "JOB"
LIST_NAMES = ("values", "label_values", "method")


@pytest.fixture
def metric() -> metrics.Gauge:
    """Three records of three operations, labels and methods."""
    gauge = metrics.Gauge(fresh_name("a_gauge"), JOB, "units", {"place"})
    for number, operation in enumerate((gauge.inc, gauge.dec, gauge.set), start=1):
        operation(number, {"place": str(number)})
    gauge.method = ["A:one", "A:one.two", "B:three"]
    return gauge


EXPECTED: dict[str, list[Any]] = {
    "values": [("inc", 1.0), ("dec", 2.0), ("set", 3.0)],
    "label_values": [{"place": "1"}, {"place": "2"}, {"place": "3"}],
    "method": ["A:one", "A:one.two", "B:three"],
}


@pytest.mark.parametrize("name", LIST_NAMES)
def test_index_and_slice(metric: metrics.Gauge, name: str) -> None:
    column, expected = getattr(metric, name), EXPECTED[name]
    for index in (0, 1, 2, -1, -3):
        assert column[index] == expected[index]
    for index in (3, -4):
        with pytest.raises(IndexError):
            column[index]
    for part in (slice(None), slice(1, None), slice(None, -1), slice(None, None, -1), slice(9, 12)):
        assert list(column[part]) == expected[part]
    with pytest.raises(TypeError):
        column["0"]


@pytest.mark.parametrize("name", LIST_NAMES)
def test_iterate_and_measure(metric: metrics.Gauge, name: str) -> None:
    column, expected = getattr(metric, name), EXPECTED[name]
    assert list(column) == expected
    assert [*iter(column)] == expected
    assert len(column) == 3
    assert bool(column) is True
    assert expected[1] in column
    assert "absent" not in column
    assert list(zip(column, expected, strict=True)) == list(zip(expected, expected, strict=True))


@pytest.mark.parametrize("name", LIST_NAMES)
def test_compare_with_a_list_from_both_sides(metric: metrics.Gauge, name: str) -> None:
    column, expected = getattr(metric, name), EXPECTED[name]
    for left, right in ((column, expected), (expected, column)):
        assert operator.eq(left, right) is True
        assert operator.ne(left, right) is False
    for other in (expected[:2], expected[::-1], [*expected, expected[0]], []):
        for left, right in ((column, other), (other, column)):
            assert operator.eq(left, right) is False
            assert operator.ne(left, right) is True
    assert column == getattr(metric, name)
    assert column != tuple(expected)
    assert column != "text"


@pytest.mark.parametrize("name", LIST_NAMES)
def test_an_empty_one_equals_the_empty_list(name: str) -> None:
    column = getattr(metrics.Counter("a_counter", JOB, "units"), name)
    assert operator.eq(column, []) is True
    assert operator.eq([], column) is True
    assert len(column) == 0
    assert not column
    assert list(column) == []
    with pytest.raises(IndexError):
        column[0]


@pytest.mark.parametrize("name", LIST_NAMES)
def test_repr_is_that_of_a_list(metric: metrics.Gauge, name: str) -> None:
    assert repr(getattr(metric, name)) == repr(EXPECTED[name])
    assert repr(getattr(metrics.Counter("a_counter", JOB, "units"), name)) == "[]"


@pytest.mark.parametrize("name", LIST_NAMES)
def test_append(metric: metrics.Gauge, name: str) -> None:
    column, expected = getattr(metric, name), EXPECTED[name]
    assert column.append(expected[0]) is None
    assert getattr(metric, name) == [*expected, expected[0]]
    assert column == [*expected, expected[0]]


@pytest.mark.parametrize("name", LIST_NAMES)
def test_clear(metric: metrics.Gauge, name: str) -> None:
    column = getattr(metric, name)
    assert column.clear() is None
    assert column == []
    assert getattr(metric, name) == []
    for other in set(LIST_NAMES) - {name}:
        assert getattr(metric, other) == EXPECTED[other]


@pytest.mark.parametrize("name", LIST_NAMES)
def test_assign_a_list(metric: metrics.Gauge, name: str) -> None:
    replacement = EXPECTED[name][::-1][:2]
    setattr(metric, name, replacement)
    assert getattr(metric, name) == replacement
    setattr(metric, name, [])
    assert getattr(metric, name) == []


@pytest.mark.parametrize("name", LIST_NAMES)
def test_assign_an_element(metric: metrics.Gauge, name: str) -> None:
    column, expected = getattr(metric, name), EXPECTED[name]
    column[-1] = expected[0]
    assert getattr(metric, name) == [expected[0], expected[1], expected[0]]


def test_records_are_made_from_the_three_lists(metric: metrics.Gauge) -> None:
    records = metric.to_records()
    assert type(records) is list
    assert [record["method"] for record in records] == EXPECTED["method"]
    assert [record["item"] for record in records] == ["A", "A", "B"]
    assert [record["labels"] for record in records] == EXPECTED["label_values"]
    assert [record["value"] for record in records] == EXPECTED["values"]
    for record in records:
        assert (record["metric"], record["units"], record["job"]) == ("gauge", "units", JOB)


def test_what_was_appended_and_assigned_is_in_the_records() -> None:
    metric = metrics.Counter("a_counter", JOB, "units")
    metric.inc(1)
    metric.values.append(("inc", 2.0))
    metric.label_values.append({"place": "appended"})
    metric.method.append("plain")
    metric.values = [*metric.values, ("own", "text")]
    metric.label_values = [*metric.label_values, {}]
    metric.method = ["A:first", *metric.method[1:], "B:c.d"]
    rows = [
        (record["item"], record["method"], record["labels"], record["value"])
        for record in metric.to_records()
    ]
    assert rows == [
        ("A", "A:first", {}, ("inc", 1.0)),
        ("plain", "plain", {"place": "appended"}, ("inc", 2.0)),
        ("B", "B:c.d", {}, ("own", "text")),
    ]


def test_to_records_leaves_the_metric_as_it_is(metric: metrics.Gauge) -> None:
    first = metric.to_records()
    assert metric.values == EXPECTED["values"]
    assert metric.to_records() == first


def test_changing_a_record_does_not_change_the_metric(metric: metrics.Gauge) -> None:
    metric.to_records().clear()
    metric.to_records()[0]["method"] = "changed"
    assert metric.to_records()[0]["method"] == "A:one"
    assert metric.method == EXPECTED["method"]


def test_cleanup_forgets_everything(metric: metrics.Gauge) -> None:
    assert metric.cleanup() is None
    for name in LIST_NAMES:
        assert getattr(metric, name) == []
    assert metric.to_records() == []
    metric.set(5, {"place": "again"})
    assert metric.values == [("set", 5.0)]


@pytest.mark.parametrize("name", LIST_NAMES)
def test_of_lists_of_unequal_length_the_complete_records_go_out(
    metric: metrics.Gauge, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    complete = metric.to_records()[:2]
    setattr(metric, name, EXPECTED[name][:2])
    assert metric.to_records() == complete
    [line] = errors(caplog)
    assert metric.name in line


def test_an_incomplete_record_is_dropped_and_the_complete_ones_are_handed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    metric = metrics.Counter(fresh_name("a_counter"), JOB, "units")
    profiler.add_metric(metric)

    @profiler.profile
    def work() -> None:
        metric.inc(1)
        metric.values.append(("inc", 2.0))

    work()
    assert [record["value"] for record in handler.of_metric(metric.name)] == [("inc", 1.0)]
    assert metric.values == []
    [line] = errors(caplog)
    assert metric.name in line

    handler.clear()
    metric.inc(3)
    profiler.profile_ext.force_handle_records_clear()
    assert [record["value"] for record in handler.of_metric(metric.name)] == [("inc", 3.0)]


def test_columns_changed_during_a_call_are_handed_over_changed() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    metric = metrics.Counter("a_counter", JOB, "units")
    profiler.add_metric(metric)

    @profiler.profile
    def work() -> None:
        metric.inc(1)
        metric.inc(2)
        metric.method = ["A:changed", "A:changed.too"]
        metric.values = [("inc", 5.0), *metric.values[1:]]
        metric.label_values = [{"own": "label"}, {}]

    work()
    assert handler.methods() == ["A:changed", "A:changed.too"]
    assert [record["value"] for record in handler.records] == [("inc", 5.0), ("inc", 2.0)]
    assert [record["labels"] for record in handler.records] == [{"own": "label"}, {}]
