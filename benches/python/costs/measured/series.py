"""How a cost grows: cases for each size of something."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from costs.measured.case import Case
from costs.measured.timing import Effort, samples

Thunk = Callable[[], None]


def at_once(measure: Thunk) -> None:
    """No particular surroundings."""
    measure()


@dataclass(frozen=True)
class Point:
    """A case at one size, the case it is compared with, and where both are to run."""

    case: Case
    beside: Case
    surroundings: Callable[[Thunk], None] = at_once


@dataclass(frozen=True)
class Series:
    """Sizes in rising order, and what is measured at each."""

    name: str
    sizes: Sequence[int]
    point: Callable[[int], Point]


def measured(series: Series, effort: Effort, limit_s: float) -> list[dict[str, Any]]:
    """
    Measure one size after the other; the first that takes longer than `limit_s` is the last.

    Returns for each size nanoseconds per call, of the case and of what it is compared with.
    """
    found: list[dict[str, Any]] = []
    for size in series.sizes:
        point = series.point(size)
        start = time.perf_counter()
        point.surroundings(lambda: found.append(at(size, point, effort)))  # noqa: B023
        if time.perf_counter() - start > limit_s:
            break
    return found


def at(size: int, point: Point, effort: Effort) -> dict[str, Any]:
    times = samples([point.beside, point.case], effort)
    return {
        "size": size,
        "samples": times[point.case.name],
        "beside": times[point.beside.name],
    }
