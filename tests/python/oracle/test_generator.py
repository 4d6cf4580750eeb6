"""The generated programs: the same for a seed, varied, and deterministic where they run."""

from __future__ import annotations

import ast
import json
from collections import Counter

import generated_values as values
import interpreters
import pytest
from generated_steps import HANDLER_CLASSES, HOOKS
from program import generate_program
from source import render_program

SEEDS = range(500)
# In how many of the 500 programs each of these must appear.
COMMON = 100
REGULAR = 20
RARE = 10
EXPECTED = {
    **dict.fromkeys(
        (
            "root call", "call", "function", "async function", "method", "async method", "property",
            "recursion", "local function", "nested class", "inheritance", "borrowed callable",
            "lambda", "guarded", "finally", "raised again", "config", "dict_config",
            "arguments by name", "good labels", "asynchronous profiler", "overlapping roots",
            *HOOKS,
        ),
        COMMON,
    ),
    **dict.fromkeys(
        (
            "classmethod", "staticmethod", "async classmethod", "async staticmethod", "local class",
            "async call", "call", "inherited method", "call through self", "loop", "raised from",
            "failing call in except block", "exception crosses calls", "function without decorator",
            "gather", "spawn", "cancel", "task_group", "to_thread", "copied context",
            "root call in a thread", "root in a thread", "copied context in a thread",
            "limit of waiting records", "root call while idle", "operation outside any call",
            "missing labels", "extra labels", "renamed labels", "absent labels", "reserved labels",
            "handle_records switched", "error_raised_label switched", "hook removed",
            "delete_metric", "unknown name deleted", "clear", "metric added late",
            "again config", "profiled by hand", "AsyncRecordingHandler",
            *HANDLER_CLASSES,
            *(f"{name} in dict" for name in HANDLER_CLASSES),
            *(f"raises {error}" for error in (*values.ERRORS, *values.SYNC_ERRORS)),
            *(f"raises {error}" for error in (*values.SILENT_ERRORS, *values.LOOP_ENDING_ERRORS)),
        ),
        REGULAR,
    ),
    **dict.fromkeys(
        (
            "override with super", "delete_handler", "delete_handlers", "delete_metrics",
            "again dict_config", "handler replaced",
            "create_time_profiler", "create_response_size_profiler",
            "cancelled root","gather with a failing member", "task_group with a failing member",
            "root profiled by hand",
            "AsyncRecordingHandler in dict",
        ),
        RARE,
    ),
    **{
        f"{metric}.{operation} {kind} value": REGULAR
        for metric, operations in values.OPERATIONS.items()
        for operation in operations
        for kind in ("good", "bad")
        if kind == "good" or (metric, operation) not in values.ALWAYS_ACCEPTED
    },
}  # fmt: skip


def test_a_seed_always_gives_the_same_program() -> None:
    for seed in SEEDS:
        first, second = generate_program(seed), generate_program(seed)
        assert first == second
        assert json.loads(json.dumps(first)) == first
    assert generate_program(1) != generate_program(2)


def test_every_program_is_valid_source() -> None:
    for seed in SEEDS:
        ast.parse(render_program(generate_program(seed)))


def test_every_feature_appears_often_enough() -> None:
    programs: Counter[str] = Counter()
    for seed in SEEDS:
        programs.update(generate_program(seed)["features"].keys())
    lacking = {
        feature: (programs[feature], least)
        for feature, least in EXPECTED.items()
        if programs[feature] < least
    }
    assert lacking == {}, "found in how many programs, expected in at least how many"


def test_most_programs_are_compared_event_by_event() -> None:
    comparisons = Counter(generate_program(seed)["comparison"] for seed in SEEDS)
    assert comparisons["events"] > len(SEEDS) * 0.6
    assert comparisons["records"] > 25
    assert comparisons["strands"] > 25


@pytest.mark.parametrize("version", ["0.3.2", "ours"])
def test_a_program_leaves_the_same_transcript_twice(version: str) -> None:
    python = [interpreters.upstream_python()] if version == "0.3.2" else interpreters.our_python()
    programs = [generate_program(seed, task_groups=False) for seed in range(100)]
    first = interpreters.run_script(python, "interpret.py", programs)
    second = interpreters.run_script(python, "interpret.py", programs)
    for program, before, after in zip(programs, first, second, strict=True):
        assert "crash" not in before, before["crash"]
        assert before == after, render_program(program)


def test_transcripts_show_what_programs_are_about() -> None:
    """Counted under 0.3.2, so that a version that records nothing cannot make it agree."""
    programs = [generate_program(seed, task_groups=False) for seed in range(200)]
    transcripts = interpreters.run_script(
        [interpreters.upstream_python()], "interpret.py", programs
    )
    events = [event for transcript in transcripts for event in transcript["events"]]
    kinds = Counter(event[0] for event in events)
    for kind in ("hook", "probe", "batch", "log", "caught", "outcome", "count", "nodes", "results"):
        assert kinds[kind] > 100, kind
    records = [record for event in events if event[0] == "batch" for record in event[4]]
    labels = Counter(json.dumps(dict(record)["labels"]) for record in records)
    paths = {dict(record)["method"] for record in records}
    assert len(records) > 2000
    assert sum(count for text, count in labels.items() if "'error_raised'\", \"True" in text) > 100
    assert len(paths) > 250
    assert max(path.count(".") for path in paths) >= 5
    lines = [
        line
        for found in transcripts
        for text in found["final"]["streams"].values()
        for line in text
    ]
    assert len(lines) > 1000
