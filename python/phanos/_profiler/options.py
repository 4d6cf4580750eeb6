"""Settings of a profiler that 0.3.2 does not have, as one object: most profilers share it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Naming(NamedTuple):
    """How paths are made, as `ProfilerCore.set_naming` takes it; 0 for no limit."""

    qualified: bool = False
    by_class: bool = False
    folds: bool = False
    max_depth: int = 0
    max_paths: int = 0


class Options(NamedTuple):
    """Checked settings."""

    sample_rate: float = 1.0
    time_decimals: int = 2
    response_size_of: str = "object"
    ignores: Callable[[], bool] | None = None
    """Tells whether the exception that is being handled is no error."""
    naming: Naming = Naming()


USUAL = Options()
"""What 0.3.2 does."""
