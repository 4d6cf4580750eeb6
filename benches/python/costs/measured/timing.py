"""Timing cases in turn within one process."""

from __future__ import annotations

import gc
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import NamedTuple

from costs.measured.case import Case
from costs.measured.counting import counted


class Effort(NamedTuple):
    """How long each case is timed for, and how often."""

    slice_ms: float
    repeats: int


@contextmanager
def collector_off() -> Generator[None, None, None]:
    """Keep the garbage collector out of what is timed."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def elapsed_ns(case: Case, calls: int) -> int:
    """Time of so many calls."""
    case.arrived()  # What is still on its way from before gets there first.
    start = time.perf_counter_ns()
    case.run(calls)
    return time.perf_counter_ns() - start


def checked_ns(case: Case, calls: int) -> int:
    """
    Time of so many calls whose records are counted.

    Raises:
        AssertionError: they did not record what they should have.
    """
    with counted():
        before = case.arrived()
        elapsed = elapsed_ns(case, calls)
        case.check(calls, case.arrived() - before)
    return elapsed


def calls_per_slice(case: Case, slice_ms: float) -> int:
    """How many calls take about that long: found by doubling, from one unit on."""
    calls, wanted_ns = case.unit, slice_ms * 1e6
    # The better of two: one that was interrupted would shorten every measurement to come.
    while (elapsed := min(checked_ns(case, calls), checked_ns(case, calls))) < wanted_ns / 4:
        calls *= 2
    return max(1, round(calls * wanted_ns / elapsed / case.unit)) * case.unit


def samples(cases: Iterable[Case], effort: Effort) -> dict[str, list[float]]:
    """
    Time all cases in turn, `effort.repeats` times.

    Returns nanoseconds per call, by case, in the order of the repeats: the same place in two
    lists is the same minute on the machine. What the calls record is checked before and after.

    Raises:
        AssertionError: it is not what they should record.
    """
    with collector_off():
        planned = [(case, calls_per_slice(case, effort.slice_ms)) for case in cases]
        found: dict[str, list[float]] = {case.name: [] for case, _ in planned}
        for _ in range(effort.repeats):
            for case, calls in planned:
                gc.collect()
                found[case.name].append(elapsed_ns(case, calls) / calls)
        for case, calls in planned:
            checked_ns(case, calls)
    return found
