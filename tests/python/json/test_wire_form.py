"""The wire form of batches: from a metric's columns and from dicts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from phanos import metrics
from phanos._phanos import records_to_json, waiting_to_json
from support import CollectingHandler, make_profiler

GOLDEN = (
    b'[{"item":"A","metric":"histogram","units":"mS","job":"JOB","method":"A:root.leaf",'
    b'"labels":{"error_raised":false},"value":["observe",0.09]}]'
)


def record(**changed: Any) -> dict[str, Any]:
    return {
        "item": "A",
        "metric": "histogram",
        "units": "mS",
        "job": "JOB",
        "method": "A:root.leaf",
        "labels": {"error_raised": False},
        "value": ("observe", 0.09),
        **changed,
    }


def test_a_record_has_the_bytes_that_consumers_know() -> None:
    assert records_to_json([record()]) == GOLDEN


def test_columns_have_the_bytes_that_consumers_know() -> None:
    metric = metrics.Histogram("time", "JOB", "mS")
    metric.values = [("observe", 0.09)]
    metric.label_values = [{"error_raised": False}]
    metric.method = ["A:root.leaf"]
    assert waiting_to_json(metric) == GOLDEN


def test_records_of_calls_become_what_their_dicts_become() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    counter = metrics.Counter("counter", "JOB", "items", {"place", 'ž"'})
    profiler.add_metric(counter)
    written: list[tuple[bytes, list[Any]]] = []

    def keep(result: Any, args: Any, kwargs: Any) -> None:
        written.extend(
            (waiting_to_json(metric), metric.to_records()) for metric in profiler.metrics.values()
        )

    @profiler.profile
    def leaf(fail: bool) -> None:
        counter.inc(2, {"place": [1, None], 'ž"': 0.5})
        if fail:
            raise ValueError("failed")

    @profiler.profile
    def root() -> str:
        leaf(False)
        with pytest.raises(ValueError, match="failed"):
            leaf(True)
        return "done"

    profiler.after_root_func = keep
    root()
    assert [len(records) for _, records in written] == [1, 3, 2]
    for json_of_columns, records in written:
        assert json_of_columns == records_to_json(records)
        # Tuples are lists in JSON.
        assert json.loads(json_of_columns) == [
            {**record, "value": list(record["value"])} for record in records
        ]


def test_no_records_are_an_empty_array() -> None:
    assert records_to_json([]) == b"[]"
    assert waiting_to_json(metrics.Gauge("gauge", "JOB", "units")) == b"[]"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, b"[{}]"),
        ({"value": 1, "job": "J", "extra": None}, b'[{"value":1,"job":"J","extra":null}]'),
        ({"item": {"b": 1, "a": []}}, b'[{"item":{"b":1,"a":[]}}]'),
    ],
)
def test_keys_stay_as_they_are_and_in_their_order(changed: Any, expected: bytes) -> None:
    assert records_to_json([changed]) == expected


def test_records_may_come_from_any_iterable() -> None:
    expected = b"[" + GOLDEN[1:-1] + b"," + GOLDEN[1:-1] + b"]"
    assert records_to_json(iter([record(), record()])) == expected
    assert records_to_json((record(), record())) == expected


def test_what_cannot_be_iterated_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="int"):
        records_to_json(1)  # type: ignore[arg-type]


def test_only_complete_rows_of_columns_are_written() -> None:
    metric = metrics.Histogram("time", "JOB", "mS")
    metric.values = [("observe", 0.09), ("observe", 1.0)]
    metric.label_values = [{"error_raised": False}]
    metric.method = ["A:root.leaf", "A:root"]
    assert waiting_to_json(metric) == GOLDEN


def test_writing_columns_leaves_the_records_waiting() -> None:
    metric = metrics.Info("info", "JOB")
    metric.info_({"version": "1"}, None, None)
    first = waiting_to_json(metric)
    assert len(metric.values) == 1
    assert waiting_to_json(metric) == first
    assert json.loads(first)[0]["value"] == ["info", {"version": "1"}]
