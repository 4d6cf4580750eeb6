"""Handlers and metrics beside other base classes, and classes that set attributes in their way."""

from __future__ import annotations

import copy
import dataclasses
import logging
import pickle
import threading
from typing import Any

import pytest
from phanos import metrics
from phanos.handlers import SyncBaseHandler
from support import make_profiler


class Counting(SyncBaseHandler):
    """Counts the records that it gets."""

    count = 0

    def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        type(self).count += len(records)


@dataclasses.dataclass(frozen=True)
class Frozen(Counting):
    handler_name: str
    size: int = 3


@dataclasses.dataclass(slots=True)
class Slotted(Counting):
    handler_name: str


class Connection:
    def __init__(self, host: str) -> None:
        self.host = host


class Connected(Counting, Connection):
    def __init__(self, name: str) -> None:
        Counting.__init__(self, name)
        Connection.__init__(self, "a_host")


class Singleton(Counting):
    def __new__(cls, *_args: Any) -> Singleton:
        return object.__new__(cls)


class OwnSetters(Counting):
    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)


class InDict(Counting, dict[str, Any]):
    pass


class Raisable(Counting, Exception):
    pass


class Logging(Counting, logging.Handler):  # type: ignore[misc]
    pass


class Thread(Counting, threading.Thread):
    def __init__(self, name: str) -> None:
        threading.Thread.__init__(self)
        Counting.__init__(self, name)


ALL = [Frozen, Slotted, Connected, Singleton, OwnSetters, InDict, Raisable, Logging, Thread]


@pytest.mark.parametrize("kind", ALL)
def test_a_handler_may_have_other_bases(kind: type[Counting]) -> None:
    handler = kind("own")
    profiler = make_profiler(handler)
    before = kind.count
    profiler.profile(lambda: None)()
    assert kind.count == before + 1
    object.__setattr__(handler, "handler_name", "other")
    assert handler.handler_name == "other"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_handler_can_be_pickled(protocol: int) -> None:
    handler = Counting("own")
    assert pickle.loads(pickle.dumps(handler, protocol)).__dict__ == {"handler_name": "own"}
    assert copy.deepcopy(handler).__dict__ == {"handler_name": "own"}


class Noting:
    """Notes what is set and deleted, wherever it stands among the bases."""

    def __setattr__(self, name: str, value: Any) -> None:
        noted.append(f"set {name}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        noted.append(f"delete {name}")
        super().__delattr__(name)


noted: list[str] = []


class NotingHandler(Counting, Noting):
    pass


class NotingFirst(Noting, Counting):
    pass


class NotingMetric(metrics.Counter, Noting):
    pass


@pytest.mark.parametrize(
    "made",
    [
        lambda: NotingHandler("own"),
        lambda: NotingFirst("own"),
        lambda: NotingMetric("own", "TEST", "units"),
    ],
)
def test_setters_of_other_bases_are_called(made: Any) -> None:
    component = made()
    noted.clear()
    component.extra = 1
    del component.extra
    assert noted == ["set extra", "delete extra"]
    with pytest.raises(AttributeError):
        del component.extra


@pytest.mark.parametrize("kind", [NotingHandler, NotingFirst])
def test_a_handler_with_other_setters_is_watched(kind: type[Counting]) -> None:
    handler: Any = kind("own")
    profiled = make_profiler(handler).profile(lambda: None)
    received: list[Any] = []
    handler.handle = lambda records, _name: received.extend(records)
    profiled()
    assert len(received) == 1
    del handler.handle
    before = kind.count
    profiled()
    assert (len(received), kind.count) == (1, before + 1)


def test_an_own_method_of_a_metric_is_watched_until_it_is_deleted() -> None:
    handler = Counting("own")
    profiler = make_profiler(handler, time_profile=False)
    metric: Any = metrics.Counter("a_counter", "TEST", "units")
    profiler.add_metric(metric)
    profiled = profiler.profile(lambda: metric.inc(1))
    metric.to_records = list
    before = Counting.count
    profiled()
    assert Counting.count == before
    del metric.to_records
    profiled()
    assert Counting.count == before + 1


def test_attributes_of_a_metric_can_be_set_as_of_any_object() -> None:
    metric: Any = metrics.Counter("a_counter", "TEST", "units")
    object.__setattr__(metric, "name", "other")
    object.__setattr__(metric, "extra", 1)
    assert (metric.name, metric.extra) == ("other", 1)
    object.__delattr__(metric, "extra")
    assert not hasattr(metric, "extra")
