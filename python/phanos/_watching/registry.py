"""
Which profilers and publishers are alive.

Metrics and handlers announce here that one of their methods or parts was replaced: plans are
made when something is registered with a profiler, so the profilers that use the object have to
make theirs anew. The end of a process and a fork reach all of them through here as well.
"""

from __future__ import annotations

import weakref
from typing import Protocol

from phanos._phanos import PendingResult


class RegisteredProfiler(Protocol):
    """What the registry calls on a profiler."""

    def _component_changed(self, component: object) -> None: ...
    def _refresh(self) -> None: ...
    def _hand_over_at_exit(self) -> None: ...
    def _hand_over_before_end(self) -> None: ...
    def _forget_inherited(self) -> None: ...
    def _has_metric(self, metric: object) -> bool: ...


class RegisteredMetric(Protocol):
    """What the end of a process asks of a metric."""

    def _warn_if_never_added(self) -> None: ...


class RegisteredPublisher(Protocol):
    """What the end of a process calls on a publisher, which has a network side of its own."""

    def _start_flush(self) -> PendingResult: ...
    def _start_stop(self) -> PendingResult: ...
    def _write_log_lines(self) -> None: ...
    def _end_log(self) -> None: ...


_profilers: weakref.WeakSet[RegisteredProfiler] = weakref.WeakSet()
_metrics: weakref.WeakSet[RegisteredMetric] = weakref.WeakSet()
_publishers: weakref.WeakSet[RegisteredPublisher] = weakref.WeakSet()


def add_profiler(profiler: RegisteredProfiler) -> None:
    """Register `profiler` for as long as it lives."""
    _profilers.add(profiler)


def profilers() -> list[RegisteredProfiler]:
    """Return the profilers that are alive."""
    return list(_profilers)


def add_metric(metric: RegisteredMetric) -> None:
    """Register `metric` for as long as it lives."""
    _metrics.add(metric)


def metrics_without_profiler() -> list[RegisteredMetric]:
    """Return the metrics that are alive and belong to no profiler."""
    owners = profilers()
    return [
        metric
        for metric in list(_metrics)
        if not any(profiler._has_metric(metric) for profiler in owners)
    ]


def component_changed(component: object) -> None:
    """Tell all profilers that metric, handler or publisher `component` has a new method or part."""
    for profiler in profilers():
        profiler._component_changed(component)


def anything_changed() -> None:
    """Tell all profilers that a class or a public name has changed."""
    for profiler in profilers():
        profiler._refresh()


def add_publisher(publisher: RegisteredPublisher) -> None:
    """Register `publisher` for as long as it lives."""
    _publishers.add(publisher)


def publishers() -> list[RegisteredPublisher]:
    """Return the publishers that are alive."""
    return list(_publishers)
