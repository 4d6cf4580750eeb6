"""Records as a profiler hands them over."""

from __future__ import annotations

from typing import Any


def record(number: int, **changed: Any) -> dict[str, Any]:
    """Return one record; its value is its number."""
    return {
        "item": "A",
        "metric": "histogram",
        "units": "mS",
        "job": "JOB",
        "method": "A:root",
        "labels": {},
        "value": ("observe", float(number)),
        **changed,
    }


RECORD: Any = record(1)
"""One for tests in which any will do."""
