"""Measure one participant, in this process: prints JSON."""

from __future__ import annotations

import argparse
import json
import logging
from importlib import import_module

from costs.measured import bare
from costs.measured.case import Case
from costs.measured.timing import Effort, samples

MODULES = {
    "phanos": "costs.measured.phanos_calls",
    "prometheus": "costs.measured.prometheus_calls",
    "opentelemetry": "costs.measured.opentelemetry_calls",
}


def wanted(every: list[Case], names: list[str] | None) -> list[Case]:
    """The named cases and those that they are compared with; all of them without names."""
    if not names:
        return every
    kept = {case.name for case in every if case.name in names}
    while missing := {case.beside for case in every if case.name in kept} - kept:
        kept |= missing
    return [case for case in every if case.name in kept]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("participant", choices=MODULES)
    parser.add_argument("--slice-ms", type=float, required=True, help="time of each measurement")
    parser.add_argument("--repeats", type=int, required=True)
    parser.add_argument("--only", nargs="*", help="names of cases")
    told = parser.parse_args()
    # 0.3.2 logs what it loses; so do we, once a minute.
    logging.disable(logging.CRITICAL)
    participants: list[Case] = import_module(MODULES[told.participant]).cases()
    every = [*bare.cases(), *participants]
    chosen = wanted(every, told.only)
    beside = {case.name: case.beside for case in chosen}
    found = samples(chosen, Effort(told.slice_ms, told.repeats))
    print(json.dumps({"beside": beside, "samples": found}))


if __name__ == "__main__":
    main()
