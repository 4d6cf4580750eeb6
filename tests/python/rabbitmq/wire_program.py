"""
A program that sends the same records whenever it runs, under phanos 0.3.2 and under ours:

    python wire_program.py KIND PORT

`KIND` is `sync` or `async`. It keeps to what 0.3.2 understands, and measures no time.
"""

from __future__ import annotations

import asyncio
import datetime
import enum
import sys
import uuid
from typing import Any

from phanos import metrics, publisher

MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15, 125000)
ODD_FLOATS = (0.1 + 0.2, 1e22, 1e16, 5e-324, -0.0, 1e-7, 100.0, float("nan"), float("-inf"))
ODD_TEXTS = ("", "žluť", '"\\/\b\f\n\r\t\x00\x1f\x7f', "\u2028\u00a0", "😀")


class Colour(enum.Enum):
    """A value of a type that JSON does not know."""

    RED = "red"


ODD_VALUES = (
    *ODD_TEXTS,
    *(None, True, -1, 2**63 - 1, 2**64 - 1, 2.5),
    *([1, [], {"a": ()}], {"k": {}}, MOMENT, MOMENT.date(), MOMENT.time()),
    *(MOMENT.replace(tzinfo=datetime.timezone.utc), uuid.UUID(int=5), Colour.RED),
)


class OwnRecords(metrics.Histogram):
    """Writes its records itself."""

    def to_records(self) -> Any:
        records = super().to_records()
        return [{**record, "item": "own", "more": [record["units"]]} for record in records]


class Measured:
    """What is measured by hand, in the metrics of one profiler."""

    def __init__(self, profiler: Any) -> None:
        self._profiler = profiler
        self._job = "práce"
        self.histogram = self._add(metrics.Histogram("histogram", self._job, "V"))
        self.summary = self._add(metrics.Summary("summary", self._job, "m", {"city", "size"}))
        self.counter = self._add(metrics.Counter("counter", self._job, "requests"))
        self.gauge = self._add(metrics.Gauge("gauge", "", ""))
        self.info = self._add(metrics.Info("info", self._job))
        self.enum = self._add(metrics.Enum("enum", self._job, ["on", "off"]))
        self.own = self._add(OwnRecords("own", self._job, "µV"))
        self.lists = self._add(metrics.Histogram("lists", self._job, "V"))

    def _add(self, metric: Any) -> Any:
        self._profiler.add_metric(metric)
        return metric

    def _store(self, operation: Any, value: Any, labels: Any = None) -> None:
        operation(value, self._profiler.curr_node.get(), labels)

    def measure(self) -> None:
        for number in ODD_FLOATS:
            self._store(self.histogram.observe, number)
        for value in ODD_VALUES:
            self._store(self.summary.observe, 1.0, {"city": value, "size": "small"})
            self._store(self.info.info_, {"of": value, "": "empty"})
        self._store(self.info.info_, {})
        self._store(self.counter.inc, 2.0)
        for operation in (self.gauge.inc, self.gauge.dec, self.gauge.set):
            self._store(operation, 3.5)
        for state in ("on", "off"):
            self._store(self.enum.state, state)
        self._store(self.own.observe, 4.0)
        self.lists.method.append("Somebody:else.did")
        self.lists.values.append(("observe", 7))
        self.lists.label_values.append({"who": ["a", 1]})


def run_sync(port: int) -> None:
    """Through `ImpProfHandler`, from nested calls."""
    profiler = publisher.Profiler()
    profiler.config(job="práce", time_profile=False, response_size_profile=False)
    handler = publisher.ImpProfHandler("wire", port=port)
    profiler.add_handler(handler)
    measured = Measured(profiler)

    @profiler.profile
    def leaf() -> None:
        measured.measure()

    @profiler.profile
    def root() -> None:
        measured.measure()
        leaf()

    root()
    leaf()
    handler.publisher.close()


async def run_async(port: int) -> None:
    """Through `AsyncImpProfHandler`, from nested coroutines."""
    profiler = publisher.Profiler()
    profiler.async_config(job="práce", time_profile=False, response_size_profile=False)
    handler = await publisher.AsyncImpProfHandler.create("wire", port=port)
    profiler.add_handler(handler)
    measured = Measured(profiler)

    @profiler.profile
    async def leaf() -> None:
        measured.measure()

    @profiler.profile
    async def root() -> None:
        measured.measure()
        await leaf()

    await root()
    await leaf()
    await handler.publisher.close()


def main(kind: str, port: int) -> None:
    """Run one of the two."""
    if kind == "async":
        asyncio.run(run_async(port))
    else:
        run_sync(port)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
