"""A profiler with one handler, and a function that it profiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phanos.publisher import Profiler


def configured(handler: Any) -> tuple[Profiler, Callable[[], None]]:
    """Return a profiler with this handler, and a profiled function."""
    profiler = Profiler()
    profiler.async_config(job="JOB")
    profiler.add_handler(handler)

    @profiler.profile
    def root() -> None:
        pass

    return profiler, root
