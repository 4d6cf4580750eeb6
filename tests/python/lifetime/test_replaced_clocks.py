"""Clocks and sleeps that a program has replaced, as tests do, change no deadline and no record."""

from __future__ import annotations

import asyncio
import datetime
import functools
import threading
import time
from typing import Any

import pytest
from phanos import publisher
from phanos._phanos import monotonic_ns
from support import CollectingHandler, make_profiler, output_of


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Freeze the functions of `time`, as freezegun does; the list gets what was slept."""
    slept: list[str] = []
    standing = {"time": 1e9, "monotonic": 1e3, "perf_counter": 1e3, "process_time": 1.0}
    for name, value in standing.items():
        monkeypatch.setattr(time, name, lambda value=value: value)
        monkeypatch.setattr(time, f"{name}_ns", lambda value=value: int(value * 1e9))

    def sleep(seconds: float) -> None:
        slept.append(f"{seconds}")

    monkeypatch.setattr(time, "sleep", sleep)
    return slept


class Waiting(publisher.AsyncBaseHandler):
    """An asynchronous handler that has not taken its batch until it is let go."""

    is_let_go = False

    @classmethod
    async def create(cls, handler_name: str, *args: Any, **kwargs: Any) -> Waiting:
        return cls(handler_name)

    async def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        while not self.is_let_go:
            await asyncio.sleep(0)


def unreachable() -> Any:
    handler = publisher.AsyncImpProfHandler("rabbitmq", port=1, retry=0)
    profiler = publisher.Profiler()
    profiler.async_config(job="JOB")
    profiler.add_handler(handler)
    profiler.profile(lambda: None)()
    return profiler


def test_flush_and_close_keep_their_deadlines(frozen: list[str]) -> None:
    profiler = unreachable()
    start = monotonic_ns()
    assert profiler.flush(0.1) is False
    assert (monotonic_ns() - start) / 1e9 >= 0.1
    assert frozen == []
    handler: Any = profiler.handlers["rabbitmq"]

    async def close() -> None:
        assert await handler.flush(0.1) is False
        assert await profiler.aflush(0.1) is False
        await handler.close(0.1)

    asyncio.run(close())
    assert frozen == []


def test_coroutines_driven_by_hand_keep_them_too(frozen: list[str]) -> None:
    profiler = unreachable()
    coroutine = profiler.aflush(0.1)
    assert set(iter(functools.partial(coroutine.send, None), "never")) == {None}
    assert frozen == []


def test_aflush_keeps_its_deadline(frozen: list[str]) -> None:
    handler = Waiting("waiting")
    profiler = make_profiler(handler)
    profiler.profile(lambda: None)()

    async def main() -> None:
        assert await profiler.aflush(0.1) is False
        handler.is_let_go = True
        assert await profiler.aflush() is True

    asyncio.run(main())


def test_durations_are_measured(frozen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class FrozenDatetime(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls(2020, 1, 1, tzinfo=tz)

    monkeypatch.setattr(datetime, "datetime", FrozenDatetime)
    for overridden in (False, True):
        handler = CollectingHandler()
        profiler = make_profiler(handler)
        if overridden:
            measure: Any = profiler.measure_execution_start
            profiler.measure_execution_start = measure  # type: ignore[method-assign]

        @profiler.profile
        def call() -> None:
            threading.Event().wait(0.02)

        call()
        assert 20 <= handler.records[0]["value"][1] < 5000


def test_the_end_of_a_process_keeps_its_deadline() -> None:
    printed = output_of(
        """
        import logging, time
        logging.disable()
        from phanos import publisher
        from phanos._phanos import monotonic_ns

        profiler = publisher.Profiler()
        profiler.async_config(job="JOB")
        profiler.add_handler(publisher.AsyncImpProfHandler("rabbitmq", port=1, retry=0))
        profiler.profile(lambda: None)()
        for name in ("time", "monotonic", "perf_counter"):
            setattr(time, name, lambda: 1000.0)

        def sleep(seconds):
            raise AssertionError("slept")

        time.sleep = sleep
        """
    )
    assert printed == ""
