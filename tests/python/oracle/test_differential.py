"""The same generated programs under phanos 0.3.2 and under ours leave the same transcripts."""

from __future__ import annotations

import os
import sys
from typing import Any

import interpreters
import pytest
from program import generate_program
from shrink import shrink
from source import render_program
from transcripts import differ, kind_of_difference, show_difference

PROGRAMS_PER_BATCH = 100
# More programs for a longer search: PHANOS_ORACLE_PROGRAMS=20000 pytest tests/python/oracle
PROGRAMS = int(os.environ.get("PHANOS_ORACLE_PROGRAMS", "1000"))
# Other programs on every Python version: all of them together find more.
FIRST_SEED = 100_000 * (sys.version_info.minor - 10)
SHRINK_TIME_S = 15.0
Program = dict[str, Any]
BATCHES = range(FIRST_SEED, FIRST_SEED + PROGRAMS, PROGRAMS_PER_BATCH)


@pytest.fixture(scope="module")
def task_groups() -> bool:
    """Whether both interpreters have asyncio.TaskGroup; also checks that they are what they
    should be, so that a comparison of a version with itself cannot pass for a result."""
    upstream_version, upstream_file, upstream_python = interpreters.identify(
        [interpreters.upstream_python()]
    )
    our_version, our_file, our_python = interpreters.identify(interpreters.our_python())
    assert upstream_version == interpreters.UPSTREAM_VERSION
    assert our_version != upstream_version
    assert our_file != upstream_file
    return min(upstream_python, our_python) >= (3, 11)


def compare(programs: list[Program]) -> list[tuple[Any, Any]]:
    upstream, ours = interpreters.run_both("interpret.py", programs)
    return list(zip(upstream, ours, strict=True))


def still_differs(programs: list[Program], kind: str) -> list[bool]:
    """
    Which programs still show the difference `kind`.

    Programs that removals broke, so that they cannot run, show nothing; others may show a
    difference that is intended and that generated programs avoid.
    """
    return [
        "crash" not in upstream
        and "crash" not in ours
        and kind_of_difference(program, upstream, ours) == kind
        for program, (upstream, ours) in zip(programs, compare(programs), strict=True)
    ]


@pytest.mark.parametrize("first_seed", BATCHES)
def test_same_transcripts(first_seed: int, task_groups: bool) -> None:
    seeds = range(first_seed, min(first_seed + PROGRAMS_PER_BATCH, BATCHES.stop))
    programs = [generate_program(seed, task_groups) for seed in seeds]
    results = compare(programs)
    for program, (upstream, ours) in zip(programs, results, strict=True):
        for name, transcript in (("phanos 0.3.2", upstream), ("ours", ours)):
            assert "crash" not in transcript, (
                f"program {program['seed']} cannot run under {name}:\n"
                f"{render_program(program)}\n{transcript['crash']}"
            )
        # Where 0.3.2 leaves nodes of overlapping calls behind, ours leaves none.
        left = [event for event in ours["events"] if event[0] == "nodes" and event[2]]
        assert not left, f"{left} in program {program['seed']}:\n{render_program(program)}"
    differing = [
        (program, upstream, ours)
        for program, (upstream, ours) in zip(programs, results, strict=True)
        if differ(program, upstream, ours)
    ]
    if differing:
        pytest.fail(report(differing), pytrace=False)


def report(differing: list[tuple[Program, Any, Any]]) -> str:
    """The smallest of the programs that differ, made smaller, and what differs."""
    seeds = [program["seed"] for program, _, _ in differing]
    program, upstream, ours = min(differing, key=lambda found: len(render_program(found[0])))
    compared = f"seed {program['seed']}, compared by {program['comparison']}"
    [(upstream_alone, ours_alone)] = compare([program])
    kind = kind_of_difference(program, upstream_alone, ours_alone)
    if kind:
        program = shrink(program, lambda programs: still_differs(programs, kind), SHRINK_TIME_S)
        [(upstream, ours)] = compare([program])
    else:
        compared += ", only after the programs before it in its batch"
    return (
        f"{len(differing)} programs differ, seeds {seeds}; the smallest, {compared}:\n\n"
        f"{render_program(program)}\n{show_difference(program, upstream, ours)}"
    )
