"""The comparison itself: what must make two transcripts differ, and what must not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from normalise import TIME, checked_time, clean_record, clean_text
from transcripts import differ, show_difference

Change = Callable[[dict[str, Any]], None]


def record(method: str, error_raised: str = "False") -> list[Any]:
    return [["method", method], ["labels", ["dict", ["'error_raised'", error_raised]]]]


def transcript() -> dict[str, Any]:
    """Two interleaved roots: each has a hook, its records and an outcome."""
    return {
        "events": [
            ["hook", "attempt 1.0", "before_func", "one"],
            ["hook", "attempt 1.1", "before_func", "two"],
            ["batch", "attempt 1.0", "handler", "metric", [record("one")], "", None],
            ["batch", "attempt 1.1", "handler", "metric", [record("two")], "", None],
            [
                "log",
                "attempt 1.1",
                "logger",
                "DEBUG",
                "profiler: metric, method: two, value: 1.0 V",
            ],
            ["outcome", "main", "returned", "None", ""],
            ["count", "main", 0],
            ["nodes", "main", 0],
        ],
        "final": {
            "streams": {
                "stream": [
                    "profiler: metric, method: one, value: 1.0 V\n",
                    "profiler: metric, method: two, value: 2.0 V\n",
                ]
            },
            "async batches finished": {"handler": 2},
            "handlers": ["handler"],
        },
    }


def program(comparison: str, nodes_comparable: bool = True) -> dict[str, Any]:
    return {"comparison": comparison, "nodes_comparable": nodes_comparable}


def change_record(found: dict[str, Any]) -> None:
    found["events"][2][4][0][0][1] = "another"


def change_label(found: dict[str, Any]) -> None:
    found["events"][2][4] = [record("one", "True")]


def lose_record(found: dict[str, Any]) -> None:
    found["events"][3][4].clear()


def change_line(found: dict[str, Any]) -> None:
    found["final"]["streams"]["stream"][0] = "profiler: metric, method: one, value: 1.5 V\n"


def change_logged_line(found: dict[str, Any]) -> None:
    found["events"][4][4] += ", labels: a=b"


def lose_hook(found: dict[str, Any]) -> None:
    del found["events"][1]


def change_outcome(found: dict[str, Any]) -> None:
    found["events"][5][2] = "raised"


def change_state(found: dict[str, Any]) -> None:
    found["final"]["handlers"].clear()


def crash(found: dict[str, Any]) -> None:
    found.clear()
    found["crash"] = "Traceback"


def join_batches(found: dict[str, Any]) -> None:
    found["events"][2][4] += found["events"].pop(3)[4]


def change_waiting(found: dict[str, Any]) -> None:
    found["events"][6][2] = 3


def swap_records(found: dict[str, Any]) -> None:
    found["events"][2], found["events"][3] = found["events"][3], found["events"][2]


def swap_hooks(found: dict[str, Any]) -> None:
    found["events"][0], found["events"][1] = found["events"][1], found["events"][0]


def leave_node(found: dict[str, Any]) -> None:
    found["events"][7][2] = 1


ALWAYS = (
    change_record, change_label, lose_record, change_line, change_logged_line, lose_hook,
    change_outcome, change_state, crash,
)  # fmt: skip


@pytest.mark.parametrize("comparison", ["events", "records", "strands"])
@pytest.mark.parametrize("change", ALWAYS)
def test_always_a_difference(change: Change, comparison: str) -> None:
    changed = transcript()
    change(changed)
    assert differ(program(comparison), transcript(), changed)
    shown = show_difference(program(comparison), transcript(), changed)
    assert "--- phanos 0.3.2" in shown
    assert "+++ ours" in shown


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        (join_batches, ("events",)),
        (change_waiting, ("events",)),
        (swap_records, ("events", "records")),
        (swap_hooks, ("events", "records")),
        (leave_node, ("events", "records", "strands")),
    ],
)
@pytest.mark.parametrize("comparison", ["events", "records", "strands"])
def test_a_difference_only_where_it_counts(
    change: Change, differing: tuple[str, ...], comparison: str
) -> None:
    changed = transcript()
    change(changed)
    assert differ(program(comparison), transcript(), changed) is (comparison in differing)


def test_nodes_are_not_compared_where_0_3_2_leaves_some() -> None:
    changed = transcript()
    leave_node(changed)
    assert not differ(program("events", nodes_comparable=False), transcript(), changed)


def test_equal_transcripts_do_not_differ() -> None:
    for comparison in ("events", "records", "strands"):
        assert not differ(program(comparison), transcript(), copy.deepcopy(transcript()))


@pytest.mark.parametrize("value", [0.0, 0.01, 12.5, 1e6])
def test_times_with_two_decimals_are_masked(value: float) -> None:
    assert checked_time(value) == TIME


@pytest.mark.parametrize("value", [-0.01, 0.001, 3, "0.1", None, float("nan")])
def test_what_is_no_time_stays_visible(value: Any) -> None:
    assert checked_time(value) == f"not a time: {value!r}"


def test_masked_text_and_records() -> None:
    assert clean_text("value: 0.12 mS, labels: a=b") == f"value: {TIME} mS, labels: a=b"
    assert clean_text("value: 0.120 mS") != f"value: {TIME} mS"
    assert clean_text("value: 0.12 V") == "value: 0.12 V"
    measured = {"units": "mS", "value": ("observe", 0.25)}
    assert clean_record(measured)[1] == ["value", ["tuple", "observe", TIME]]
    sized = {"units": "B", "value": ("observe", 16.0)}
    assert clean_record(sized)[1] == ["value", ["tuple", "'observe'", "16.0"]]
