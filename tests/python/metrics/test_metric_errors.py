"""Bad values and labels are logged once at once, not once per call."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from captured_logs import errors, fresh_name
from phanos import metrics
from support import CollectingHandler, make_profiler

JOB = "JOB"
REPEATS = 500


def test_a_repeated_wrong_value_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    metric = metrics.Histogram(fresh_name("repeated_value"), JOB, "units")
    for _ in range(REPEATS):
        metric.observe("wrong")
    [line] = errors(caplog)
    assert "repeated_value" in line
    assert metric.values == []


def test_repeated_wrong_labels_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    metric = metrics.Histogram(fresh_name("repeated_labels"), JOB, "units", {"place"})
    for _ in range(REPEATS):
        metric.observe(1.0, {"other": 1})
    [line] = errors(caplog)
    assert "repeated_labels" in line
    assert metric.values == []


def test_the_first_error_of_another_kind_is_logged_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metric = metrics.Gauge(fresh_name("two_kinds"), JOB, "units", {"place"})
    for _ in range(3):
        metric.set("wrong", {"place": 1})
        metric.set(1.0, {"other": 1})
    assert len(errors(caplog)) == 2


def test_each_metric_has_its_own_first_error(caplog: pytest.LogCaptureFixture) -> None:
    names = [fresh_name("first_metric"), fresh_name("second_metric")]
    for name in names:
        metric = metrics.Counter(name, JOB, "units")
        metric.inc("wrong")
        metric.inc("wrong")
    lines = errors(caplog)
    assert len(lines) == 2
    for name, line in zip(names, lines, strict=True):
        assert name in line


def test_errors_of_repeated_roots_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    metric = metrics.Counter(fresh_name("in_every_request"), JOB, "units")
    profiler.add_metric(metric)

    @profiler.profile
    def request() -> None:
        metric.inc(-1)
        metric.inc(1)

    for _ in range(REPEATS):
        request()
    assert len(errors(caplog)) == 1
    assert len(handler.records) == REPEATS


@pytest.mark.parametrize(
    ("make", "operation", "wire_name", "given", "accepted"),
    [
        (
            lambda: metrics.Histogram(fresh_name("told"), JOB, "units"),
            "observe",
            "observe",
            "wrong",
            r"(?i)float|number",
        ),
        (lambda: metrics.Counter(fresh_name("told"), JOB, "units"), "inc", "inc", -1, r">= ?0"),
        (lambda: metrics.Info(fresh_name("told"), JOB), "info_", "info", 1.0, r"(?i)dict"),
        (
            lambda: metrics.Enum(fresh_name("told"), JOB, {"on", "off"}),
            "state",
            "state",
            "broken",
            r"'on'",
        ),
    ],
)
def test_a_wrong_value_is_told_with_what_is_accepted(
    make: Any,
    operation: str,
    wire_name: str,
    given: Any,
    accepted: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    metric = make()
    getattr(metric, operation)(given)
    [line] = errors(caplog)
    assert line.startswith("phanos - ")
    assert metric.name in line
    assert wire_name in line
    assert re.search(accepted, line)


def test_wrong_labels_are_told_with_both_sets(caplog: pytest.LogCaptureFixture) -> None:
    metric = metrics.Counter(fresh_name("told"), JOB, "units", {"place"})
    metric.inc(1, {"other": 1})
    [line] = errors(caplog)
    assert "place" in line
    assert "other" in line


def test_errors_go_to_the_logger_of_the_metric(caplog: pytest.LogCaptureFixture) -> None:
    own = logging.getLogger("test_metric_errors.own")
    metrics.Counter(fresh_name("with_logger"), JOB, "units", None, own).inc("wrong")
    metrics.Counter(fresh_name("without_logger"), JOB, "units").inc("wrong")
    logged = [(record.name, record.levelname) for record in caplog.records]
    assert logged == [("test_metric_errors.own", "ERROR"), ("phanos.metrics", "ERROR")]
