"""A small result of the benchmarks, for the tests of tables, charts and statistics."""

from __future__ import annotations

from costs.calls import Calls
from costs.growth import Growth
from costs.results import Result

BESIDE = {
    "bare_sync": "bare_sync",
    "wrapper_sync": "bare_sync",
    "nested_sync": "bare_sync",
}


def calls(nested_ns: float) -> Calls:
    """Two rounds of two repeats; the second round is slower throughout."""
    rounds = [
        {
            "bare_sync": [20.0 + slower, 21.0 + slower],
            "wrapper_sync": [80.0 + slower, 82.0 + slower],
            "nested_sync": [20.0 + nested_ns + slower, 25.0 + nested_ns + slower],
        }
        for slower in (0.0, 100.0)
    ]
    return Calls(dict(BESIDE), rounds)


def points(costs: dict[int, float]) -> list[dict[str, object]]:
    """Of one series of growth."""
    return [
        {"size": size, "samples": [20.0 + cost, 30.0 + cost], "beside": [20.0, 21.0]}
        for size, cost in costs.items()
    ]


SERIES = (
    "recorded_depth",
    "depth",
    "live_tasks",
    "paths",
    "context_variables",
    "metrics",
    "labels",
)


def growth(costs: dict[int, float]) -> Growth:
    """Two rounds, the same for every series."""
    return Growth([{name: points(costs) for name in SERIES} for _ in range(2)])


def starts(import_ms: float) -> list[dict[str, dict[str, float]]]:
    """Interpreters with an import of so many milliseconds, which takes a megabyte."""
    return [
        {
            "bare": {"ms": 10.0 + slower, "resident_bytes": 5_000_000},
            "import": {"ms": 10.0 + import_ms + slower, "resident_bytes": 6_000_000},
        }
        for slower in (3.0, 0.0)
    ]


def sustained(records: int, elapsed_s: float, messages: int | None) -> dict[str, float | None]:
    """An answer about as many records as possible."""
    return {
        "records": records,
        "messages": messages,
        "elapsed_s": elapsed_s,
        "caller_s": elapsed_s / 2,
        "delivery_s": elapsed_s / 4,
        "others_s": elapsed_s,
    }


def result(version: str = "3.11.7", date: str = "2026-01-31T12:00:00+00:00") -> Result:
    """Both phanos and one other library."""
    state = {"up": [50_000.0, 60_000.0], "down": [344_000_000.0]}
    ours = {"up": [350.0, 360.0], "down": [355.0]}
    rounds = {
        "old": [sustained(1_000, 0.1, None), sustained(1_000, 0.05, None)],
        "new": [sustained(10_000, 0.02, 10)],
    }
    return Result(
        about={
            "date": date,
            "machine": {"processor": "Abacus", "cores": 2, "system": "Linux 6.1"},
            "python": {"version": version, "pgo": False},
            "rustc": "rustc 1.95.0 (something)",
            "participants": {"new": "0.4.0", "old": "0.3.2", "prometheus": "0.26.0"},
            "missing": ["opentelemetry"],
        },
        calls={"new": calls(250.0), "old": calls(9_000.0), "prometheus": calls(1_200.0)},
        growth={"new": growth({1: 250.0, 10: 255.0}), "old": growth({1: 9_000.0})},
        imports={"new": starts(20.0), "old": starts(50.0), "prometheus": starts(30.0)},
        installed_bytes={
            "new": {"phanos": 3_000_000},
            "old": {"phanos": 100_000, "pika": 800_000, "pip": 7_000_000},
            "prometheus": {"prometheus_client": 200_000},
        },
        path_memory={"paths": 1_000, "bytes": 110_000},
        delivery={
            "broker": "rabbitmq_server-3.10.8",
            "calls": {kind: {"old": state, "new": ours} for kind in ("sync", "async")},
            "sustained": {"small": rounds, "large": rounds},
            "waiting_record_bytes": 24.2,
        },
        wheel_bytes=2_340_000,
    )
