"""How an operation may be called, which call it is recorded for, and what happens to labels."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import phanos
import pytest
from captured_logs import errors, fresh_name
from phanos import metrics, publisher, tree
from support import CollectingHandler, make_profiler

JOB = "JOB"
UNITS = "units"
LABELS = {"place": "here"}


def labelled() -> metrics.Gauge:
    return metrics.Gauge(fresh_name("a_gauge"), JOB, UNITS, {"place"})


def node_of(path: str) -> tree.MethodTreeNode:
    node = tree.MethodTreeNode()
    node.ctx.value = path
    return node


LABELLED_FORMS: list[Callable[[Callable[..., None], Any], Any]] = [
    lambda operation, node: operation(1.0, LABELS),
    lambda operation, node: operation(1.0, label_values=LABELS),
    lambda operation, node: operation(value=1.0, label_values=LABELS),
    lambda operation, node: operation(1.0, None, LABELS),
    lambda operation, node: operation(1.0, current_node=None, label_values=LABELS),
]
FORMS_WITH_NODE: list[Callable[[Callable[..., None], Any], Any]] = [
    lambda operation, node: operation(1.0, node, LABELS),
    lambda operation, node: operation(1.0, node, label_values=LABELS),
    lambda operation, node: operation(1.0, current_node=node, label_values=LABELS),
    lambda operation, node: operation(1.0, label_values=LABELS, current_node=node),
    lambda operation, node: operation(value=1.0, current_node=node, label_values=LABELS),
]
UNLABELLED_FORMS: list[Callable[[Callable[..., None]], Any]] = [
    lambda operation: operation(1.0),
    lambda operation: operation(value=1.0),
    lambda operation: operation(1.0, {}),
    lambda operation: operation(1.0, None),
    lambda operation: operation(1.0, None, None),
    lambda operation: operation(1.0, None, {}),
    lambda operation: operation(1.0, current_node=None, label_values=None),
]


@pytest.mark.parametrize("form", LABELLED_FORMS)
def test_without_a_node_the_current_call_is_recorded(form: Any) -> None:
    profiler = make_profiler(CollectingHandler())
    metric = labelled()
    profiler.add_metric(metric)

    @profiler.profile
    def work() -> tuple[Any, ...]:
        assert form(metric.set, None) is None
        return list(metric.values), list(metric.method), list(metric.label_values)

    assert work() == (
        [("set", 1.0)],
        [f"{__name__}:work"],
        [{"place": "here", "error_raised": False}],
    )


@pytest.mark.parametrize("form", FORMS_WITH_NODE)
def test_a_given_node_is_the_one_recorded(form: Any) -> None:
    profiler = make_profiler(CollectingHandler())
    metric = labelled()
    profiler.add_metric(metric)
    given = node_of("Elsewhere:root.leaf")

    @profiler.profile
    def work() -> list[str]:
        assert form(metric.set, given) is None
        return list(metric.method)

    assert work() == ["Elsewhere:root.leaf"]


@pytest.mark.parametrize("form", UNLABELLED_FORMS)
def test_labels_may_be_left_out_when_there_are_none(form: Any) -> None:
    metric = metrics.Counter("a_counter", JOB, UNITS)
    assert form(metric.inc) is None
    assert metric.values == [("inc", 1.0)]
    assert metric.label_values == [{}]


@pytest.mark.parametrize(
    "form",
    [
        lambda metric, start: metric.stop(start),
        lambda metric, start: metric.stop(start, {}),
        lambda metric, start: metric.stop(start, None, {}),
        lambda metric, start: metric.stop(start, node_of(""), {}),
        lambda metric, start: metric.stop(start=start, current_node=node_of(""), label_values={}),
    ],
)
def test_stop_knows_all_calling_forms(form: Any) -> None:
    metric = metrics.TimeProfiler("a_time", JOB)
    form(metric, datetime.datetime.now())
    assert [operation for operation, _ in metric.values] == ["observe"]
    assert metric.method == [""]


@pytest.mark.parametrize(
    "form",
    [
        lambda metric: metric.rec("text"),
        lambda metric: metric.rec("text", {}),
        lambda metric: metric.rec("text", None, {}),
        lambda metric: metric.rec("text", node_of(""), {}),
        lambda metric: metric.rec(value="text", current_node=node_of(""), label_values={}),
    ],
)
def test_rec_knows_all_calling_forms(form: Any) -> None:
    metric = metrics.ResponseSize("a_size", JOB)
    form(metric)
    assert [operation for operation, _ in metric.values] == ["observe"]
    assert metric.method == [""]


def test_a_value_is_required() -> None:
    with pytest.raises(TypeError, match="value"):
        metrics.Counter("a_counter", JOB, UNITS).inc()  # type: ignore[call-arg]


def test_outside_of_any_call_the_method_is_empty() -> None:
    profiler = make_profiler(CollectingHandler())
    metric = metrics.Counter("a_counter", JOB, UNITS)
    profiler.add_metric(metric)
    metric.inc(1)
    [record] = metric.to_records()
    assert (record["item"], record["method"]) == ("", "")


def test_before_it_is_added_a_metric_follows_the_default_profiler() -> None:
    phanos.profiler.config(job=JOB)
    phanos.profiler.add_handler(CollectingHandler())
    other = make_profiler(CollectingHandler())
    metric = metrics.Counter("a_counter", JOB, UNITS)

    @phanos.profile
    def outer() -> None:
        inner()

    @other.profile
    def inner() -> None:
        metric.inc(1)

    outer()
    assert metric.method == [f"{__name__}:outer"]


def test_once_added_a_metric_follows_its_own_profiler() -> None:
    phanos.profiler.config(job=JOB)
    phanos.profiler.add_handler(CollectingHandler())
    handler = CollectingHandler()
    other = make_profiler(handler)
    metric = metrics.Counter("a_counter", JOB, UNITS)
    other.add_metric(metric)

    @other.profile
    def outer() -> None:
        inner()

    @phanos.profile
    def inner() -> None:
        metric.inc(1)

    outer()
    assert handler.methods("a_counter") == [f"{__name__}:outer"]


def test_nested_calls_record_their_own_path() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    metric = metrics.Counter("a_counter", JOB, UNITS)
    profiler.add_metric(metric)

    @profiler.profile
    def leaf() -> None:
        metric.inc(2)

    @profiler.profile
    def root() -> None:
        metric.inc(1)
        leaf()
        metric.inc(3)

    root()
    path = f"{__name__}:root"
    recorded = [(record["method"], record["value"]) for record in handler.of_metric("a_counter")]
    assert recorded == [
        (path, ("inc", 1.0)),
        (f"{path}.leaf", ("inc", 2.0)),
        (path, ("inc", 3.0)),
    ]


@pytest.mark.parametrize(
    "given",
    [None, {}, {"other": 1}, {"place": 1, "other": 1}, {"Place": "here"}],
    ids=["none", "empty", "other name", "one too many", "other case"],
)
def test_wrong_label_names_store_nothing(
    given: dict[str, Any] | None, caplog: pytest.LogCaptureFixture
) -> None:
    metric = labelled()
    assert metric.set(1.0, label_values=given) is None
    assert (metric.values, metric.label_values, metric.method) == ([], [], [])
    [line] = errors(caplog)
    assert line.startswith("phanos - ")
    assert metric.name in line
    assert "place" in line


@pytest.mark.parametrize("given", ["place", 1, ["place"], {"place"}])
def test_labels_that_are_no_dict_store_nothing(
    given: Any, caplog: pytest.LogCaptureFixture
) -> None:
    metric = labelled()
    assert metric.set(1.0, label_values=given) is None
    assert (metric.values, metric.label_values, metric.method) == ([], [], [])
    assert len(errors(caplog)) == 1


def test_labels_where_none_are_declared_store_nothing(caplog: pytest.LogCaptureFixture) -> None:
    metric = metrics.Counter(fresh_name("a_counter"), JOB, UNITS)
    metric.inc(1.0, {"place": "here"})
    assert metric.values == []
    assert len(errors(caplog)) == 1


@pytest.mark.parametrize("value", ["text", "", 1, 1.5, None, True, ("a", 1)])
def test_label_values_are_kept_as_given(value: Any) -> None:
    metric = labelled()
    metric.set(1.0, {"place": value})
    assert metric.label_values == [{"place": value}]


def test_a_call_does_not_change_the_callers_dict() -> None:
    profiler = make_profiler(CollectingHandler())
    metric = labelled()
    profiler.add_metric(metric)
    given = {"place": "here"}
    metric.set(1.0, given)
    metric.set(1.0, profiler.tree.root, given)
    assert given == {"place": "here"}
    assert metric.label_values == [{"place": "here", "error_raised": False}] * 2


def test_labels_are_copied_at_the_call() -> None:
    metric = labelled()
    given = {"place": "here"}
    metric.set(1.0, given)
    given["place"] = "there"
    metric.set(2.0, given)
    given.clear()
    assert metric.label_values == [{"place": "here"}, {"place": "there"}]


def test_info_is_copied_at_the_call() -> None:
    metric = metrics.Info("an_info", JOB)
    given = {"version": "1"}
    metric.info_(given)
    given["version"] = "2"
    metric.info_(given)
    given.clear()
    assert metric.values == [("info", {"version": "1"}), ("info", {"version": "2"})]


def test_labels_keep_their_order_and_error_raised_comes_last() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    metric = metrics.Counter("a_counter", JOB, UNITS, {"a", "b", "c"})
    profiler.add_metric(metric)

    @profiler.profile
    def work() -> None:
        metric.inc(1, {"c": 1, "a": 2, "b": 3})

    work()
    [record] = handler.records
    assert list(record["labels"].items()) == [("c", 1), ("a", 2), ("b", 3), ("error_raised", False)]


def test_error_raised_is_filled_in_by_the_library() -> None:
    profiler = make_profiler(CollectingHandler())
    metric = metrics.Counter("a_counter", JOB, UNITS)
    profiler.add_metric(metric)
    metric.inc(1)
    metric.inc(1, {"error_raised": True})
    try:
        raise ValueError("in flight")
    except ValueError:
        metric.inc(1)
    assert [labels["error_raised"] for labels in metric.label_values] == [False, False, True]


def test_error_raised_joins_the_label_names_of_an_added_metric() -> None:
    profiler = make_profiler(CollectingHandler())
    metric = labelled()
    assert metric.eq_labels({"place"})
    profiler.add_metric(metric)
    assert metric.label_names == {"place", "error_raised"}
    assert metric.eq_labels({"place", "error_raised"})
    assert not metric.eq_labels({"place"})
    assert not metric.eq_labels(set())


def test_error_raised_can_be_switched_off_and_on_again() -> None:
    profiler = make_profiler(CollectingHandler())
    metric = labelled()
    profiler.add_metric(metric)
    profiler.error_raised_label = False
    assert profiler.error_raised_label is False
    assert metric.label_names == {"place"}
    assert profiler.time_profile is not None
    assert profiler.time_profile.label_names == set()
    metric.set(1.0, LABELS)
    profiler.error_raised_label = True
    assert metric.label_names == {"place", "error_raised"}
    assert profiler.time_profile.label_names == {"error_raised"}
    metric.set(2.0, LABELS)
    assert metric.label_values == [LABELS, {**LABELS, "error_raised": False}]


def test_a_metric_of_an_unlabelled_profiler_has_its_own_labels_only() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, error_raised_label=False)
    metric = labelled()
    profiler.add_metric(metric)
    assert metric.label_names == {"place"}

    @profiler.profile
    def work() -> None:
        metric.set(1.0, LABELS)

    work()
    assert [record["labels"] for record in handler.records] == [{}, LABELS]


def test_replacing_a_metric_warns_and_uses_the_new_one(caplog: pytest.LogCaptureFixture) -> None:
    profiler = make_profiler(CollectingHandler())
    first, second = (metrics.Gauge("replaced", JOB, UNITS) for _ in range(2))
    profiler.add_metric(first)
    assert caplog.records == []
    profiler.add_metric(second)
    assert profiler.metrics[first.name] is second
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert first.name in record.getMessage()


def test_deleting_an_unknown_metric_warns(caplog: pytest.LogCaptureFixture) -> None:
    profiler = make_profiler()
    profiler.delete_metric("never_added")
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "never_added" in record.getMessage()
    assert list(profiler.metrics) == [publisher.TIME_PROFILER]


def test_deleting_all_metrics_spares_the_built_in_ones_unless_told() -> None:
    profiler = make_profiler(response_size_profile=True)
    built_in = {publisher.TIME_PROFILER, publisher.RESPONSE_SIZE}
    profiler.add_metric(labelled())
    profiler.delete_metrics()
    assert set(profiler.metrics) == built_in
    profiler.delete_metrics(rm_time_profile=True)
    assert set(profiler.metrics) == {publisher.RESPONSE_SIZE}
    assert profiler.time_profile is None
    profiler.delete_metrics(rm_resp_size_profile=True)
    assert profiler.metrics == {}
    assert profiler.resp_size_profile is None


def test_built_in_metrics_can_be_made_again() -> None:
    profiler = make_profiler(response_size_profile=True)
    profiler.delete_metrics(True, True)
    profiler.create_response_size_profiler()
    profiler.create_time_profiler()
    assert list(profiler.metrics) == [publisher.RESPONSE_SIZE, publisher.TIME_PROFILER]
    assert profiler.metrics[publisher.TIME_PROFILER] is profiler.time_profile
    assert profiler.metrics[publisher.RESPONSE_SIZE] is profiler.resp_size_profile
    assert isinstance(profiler.time_profile, metrics.TimeProfiler)
    assert isinstance(profiler.resp_size_profile, metrics.ResponseSize)
