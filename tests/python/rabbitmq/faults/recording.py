"""
The process that records: a thread and an event loop, each with a profiler and a handler.

A process of its own, so that no other work delays a call. It does what it is told by lines of
JSON on its standard input, and answers each with one on its standard output.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from phanos._arguments import connection
from phanos.handlers import AsyncImpProfHandler, ImpProfHandler
from phanos.metrics import Gauge
from phanos.publisher import Profiler

from faults.system import System

ROUND_S = 0.005
"""Calls are made in rounds, as often as this."""
RECORDS_PER_CALL = 2
"""The call's serial number and its duration."""
SPOOL_ADOPT_S = 0.5
"""How often handlers look for spool files of dead processes, for tests to be short."""
DEADLINE_S = 30.0


class Recorder(ABC):
    """Calls a profiled function steadily; every call has a serial number, also recorded."""

    def __init__(self, job: str, calls_per_s: float, connects: bool) -> None:
        self.job = job
        self.connects = connects
        self.calls = 0
        self.slowest_s = 0.0
        self.lag_s = 0.0
        self.profiler = Profiler()
        self.serial = Gauge("serial", job, "1")
        self.recording = threading.Event()
        self.paused = threading.Event()
        self.handler: Any = None
        self._calls_per_round = max(1, round(calls_per_s * ROUND_S))
        self._ready = threading.Event()
        self._ended = threading.Event()
        # A daemon: the end of the interpreter waits for no more than a server's would.
        self._thread = threading.Thread(target=self._run, name=job, daemon=True)

    def start(self, arguments: dict[str, Any]) -> None:
        """Begin; return once calls are made."""
        self.recording.set()
        self._arguments = arguments
        self._thread.start()
        if not self._ready.wait(DEADLINE_S):
            raise TimeoutError(f"{self.job} did not begin within {DEADLINE_S} s")

    def stop(self) -> None:
        """Make no more calls; return when the last one has ended."""
        self.recording.clear()
        if not self._ended.wait(DEADLINE_S):
            raise TimeoutError(f"{self.job} did not end within {DEADLINE_S} s")

    def calls_per_round(self) -> int:
        """How many calls to make now."""
        return 0 if self.paused.is_set() else self._calls_per_round

    def note(self, began: float) -> None:
        """Count a call that began then and has just ended."""
        self.slowest_s = max(self.slowest_s, time.perf_counter() - began)
        self.calls += 1

    @abstractmethod
    def _run(self) -> None: ...

    @abstractmethod
    def on_its_thread(self, method: str, timeout: float) -> bool:
        """Call a method of the handler that takes a timeout: flush or close."""


class ThreadRecorder(Recorder):
    """Records in a thread, by `ImpProfHandler` if it connects, otherwise by the other one."""

    def _run(self) -> None:
        if self.connects:
            self.handler = ImpProfHandler(f"{self.job} handler", **self._arguments)
            self.profiler.config(job=self.job)
        else:
            self.handler = AsyncImpProfHandler(f"{self.job} handler", **self._arguments)
            self.profiler.async_config(job=self.job)
        self.profiler.add_metric(self.serial)
        self.profiler.add_handler(self.handler)

        @self.profiler.profile
        def call(number: int) -> None:
            self.serial.set(float(number))

        self._ready.set()
        while self.recording.is_set():
            for _ in range(self.calls_per_round()):
                began = time.perf_counter()
                call(self.calls)
                self.note(began)
            time.sleep(ROUND_S)
        self._ended.set()

    def on_its_thread(self, method: str, timeout: float) -> bool:
        outcome = getattr(self.handler, method)(timeout)
        return bool(outcome if self.connects else asyncio.run(outcome))


class LoopRecorder(Recorder):
    """Records in an event loop, by `AsyncImpProfHandler`, and measures how late the loop is."""

    def _run(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._record())
        self._ended.set()
        self._loop.run_forever()

    async def _record(self) -> None:
        make: Any = AsyncImpProfHandler.create if self.connects else AsyncImpProfHandler
        handler = make(f"{self.job} handler", **self._arguments)
        self.handler = await handler if self.connects else handler
        self.profiler.async_config(job=self.job)
        self.profiler.add_metric(self.serial)
        self.profiler.add_handler(self.handler)

        @self.profiler.profile
        async def call(number: int) -> None:
            self.serial.set(float(number))

        self._ready.set()
        while self.recording.is_set():
            await self._round(call)

    async def _round(self, call: Callable[[int], Awaitable[None]]) -> None:
        for _ in range(self.calls_per_round()):
            began = time.perf_counter()
            await call(self.calls)
            self.note(began)
        slept = time.perf_counter()
        await asyncio.sleep(ROUND_S)
        self.lag_s = max(self.lag_s, time.perf_counter() - slept - ROUND_S)

    def on_its_thread(self, method: str, timeout: float) -> bool:
        step = getattr(self.handler, method)(timeout)
        return bool(asyncio.run_coroutine_threadsafe(step, self._loop).result(timeout + DEADLINE_S))


class Recording(System):
    """What the process can be told; every public method is one command."""

    def __init__(
        self, arguments: dict[str, Any], calls_per_s: float, connects: bool, suffix: str
    ) -> None:
        self._by_hand = 0
        self._recorders: list[Recorder] = [
            ThreadRecorder(f"thread{suffix}", calls_per_s, connects),
            LoopRecorder(f"loop{suffix}", calls_per_s / 4, connects),
        ]
        for recorder in self._recorders:
            recorder.start(arguments)

    def count(self) -> dict[str, int]:
        """Calls so far, by job."""
        return {recorder.job: recorder.calls for recorder in self._recorders}

    def pause(self, on: bool) -> None:
        """Make no calls for now, or make them again."""
        for recorder in self._recorders:
            recorder.paused.set() if on else recorder.paused.clear()

    def stop(self) -> dict[str, Any]:
        """Stop recording; what was measured."""
        for recorder in self._recorders:
            recorder.stop()
        return {
            "calls": self.count(),
            "records": RECORDS_PER_CALL * sum(self.count().values()) + self._by_hand,
            "slowest_s": max(recorder.slowest_s for recorder in self._recorders),
            "lag_s": max(recorder.lag_s for recorder in self._recorders),
        }

    def flush(self, timeout: float) -> list[bool]:
        """Flush both handlers."""
        return [recorder.on_its_thread("flush", timeout) for recorder in self._recorders]

    def close(self, timeout: float) -> list[bool]:
        """Close both handlers."""
        return [recorder.on_its_thread("close", timeout) for recorder in self._recorders]

    def stats(self) -> list[dict[str, Any]]:
        """Counts of both handlers."""
        return [recorder.handler.stats() for recorder in self._recorders]

    def oversize(self, length: int) -> None:
        """Let the thread's handler have one record, by hand, that is so long."""
        record = {
            "item": "Big",
            "metric": "gauge",
            "units": "1",
            "job": "oversize",
            "method": "Big:one",
            "labels": {"long": "x" * length},
            "value": ("set", 0.0),
        }
        self._recorders[0].handler.handle([record], "oversize")
        self._by_hand += 1

    def fork_in_thread(self, calls: int) -> int:
        """Have a child, forked in a thread whose function returns, make calls; its exit code."""
        call = self._recorders[0].profiler.profile(lambda: None)

        def body() -> None:
            for _ in range(calls):
                call()

        self._by_hand += calls
        return self.forked_in_thread(body)


def main() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    told = json.loads(sys.argv[1])
    connection.SPOOL_ADOPT_S = SPOOL_ADOPT_S
    recording = Recording(**told)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        print(json.dumps(getattr(recording, command)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
