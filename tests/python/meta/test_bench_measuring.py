"""How the benchmarks time a case: they check what it records, and stop what takes too long."""

from __future__ import annotations

import gc

import pytest
from costs.measured.__main__ import wanted
from costs.measured.case import Case
from costs.measured.series import Point, Series, measured
from costs.measured.timing import Effort, calls_per_slice, checked_ns, samples

EFFORT = Effort(slice_ms=0.2, repeats=3)


def take_time(calls: int) -> None:
    """As calls do."""
    for _ in range(calls):
        pass


class Recording:
    """A case of the tests: records what it is told to."""

    def __init__(self, share: float = 1.0) -> None:
        self.calls = self.records = 0
        self.share = share

    def run(self, calls: int) -> None:
        take_time(calls)
        self.calls += calls
        self.records += int(calls * self.share)

    def case(self, name: str = "recording", unit: int = 10, *, unreliable: bool = False) -> Case:
        return Case(name, self.run, "recording", unit, unit, lambda: self.records, unreliable)


def test_a_case_that_loses_a_record_is_not_timed():
    assert checked_ns(Recording().case(), 100) > 0
    with pytest.raises(AssertionError, match="recording: 100 records expected, 99 arrived"):
        checked_ns(Recording(0.99).case(), 100)


def test_an_unreliable_case_has_to_record_something():
    assert checked_ns(Recording(0.5).case(unreliable=True), 100) > 0
    with pytest.raises(AssertionError, match="100 records expected, 0 arrived"):
        checked_ns(Recording(0.0).case(unreliable=True), 100)


def test_a_slice_has_whole_units():
    recording = Recording()
    assert calls_per_slice(recording.case(unit=7), 0.2) % 7 == 0
    assert recording.calls % 7 == 0


def test_cases_are_timed_in_turn_without_the_garbage_collector():
    collecting: list[tuple[str, bool]] = []

    def noting(name: str) -> Case:
        def run(calls: int) -> None:
            collecting.append((name, gc.isenabled()))
            take_time(calls)

        return Case(name, run, "one")

    found = samples([noting("one"), noting("other")], EFFORT)
    assert {name: len(times) for name, times in found.items()} == {"one": 3, "other": 3}
    assert [name for name, _ in collecting[-8:]] == ["one", "other"] * 4
    assert not any(enabled for _, enabled in collecting)
    assert gc.isenabled()


def test_a_series_ends_with_the_size_that_takes_too_long():
    def point(size: int) -> Point:
        return Point(Recording().case("case"), Recording().case("beside"))

    series = Series("sizes", (1, 2, 3), point)
    assert [one["size"] for one in measured(series, EFFORT, limit_s=60)] == [1, 2, 3]
    assert [one["size"] for one in measured(series, EFFORT, limit_s=0)] == [1]


def test_a_point_is_measured_in_its_surroundings():
    inside: list[bool] = [False]
    seen: list[bool] = []

    def surroundings(measure) -> None:
        inside[0] = True
        measure()
        inside[0] = False

    def run(calls: int) -> None:
        seen.append(inside[0])
        take_time(calls)

    case, beside = Case("case", run, "case"), Case("beside", run, "beside")
    series = Series("one", (1,), lambda _: Point(case, beside, surroundings))
    (found,) = measured(series, EFFORT, limit_s=60)
    assert len(found["samples"]) == len(found["beside"]) == EFFORT.repeats
    assert all(seen)


def test_named_cases_bring_what_they_are_compared_with():
    cases = [
        Case("bare", print, "bare"),
        Case("without", print, "bare"),
        Case("with", print, "without"),
        Case("other", print, "bare"),
    ]
    assert [case.name for case in wanted(cases, ["with"])] == ["bare", "without", "with"]
    assert wanted(cases, []) == cases
