"""
A process of the tests: records, and does what it is told on its standard input, line by line.

Arguments: keyword arguments of the handler, as JSON, among them its class if it is another one, and
`kinds` for metrics of several kinds. Each command is answered with a line of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import sys
import threading
from collections import Counter
from typing import Any

import phanos
from phanos import publisher
from phanos.metrics import Counter as CounterMetric
from phanos.metrics import Gauge, Histogram, Summary

METHODS = 7
BURST = 50
# Whole numbers: their sum is the same in any order.
VALUES = (0, 1, 40, 900, 20_000, 3_000_000)


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelname, record.getMessage()))


class Recorder:
    """The commands, one method each."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._logged = Lines()
        logging.getLogger("phanos").addHandler(self._logged)
        logging.getLogger("phanos").setLevel(logging.INFO)
        kind = getattr(publisher, arguments.pop("class", "PrometheusHandler"))
        kinds = arguments.pop("kinds", False)
        self._handler = kind("handler", **arguments)
        phanos.profiler.config(job="JOB")
        phanos.profiler.add_handler(self._handler)
        self._items = CounterMetric("items", "JOB", "pieces")
        phanos.profiler.add_metric(self._items)
        self._sizes = Histogram("sizes", "JOB", "B")
        self._shares = Summary("shares", "JOB", "pieces")
        self._level = Gauge("level", "JOB", "pieces")
        self._kinds = [self._sizes, self._shares, self._level] if kinds else []
        for metric in self._kinds:
            phanos.profiler.add_metric(metric)
        self._functions = [self._function(f"method_{number}") for number in range(METHODS)]
        self._counts: Counter[str] = Counter()
        self._values: Counter[str] = Counter()
        self._stop = threading.Event()
        self._load: threading.Thread | None = None

    def _function(self, name: str) -> Any:
        def body(fails: bool, value: float) -> None:
            self._items.inc(2.0, label_values={})
            if self._kinds:
                self._sizes.observe(value, label_values={})
                self._shares.observe(value, label_values={})
                self._level.inc(1.0, label_values={})
            if fails:
                raise LookupError

        body.__name__ = body.__qualname__ = name
        return phanos.profile(body)

    def _call(self, number: int) -> None:
        fails = number % 5 == 0
        value = VALUES[number % len(VALUES)]
        with contextlib.suppress(LookupError):
            self._functions[number % METHODS](fails, float(value))
        self._counts[f"method_{number % METHODS}:{str(fails).lower()}"] += 1
        self._values[f"method_{number % METHODS}:{value}"] += 1

    def record(self, count: int) -> bool:
        """Make so many calls."""
        for number in range(count):
            self._call(number)
        return True

    def load(self) -> bool:
        """Record all the time."""
        self._stop.clear()
        self._load = threading.Thread(target=self._record_until_stopped)
        self._load.start()
        return True

    def _record_until_stopped(self) -> None:
        # A pause lets the processes of a small machine take turns.
        while not self._stop.wait(0.002):
            self.record(BURST)

    def nest(self) -> bool:
        """Record all the time a function that calls another one 48 times."""

        @phanos.profile
        def leaf() -> None:
            pass

        @phanos.profile
        def nested() -> None:
            for _ in range(48):
                leaf()

        def run() -> None:
            while not self._stop.wait(0.002):
                nested()

        self._stop.clear()
        self._load = threading.Thread(target=run)
        self._load.start()
        return True

    def counts(self) -> dict[str, int]:
        """Stop recording; return the number of calls by method and `error_raised`."""
        self._stop.set()
        if self._load is not None:
            self._load.join()
        return dict(self._counts)

    def values(self) -> dict[str, int]:
        """Return how often each value was recorded, by method and value."""
        return dict(self._values)

    def flush(self, timeout_s: float = 40.0) -> bool:
        return self._handler.flush(timeout_s)

    def close(self) -> bool:
        return self._handler.close()

    def stats(self) -> dict[str, Any]:
        return self._handler.stats()

    def logged(self) -> list[tuple[str, str]]:
        self._handler._write_log_lines()
        return self._logged.lines

    def fork(self, count: int) -> int:
        """Fork a child that makes so many calls, and then waits to be killed; return its id."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            self._counts.clear()
            self.record(count)
            if count:
                assert self._handler.flush(40.0)
            os.write(writing, b"x")
            while True:
                os.read(reading, 1)
                os.write(writing, b"x")
                threading.Event().wait()
        os.read(reading, 1)
        return child

    def reap(self, child: int) -> bool:
        os.waitpid(child, 0)
        return True

    def hold(self, path: str) -> bool:
        """Keep the interpreter lock until something is written to a pipe at this path."""
        pipe = os.open(path, os.O_RDONLY)
        ctypes.PyDLL(None).read(pipe, ctypes.create_string_buffer(1), 1)
        return True


def main() -> None:
    recorder = Recorder(json.loads(sys.argv[1]))
    print(json.dumps(os.getpid()), flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        if name == "end":
            return
        print(json.dumps(getattr(recorder, name)(*arguments)), flush=True)


main()
