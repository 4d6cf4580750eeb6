"""
The cases of the table that prometheus_client has: `Histogram.time()`.

It adds to the sums and buckets of one histogram: no call tree, no record per call, no roots. As a
decorator it would time the making of a coroutine, so coroutines use it as a context manager.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from costs.measured.bare import (
    SHARED,
    async_run,
    body,
    decorating_run,
    sync_run,
    threads_run,
)
from costs.measured.case import Case

REGISTRY = CollectorRegistry()


class Timed:
    """A histogram and how much is in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.histogram = Histogram(name, "Seconds", registry=REGISTRY)

    def arrived(self) -> int:
        return int(REGISTRY.get_sample_value(f"{self.name}_count") or 0)


def sync_case() -> Case:
    timed = Timed("sync_seconds")
    run = sync_run(timed.histogram.time()(body))
    return Case("nested_sync", run, "bare_sync", records=1, arrived=timed.arrived)


def async_case() -> Case:
    timed = Timed("async_seconds")
    histogram = timed.histogram

    async def timed_body(number: int) -> int:
        with histogram.time():
            return number

    run = async_run(timed_body)
    return Case("nested_async", run, "bare_async", records=1, arrived=timed.arrived)


def threads_case(threads: int) -> Case:
    timed = Timed(f"threads_{threads}_seconds")
    return Case(
        f"threads_{threads}",
        threads_run(timed.histogram.time()(body), threads),
        f"bare_threads_{threads}",
        SHARED,
        SHARED,
        timed.arrived,
    )


def operation_case() -> Case:
    """A call that counts something, with a label."""
    counter = Counter("counted", "Calls", ["kind"], registry=REGISTRY)

    def counting(number: int) -> int:
        counter.labels("a").inc(1.0)
        return number

    def arrived() -> int:
        return int(REGISTRY.get_sample_value("counted_total", {"kind": "a"}) or 0)

    return Case("operation", sync_run(counting), "bare_sync", records=1, arrived=arrived)


def cases() -> list[Case]:
    decorating = Timed("decorated_seconds").histogram
    return [
        sync_case(),
        async_case(),
        threads_case(1),
        threads_case(4),
        operation_case(),
        Case("decorate", decorating_run(lambda f: decorating.time()(f)), "bare_decorate"),
    ]
