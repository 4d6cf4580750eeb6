"""What a profiler has for operators: switches, counts for a probe, a telling text form."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ._environment import checked_rate
from ._suggestions import did_you_mean

if TYPE_CHECKING:
    from ._options import Options
    from ._phanos import ProfilerCore
    from .metrics import MetricWrapper


class Switches:
    """The part of a profiler that is switched on and off and asked how it is."""

    metrics: dict[str, MetricWrapper]
    handlers: dict[str, Any]
    job: str
    _core: ProfilerCore
    _is_paused: bool
    _options: Options
    _dropped_records: int

    def pause(self) -> None:
        """Record no calls until `resume`; those that run are still recorded when they end."""
        self._is_paused = True

    def resume(self) -> None:
        """Record calls again after `pause`."""
        self._is_paused = False

    @property
    def sample_rate(self) -> float:
        """
        Share of the trees that are recorded, from 0 to 1; can be set.

        Where a root call begins it is chosen, once, whether it and all that it calls are recorded;
        of a tree that is not, hooks are not called either. Operations of metrics are recorded in
        any case. It does not apply while steps of a call are overridden.
        """
        return self._options.sample_rate

    @sample_rate.setter
    def sample_rate(self, rate: float) -> None:
        self._options = self._options._replace(sample_rate=checked_rate("sample_rate", rate))

    def stats(self) -> dict[str, Any]:
        """
        Return how the profiler and its handlers are, as what `json.dumps` takes.

        `enabled`: whether calls are recorded now; `paused`, `sample_rate`, `job`; `waiting`:
        records in the metrics; `dropped`: records that no handler took in time; `paths`: paths
        that were made, `paths_refused`: how often one was not, because of `max_paths`; `handlers`:
        by name, the `class` of each, and what its own `stats()` says, if it has one. A handler that
        cannot say has an `error` instead.
        """
        paths, refused = self._core.path_counts()
        return {
            "enabled": self._core.enabled,
            "paused": self._is_paused,
            "sample_rate": self.sample_rate,
            "job": self.job,
            "waiting": self._core.waiting,
            "dropped": self._dropped_records,
            "paths": paths,
            "paths_refused": refused,
            "handlers": {
                str(name): {"class": type(handler).__name__, **_stats_of(handler)}
                for name, handler in list(self.handlers.items())
            },
        }

    def __repr__(self) -> str:
        state = "paused" if self._is_paused else "enabled" if self._core.enabled else "disabled"
        handlers = ", ".join(map(repr, self.handlers.values()))
        return (
            f"<{type(self).__name__} {state}, job={self.job!r}, metrics={list(self.metrics)}, "
            f"handlers=[{handlers}]>"
        )


def _stats_of(handler: Any) -> dict[str, Any]:
    ask: Callable[[], Any] | None = getattr(handler, "stats", None)
    if not callable(ask) or inspect.iscoroutinefunction(ask):
        return {}
    try:
        said: Any = ask()
        return {**said} if isinstance(said, Mapping) else {}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def warn_of_unknown(name: str, known: frozenset[str]) -> None:
    """Warn the one who assigns to attribute `name` of a profiler, which has no such attribute."""
    warnings.warn(
        f"Profiler has no attribute {name!r}: assigning to it changes nothing"
        f"{did_you_mean(name, known)}",
        UserWarning,
        stacklevel=3,  # The line that assigns.
    )
