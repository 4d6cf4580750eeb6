"""The configuration of a profiler, kept to be put in force again; and a profiler without any."""

from __future__ import annotations

import logging
from typing import Any, cast

from phanos._calls.hooks import HOOKS

from .options import USUAL
from .protocols import ProfilerProtocol

_ATTRIBUTES = (
    "logger",
    "job",
    "time_profile",
    "resp_size_profile",
    "profile_ext",
    "handle_records",
    "_error_raised_label",
    "_is_paused",
    "_options",
    *HOOKS,
)


class Snapshot:
    """The configuration of `profiler` at this moment: settings, metrics, handlers and hooks."""

    def __init__(self, profiler: ProfilerProtocol) -> None:
        self._profiler = profiler
        self._attributes = {name: getattr(profiler, name) for name in _ATTRIBUTES}
        self._metrics, self._handlers = dict(profiler.metrics), dict(profiler.handlers)
        names: list[Any] = [getattr(one, "label_names", None) for one in self._metrics.values()]
        changeable = [cast("set[str]", known) for known in names if isinstance(known, set)]
        self._labels = [(known, set(known)) for known in changeable]
        self._loggers = profiler.tree.logger, profiler.tree.root.logger

    def restore(self) -> None:
        """Put this configuration in force again."""
        profiler = self._profiler
        profiler._is_plan_deferred = True  # One new plan, after the last change.
        try:
            for name, value in self._attributes.items():
                setattr(profiler, name, value)
            for names, before in self._labels:
                names.symmetric_difference_update(names ^ before)
            profiler.metrics.clear()
            profiler.metrics.update(self._metrics)
            profiler.handlers.clear()
            profiler.handlers.update(self._handlers)
            profiler.tree.logger, profiler.tree.root.logger = self._loggers
        finally:
            profiler._is_plan_deferred = False
        profiler._refresh()


def reset(profiler: ProfilerProtocol) -> None:
    """Take the whole configuration of `profiler` away; what waits is handed over first."""
    profiler._hand_over()
    profiler._is_plan_deferred = True
    try:
        profiler.metrics.clear()
        profiler.handlers.clear()
        for name in ("time_profile", "resp_size_profile", "profile_ext", *HOOKS):
            setattr(profiler, name, None)
        profiler.job = ""
        profiler.handle_records = profiler._is_paused = False
        profiler._error_raised_label = True
        profiler._options = USUAL
        logger = logging.getLogger("phanos.publisher")
        profiler.logger = profiler.tree.logger = profiler.tree.root.logger = logger
    finally:
        profiler._is_plan_deferred = False
    profiler._refresh()
