"""Programs that profile into a broker, each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from receiver import Receiver

DEADLINE_S = 60.0
FOLDER = Path(__file__).parents[2]
# From 3.12 on a fork beside threads is warned of, native threads included.
OPTIONS = ("-W", "ignore:This process:DeprecationWarning")

PREAMBLE = '''
import atexit, os, sys, threading, time
import phanos
from phanos.publisher import ImpProfHandler, Profiler

PORT, EXCHANGE = int(sys.argv[1]), sys.argv[2]

def handler_to(port, name="rabbit", **arguments):
    return ImpProfHandler(name, port=port, exchange_name=EXCHANGE, **arguments)

def profiler_with(*handlers):
    profiler = Profiler()
    profiler.config(job="TEST")
    for handler in handlers:
        profiler.add_handler(handler)
    return profiler

def wait_until(condition, deadline_s=20):
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.002)

def told(what):
    """Say that a point is reached; go on when the test says so."""
    print(what, flush=True)
    assert sys.stdin.readline() == "go on\\n"
'''


class Program:
    """
    A running program: `code` after `PREAMBLE`, from a file, so that its children find it.

    Use as a context manager; what still runs at the end of it is killed.
    """

    def __init__(self, folder: Path, code: str, port: int, exchange: str, *arguments: str) -> None:
        script = folder / "program.py"
        script.write_text(PREAMBLE + textwrap.dedent(code))
        environment = dict(os.environ)
        paths = (str(FOLDER), environment.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        self._process = subprocess.Popen(
            [sys.executable, *OPTIONS, str(script), str(port), exchange, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        # With its children, which may have outlived it and hold its pipes.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate(timeout=DEADLINE_S)

    def wait_for(self, what: str) -> None:
        """Wait until the program tells that it is there."""
        line = self.read_line()
        assert line == f"{what}\n", line + (self.end()[1] if not line else "")

    def read_line(self) -> str:
        """Return the next line that the program writes."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def go_on(self) -> None:
        """Let the program go on after what it told."""
        assert self._process.stdin is not None
        self._process.stdin.write("go on\n")
        self._process.stdin.flush()

    def end(self) -> tuple[int, str]:
        """Wait for the end; return exit code and what was written to stderr."""
        _, errors = self._process.communicate(timeout=DEADLINE_S)
        return self._process.returncode, errors

    def end_clean(self) -> float:
        """Wait for an end without any error; return how many seconds that took."""
        start = time.monotonic()
        code, errors = self.end()
        assert (code, errors) == (0, ""), f"{code}: {errors}"
        return time.monotonic() - start


def functions(records: list[dict[str, Any]]) -> Counter[str]:
    """How many records each path has, whatever the module is called in a child."""
    return Counter(record["method"].partition(":")[2] for record in records)


def expect(receiver: Receiver, expected: dict[str, int]) -> None:
    """Wait for the records; fail unless they are these, each once."""
    receiver.wait_for_records(sum(expected.values()))
    counts = functions(receiver.records)
    assert counts == expected, counts
