"""`StreamHandler(format="json")`: one object per line."""

from __future__ import annotations

import io
import json
import os
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from phanos import metrics
from phanos.handlers import StreamHandler
from support import make_profiler

HERE = __name__


def test_each_record_is_an_object() -> None:
    output = io.StringIO()
    profiler = make_profiler(StreamHandler("out", output, format="json"))
    info = metrics.Info("version", "JOB", labels={"where"})
    profiler.add_metric(info)

    @profiler.profile
    def leaf() -> None:
        info.info_({"text": "two\nlines, häßlich"}, label_values={"where": {1, 2}})

    @profiler.profile
    def root() -> None:
        leaf()

    before = datetime.now(timezone.utc) - timedelta(milliseconds=1)
    root()
    leaf()
    lines = output.getvalue().splitlines()
    assert output.getvalue().endswith("\n")
    found: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [(one["batch"], one["name"], one["method"]) for one in found] == [
        (1, "time_profiler", f"{HERE}:root.leaf"),
        (1, "time_profiler", f"{HERE}:root"),
        (2, "version", f"{HERE}:root.leaf"),
        (3, "time_profiler", f"{HERE}:leaf"),
        (4, "version", f"{HERE}:leaf"),
    ]
    assert {one["process"] for one in found} == {os.getpid()}
    assert before <= datetime.fromisoformat(found[0]["time"]) <= datetime.now(timezone.utc)
    assert list(found[2]) == [
        *("time", "process", "batch", "name"),
        *("item", "metric", "units", "job", "method", "labels", "value"),
    ]
    assert found[2]["value"] == ["info", {"text": "two\nlines, häßlich"}]
    assert found[2]["labels"]["error_raised"] is False


def test_the_format_can_be_changed() -> None:
    output = io.StringIO()
    profiler = make_profiler(handler := StreamHandler("out", output))

    @profiler.profile
    def root() -> None: ...

    root()
    handler.format = "json"
    root()
    text, line = output.getvalue().splitlines()
    assert text.startswith("profiler: time_profiler, ")
    assert json.loads(line)["name"] == "time_profiler"


def test_a_format_is_checked() -> None:
    with pytest.raises(ValueError, match=r"'out' expects 'text' or 'json' as format, got 'xml'"):
        StreamHandler("out", format="xml")  # type: ignore[arg-type]
