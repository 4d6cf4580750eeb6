"""Metrics can be copied and pickled, with what waits in them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from phanos import metrics
from phanos.tree import MethodTreeNode
from support import CollectingHandler, make_profiler

JOB = "JOB"
COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    *(
        lambda metric, protocol=protocol: pickle.loads(pickle.dumps(metric, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
]


class Twice(metrics.Counter):
    """A metric of a user's own."""

    def __init__(self, name: str) -> None:
        super().__init__(name, JOB, "V", labels={"place"})
        self.operations = {"twice": self.twice}
        self.note = ["kept"]

    def twice(self, value: float, **labels: Any) -> None:
        self.inc(2 * value, **labels)


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_is_the_same_and_stands_alone(copied: Callable[[Any], Any]) -> None:
    metric = Twice("twice")
    metric.inc(1.5, MethodTreeNode(len), {"place": "here"})
    twin = copied(metric)
    assert type(twin) is Twice
    assert (twin.name, twin.job, twin.units, twin.metric) == ("twice", JOB, "V", "counter")
    assert (twin.label_names, twin.note) == ({"place"}, ["kept"])
    assert list(twin.operations) == ["twice"]
    assert twin.to_records() == metric.to_records() != []
    twin.inc(2.0, MethodTreeNode(len), {"place": "there"})
    twin.label_names.add("other")
    assert (len(metric.values), len(twin.values)) == (1, 2)
    assert metric.label_names == {"place"}


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize(
    "metric",
    [
        metrics.Gauge("metric", JOB, "V"),
        metrics.Histogram("metric", JOB, "V"),
        metrics.Summary("metric", JOB, "V"),
        metrics.Info("metric", JOB, "V"),
        metrics.Enum("metric", JOB, ["on", "off"]),
        metrics.TimeProfiler("metric", JOB),
        metrics.ResponseSize("metric", JOB),
    ],
    ids=lambda metric: type(metric).__name__,
)
def test_all_kinds(metric: Any, copied: Callable[[Any], Any]) -> None:
    twin = copied(metric)
    assert type(twin) is type(metric)
    assert vars(twin) == vars(metric)
    assert twin.to_records() == []


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_belongs_to_no_profiler(copied: Callable[[Any], Any]) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    metric = metrics.Counter("counter", JOB, "V")
    profiler.add_metric(metric)
    twin = copied(metric)

    @profiler.profile
    def call() -> None:
        metric.inc(1.0)
        twin.inc(2.0)

    call()
    assert [record["value"] for record in handler.of_metric("counter")] == [("inc", 1.0)]
    assert list(twin.values) == [("inc", 2.0)]
