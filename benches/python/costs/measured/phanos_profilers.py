"""Profilers of either phanos with handlers that count and keep nothing."""

from __future__ import annotations

from typing import Any

from phanos.metrics import Counter
from phanos.publisher import Profiler, StreamHandler, SyncBaseHandler

from costs.measured import counting

JOB = "bench"


class NullStream:
    """Counts lines, which are records, when it is to."""

    def __init__(self) -> None:
        self.lines = 0

    def write(self, text: str) -> None:
        if counting.enabled:
            lines = text.count("\n")
            # Nothing is called here, so no other thread comes in between.
            self.lines += lines

    def flush(self) -> None:
        pass

    def arrived(self) -> int:
        return self.lines


class NullHandler(SyncBaseHandler):
    """A handler as users write them: gets a list of dicts."""

    records = 0

    def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        self.records += len(records)

    def arrived(self) -> int:
        return self.records


def idle() -> Profiler:
    """Configured, without a handler: nothing is recorded."""
    profiler = Profiler()
    profiler.config(job=JOB)
    return profiler


def to_stream() -> tuple[Profiler, NullStream]:
    """With a `StreamHandler` that writes to nothing."""
    profiler, stream = idle(), NullStream()
    profiler.add_handler(StreamHandler("stream", stream))  # type: ignore[arg-type]
    return profiler, stream


def to_python() -> tuple[Profiler, NullHandler]:
    """With a handler written in Python."""
    profiler, handler = idle(), NullHandler("python")
    profiler.add_handler(handler)
    return profiler, handler


def counter(profiler: Profiler, name: str, labels: set[str]) -> Counter:
    """A metric of this profiler."""
    made = Counter(name, job=JOB, units="calls", labels=labels)
    profiler.add_metric(made)
    return made
