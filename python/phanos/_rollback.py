"""A configuration that fails changes nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from ._configuring import Configuring
    from ._profiler import Profiler

P = ParamSpec("P")
Configured = TypeVar("Configured", bound="Configuring")

_ATTRIBUTES = (
    "logger",
    "job",
    "time_profile",
    "resp_size_profile",
    "profile_ext",
    "handle_records",
    "_error_raised_label",
)


def all_or_nothing(
    configure: Callable[Concatenate[Configured, P], None],
) -> Callable[Concatenate[Configured, P], None]:
    """Undo what `configure` did to its profiler if it raises; records handed over stay so."""

    @functools.wraps(configure)
    def attempt(self: Configured, /, *args: P.args, **kwargs: P.kwargs) -> None:
        put_back = _memory_of(cast("Profiler", self))
        try:
            configure(self, *args, **kwargs)
        except BaseException:
            put_back()
            raise

    return attempt


def _memory_of(profiler: Profiler) -> Callable[[], None]:
    """Return what makes the configuration of `profiler` again what it is now."""
    attributes = {name: getattr(profiler, name) for name in _ATTRIBUTES}
    metrics, handlers = dict(profiler.metrics), dict(profiler.handlers)
    labels = [(metric.label_names, set(metric.label_names)) for metric in metrics.values()]
    tree = profiler.tree
    loggers = tree.logger, tree.root.logger

    def put_back() -> None:
        profiler._ready = False  # One plan for all of it, at the end.
        try:
            for name, value in attributes.items():
                setattr(profiler, name, value)
            for names, before in labels:
                names.symmetric_difference_update(names ^ before)
            profiler.metrics.clear()
            profiler.metrics.update(metrics)
            profiler.handlers.clear()
            profiler.handlers.update(handlers)
            tree.logger, tree.root.logger = loggers
        finally:
            profiler._ready = True
        profiler._refresh()

    return put_back
