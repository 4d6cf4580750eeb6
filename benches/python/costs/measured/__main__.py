"""Measure in this process, and print the answer as JSON."""

from __future__ import annotations

import argparse
import json
import logging
from importlib import import_module
from typing import Any

from costs.measured import bare
from costs.measured.case import Case
from costs.measured.series import measured
from costs.measured.timing import Effort, samples

CALLS = {
    "phanos": "costs.measured.phanos_calls",
    "prometheus": "costs.measured.prometheus_calls",
    "opentelemetry": "costs.measured.opentelemetry_calls",
    **{
        f"instead.{name}": f"costs.measured.instead.{name}"
        for name in ("cprofile", "multiprocess", "pyinstrument", "sentry", "viztracer", "yappi")
    },
}


def calls(participant: str, effort: Effort, names: list[str]) -> dict[str, Any]:
    """Times of the cases of the table, and which case each is `beside`."""
    cases = wanted([*bare.cases(), *import_module(CALLS[participant]).cases()], names)
    return {
        "beside": {case.name: case.beside for case in cases},
        "samples": samples(cases, effort),
    }


def wanted(cases: list[Case], names: list[str]) -> list[Case]:
    """The named cases and those that they are compared with; all of them without names."""
    if not names:
        return cases
    kept = {case.name for case in cases if case.name in names}
    while missing := {case.beside for case in cases if case.name in kept} - kept:
        kept |= missing
    return [case for case in cases if case.name in kept]


def growth(effort: Effort, limit_s: float) -> dict[str, Any]:
    """All series of phanos by name."""
    series = import_module("costs.measured.phanos_growth").SERIES
    return {one.name: measured(one, effort, limit_s) for one in series}


def memory() -> dict[str, Any]:
    """Memory of paths that phanos knows."""
    found: dict[str, Any] = import_module("costs.measured.phanos_memory").path_bytes()
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="costs.measured", description=__doc__)
    whats = parser.add_subparsers(dest="what", required=True)
    for_calls, for_growth = whats.add_parser("calls"), whats.add_parser("growth")
    whats.add_parser("memory")
    for_calls.add_argument("participant", choices=CALLS)
    for_calls.add_argument("names", nargs="*", help="of cases; by default all")
    for_growth.add_argument("--limit-s", type=float, required=True, help="time of a last point")
    for timed in (for_calls, for_growth):
        timed.add_argument("--slice-ms", type=float, required=True, help="of each measurement")
        timed.add_argument("--repeats", type=int, required=True)
    return parser.parse_args()


def main() -> None:
    told = arguments()
    # 0.3.2 logs what it loses; so do we, once a minute.
    logging.disable(logging.CRITICAL)
    if told.what == "calls":
        found = calls(told.participant, Effort(told.slice_ms, told.repeats), told.names)
    elif told.what == "growth":
        found = growth(Effort(told.slice_ms, told.repeats), told.limit_s)
    else:
        found = memory()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
