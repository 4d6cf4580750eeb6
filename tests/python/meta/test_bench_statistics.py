"""What the benchmarks make of measurements: minimum and median above the bare call."""

from __future__ import annotations

import pytest
from bench_samples import calls, growth, result, starts
from costs import imports
from costs.growth import Growth
from costs.rows import WRAPPER, rows
from costs.statistics import Cost, cost, cost_of
from costs.targets import TARGETS, checked


def test_the_minimum_is_between_the_smallest_and_the_median_of_neighbours():
    rounds = [
        {"bare": [20.0, 30.0], "case": [100.0, 110.0]},
        {"bare": [25.0, 10.0], "case": [90.0, 200.0]},
    ]
    assert cost(rounds, "case", "bare") == Cost(80.0, 80.0)
    assert cost_of([3.0, 1.0, 8.0]) == Cost(1.0, 3.0)


def test_a_round_that_is_slow_throughout_does_not_change_the_cost():
    assert calls(250.0).cost("nested_sync") == Cost(250.0, 252.0)


def test_a_case_that_the_participant_lacks_has_no_cost():
    assert calls(250.0).cost("hooks") is None


def test_what_costs_nothing_is_not_infinitely_cheaper():
    assert Cost(0.0, 0.0).ratio(Cost(300.0, 300.0)) == 300
    assert Cost(-4.0, 1.0).ratio(Cost(300.0, 300.0)) == 300


def test_rows_have_the_wrapper_of_all_processes_and_no_absent_participants():
    found = rows(result())
    assert set(found["nested_sync"].costs) == {"new", "old", "prometheus", WRAPPER}
    assert found["nested_sync"].costs[WRAPPER].minimum == 60.0
    assert found["sync_up"].costs["old"] == Cost(50_000.0, 55_000.0)
    assert "hooks" not in found


def test_growth_leaves_out_a_size_that_took_too_long_in_one_round():
    assert growth({1: 250.0, 10: 255.0}).costs("paths") == {
        1: Cost(250.0, 254.5),
        10: Cost(255.0, 259.5),
    }
    short, whole = growth({1: 250.0}), growth({1: 250.0, 10: 255.0})
    assert list(Growth(short.rounds + whole.rounds).costs("paths")) == [1]


def test_an_import_costs_what_it_takes_above_an_interpreter_without_it():
    assert imports.cost(starts(20.0)) == (20.0, 20.0, 1_000_000)


@pytest.mark.parametrize(
    ("title", "verdict"),
    [
        ("nested call, sync: of 0.3.2", "met     nested call, sync: of 0.3.2: 1/36.0"),
        ("nested call, sync: of prometheus_client", "MISSED  nested call, sync: of prom"),
        ("importing: of 0.3.2", "met     importing: of 0.3.2: 1/2.5"),
        ("four hooks: of 0.3.2", "--      four hooks: of 0.3.2: not measured"),
    ],
)
def test_targets_are_met_missed_or_not_measured(title: str, verdict: str):
    lines = dict(zip((target.title for target in TARGETS), checked(result()), strict=True))
    assert lines[title].strip().startswith(verdict)
