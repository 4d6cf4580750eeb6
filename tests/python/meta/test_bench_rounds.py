"""How the benchmarks find participants and have them take turns."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from costs import calls, imports, machine
from costs.participants import NEW, OLD, OPENTELEMETRY, PROMETHEUS, Installed, found, installed
from costs.rounds import Plan, answer, ask, turns

OURS = Installed(NEW, sys.executable, "0.4.0", platform.python_version())


def test_a_participant_is_found_with_its_versions():
    one = installed(NEW, sys.executable)
    assert one is not None
    assert (one.python, one.python_version) == (sys.executable, platform.python_version())
    assert one.version.startswith("0.4.")


def test_what_is_not_installed_is_told(tmp_path: Path):
    absent = str(tmp_path / "python")
    there, missing = found(sys.executable, absent, absent)
    assert [one.participant for one in there] == [NEW]
    assert missing == [OLD, PROMETHEUS, OPENTELEMETRY]
    assert installed(replace(NEW, package="phanos-of-another-world"), sys.executable) is None


def test_everybody_begins_a_round_in_turn():
    there = [replace(OURS, version=version) for version in "abc"]
    order = [(number, one.version) for number, one in turns(there, 2)]
    assert order == [(0, "a"), (0, "b"), (0, "c"), (1, "b"), (1, "c"), (1, "a")]


def test_a_process_that_fails_tells_why():
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        answer([sys.executable, "-c", "1 / 0"])


def test_every_case_of_this_package_records_what_it_should():
    told: list[str] = []
    found = calls.measured([OURS], Plan(rounds=1, slice_ms=0.2, repeats=1), (), told.append)
    assert told == ["calls, round 1 of 1: phanos 0.4.0"]
    (samples,) = found["new"].rounds
    assert samples.keys() == found["new"].beside.keys() >= {"nested_sync", "hooks", "operation"}
    assert all(len(times) == 1 and times[0] > 0 for times in samples.values())


def test_growth_of_this_package_can_be_measured():
    plan = Plan(rounds=1, slice_ms=0.2, repeats=1)
    found = ask(sys.executable, "growth", "--limit-s", "0", *plan.options())
    assert {name: len(points) for name, points in found.items()} == dict.fromkeys(found, 1)
    assert {"depth", "live_tasks", "paths", "labels"} <= found.keys()


def test_memory_of_paths_can_be_measured():
    found = ask(sys.executable, "memory")
    assert 20 < found["bytes"] / found["paths"] < 1_000


def test_an_import_takes_time_and_memory():
    (start,) = imports.measured([OURS], rounds=1)["new"]
    assert start["import"]["ms"] > 0
    assert start["import"]["resident_bytes"] > start["bare"]["resident_bytes"] > 0


def test_the_machine_is_described():
    assert machine.machine()["cores"] >= 1
    assert machine.interpreter(sys.executable)["version"] == platform.python_version()
    assert machine.said("program-of-another-world") is None
