"""
What generated programs find ready-made: exceptions, values of a known size, custom metrics and
helpers for threads and tasks that leave nothing to the scheduler.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from phanos import metrics

THREAD_DEADLINE_S = 10.0


class OwnError(Exception):
    """An ordinary exception of the program."""


class OwnBaseError(BaseException):
    """Not an `Exception`: passes `except Exception`."""


class Sized(int):
    """A returned object whose `sys.getsizeof` is its value, on every interpreter."""

    __slots__ = ()

    def __sizeof__(self) -> int:
        return int(self)


class AccumulatingCounter(metrics.Counter):
    """A custom metric with state that `cleanup` resets, as the documentation shows one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.total = 0.0

    def accumulate(self, value: float, current_node: Any, label_values: Any = None) -> None:
        self.total += value
        self.inc(self.total, current_node, label_values)

    def cleanup(self) -> None:
        super().cleanup()
        self.total = 0.0


class ForwardingCounter(metrics.Counter):
    """As `AccumulatingCounter`, without its state."""

    def accumulate(self, value: float, current_node: Any, label_values: Any = None) -> None:
        self.inc(value, current_node, label_values)


class ReversedGauge(metrics.Gauge):
    """A custom metric that overrides what it hands over."""

    def to_records(self) -> Any:
        records = super().to_records()
        return records[::-1] if records else records


class WeighingGauge(metrics.Gauge):
    """A custom metric with an operation of its own."""

    @metrics.StoreOperationDecorator
    def weigh(self, value: Any, *_: Any) -> None:
        if isinstance(value, (int, float)) and value < 0:
            raise metrics.InvalidValueError("nothing weighs less than nothing")
        if value != 0:
            self.values.append(("weigh", value))


class JoiningExecutor(ThreadPoolExecutor):
    """Waits for each thread, so that `asyncio.to_thread` leaves nothing to the scheduler."""

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        future = super().submit(*args, **kwargs)
        wait([future], THREAD_DEADLINE_S)
        return future


async def joined(task: Any) -> list[Any]:
    """Result or error of `task`, the same after as many turns of the loop on any Python version."""
    await asyncio.wait([task])
    return ["cancelled" if task.cancelled() else task.exception() or task.result()]


async def run_coroutine(coroutine: Any, profiler: Any) -> None:
    asyncio.get_running_loop().set_default_executor(JoiningExecutor(1))
    await coroutine
    # In ours, handlers may still have batches of calls that were cancelled (A12). The end of the
    # loop would cancel such a handler, which is then called once more.
    dispatched = getattr(profiler, "_flush_dispatcher", None)
    if dispatched is not None:
        await dispatched([], 10.0)
