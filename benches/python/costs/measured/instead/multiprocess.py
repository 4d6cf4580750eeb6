"""prometheus_client in multiprocess mode: a histogram with a label, in a file for each process."""

from __future__ import annotations

import os
import tempfile

# Read when prometheus_client is imported.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp()

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from costs.measured.bare import async_run, sync_run
from costs.measured.case import Case


def cases() -> list[Case]:
    histogram = Histogram("calls_seconds", "Seconds", ["method"])
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call, unused-ignore]

    def timed(number: int) -> int:
        with histogram.labels("sync").time():
            return number

    async def async_timed(number: int) -> int:
        with histogram.labels("async").time():
            return number

    def arrived(kind: str) -> int:
        return int(registry.get_sample_value("calls_seconds_count", {"method": kind}) or 0)

    return [
        Case("nested_sync", sync_run(timed), "bare_sync", 1, 1, lambda: arrived("sync")),
        Case("nested_async", async_run(async_timed), "bare_async", 1, 1, lambda: arrived("async")),
    ]
