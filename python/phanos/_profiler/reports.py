"""What a profiler says of itself and of its attributes."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from phanos._arguments.suggestions import did_you_mean


def stats_of(handler: Any) -> dict[str, Any]:
    """Return what `handler` says of itself; an `error` where it cannot."""
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
