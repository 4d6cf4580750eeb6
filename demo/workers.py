"""The demo's processes, as a server's workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from demo.serving import DEADLINE_S


class Worker:
    """
    A process that serves both applications.

    Attributes:
        shop, weather: their addresses.
    """

    def __init__(self, process: subprocess.Popen[str], answers: Any) -> None:
        self._process = process
        self._answers = answers
        self.shop, self.weather = json.loads(answers.readline())

    def flush(self) -> None:
        """Wait until what it has recorded is counted."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        if not json.loads(self._answers.readline()):
            raise TimeoutError("the records of a worker are not counted")


@contextmanager
def start_worker(port: int, runtime_directory: str) -> Iterator[Worker]:
    """
    Start a process, and let it end.

    Args:
        port: where its handler serves `/metrics`, if no other process does.
        runtime_directory: where the processes find each other.
    """
    reading, writing = os.pipe()
    arguments = [str(port), runtime_directory, str(writing)]
    command = [sys.executable, "-m", "demo.worker", *arguments]
    with os.fdopen(reading) as answers:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, pass_fds=[writing])
        os.close(writing)
        try:
            yield Worker(process, answers)
        finally:
            process.communicate(timeout=DEADLINE_S)


@contextmanager
def start_workers(count: int, port: int, runtime_directory: str) -> Iterator[list[Worker]]:
    """Start so many processes with the same line of configuration; see `start_worker`."""
    with ExitStack() as stack:
        started = (start_worker(port, runtime_directory) for _ in range(count))
        yield [stack.enter_context(worker) for worker in started]
