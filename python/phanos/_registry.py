"""
Which profilers are alive, so that handlers and metrics can tell them of a change.

Plans are worked out when something is registered; a method that is assigned to a
registered handler or metric afterwards has to be noticed here.
"""

from __future__ import annotations

import weakref
from typing import Protocol

from ._phanos import Answer


class Listener(Protocol):
    """What a profiler offers to whom it uses."""

    def _component_changed(self, component: object) -> None: ...
    def _refresh(self) -> None: ...
    def _exit(self) -> None: ...
    def _forget_inherited(self) -> None: ...


_listeners: weakref.WeakSet[Listener] = weakref.WeakSet()


def add(listener: Listener) -> None:
    """Tell `listener` of changes as long as it lives."""
    _listeners.add(listener)


def alive() -> list[Listener]:
    """Return the profilers that are alive."""
    return list(_listeners)


def changed(component: object) -> None:
    """Tell all profilers that `component` has a new method or part."""
    for listener in alive():
        listener._component_changed(component)


class Publisher(Protocol):
    """What has a network side of its own."""

    def _flushing(self) -> Answer: ...
    def _stopping(self) -> Answer: ...
    def _log_notices(self) -> None: ...


_publishers: weakref.WeakSet[Publisher] = weakref.WeakSet()


def add_publisher(publisher: Publisher) -> None:
    """End the network side of `publisher` before the interpreter does."""
    _publishers.add(publisher)


def publishers() -> list[Publisher]:
    """Return the publishers that are alive."""
    return list(_publishers)
