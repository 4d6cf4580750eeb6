"""A server in processes of its own, watched: how it starts and ends, what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

APPS = Path(__file__).parent / "apps"
START_S = 60.0
# Celery's pool waits up to 30 s for what it was told of the last tasks of a recycled worker.
STOP_S = 45.0
REAPED_S = 5.0


class Process(NamedTuple):
    """A line of `/proc/*/stat`."""

    pid: int
    name: str
    state: str


def processes(session: int) -> Iterator[Process]:
    """The processes of a session, whatever their parent is by now."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = file.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        name, _, rest = text.partition("(")[2].rpartition(")")
        state, _, _, its_session = rest.split()[:4]
        if int(its_session) == session:
            yield Process(int(file.parent.name), name, state)


class Server:
    """
    Runs a command as the leader of a session; its processes are killed in the end.

    Attributes:
        stopped_s: how long it took to end after the signal.
        stopping_at: when it was told to, in the time of `time.monotonic`.
    """

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._command = command
        self._output = folder / "server.log"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(APPS),
            # Servers leave their own sockets to the end of the process.
            "PYTHONWARNINGS": "default,ignore::ResourceWarning",
            "PYTHONFAULTHANDLER": "1",
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.stopped_s = 0.0
        self.stopping_at = float("inf")

    def __enter__(self) -> Server:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._output.parent,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        for process in processes(self.pid):
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._leader.wait(STOP_S)

    @property
    def _leader(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        """Process id of the leader."""
        return self._leader.pid

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text(errors="replace")

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until it answers."""
        pause = threading.Event()
        deadline = time.monotonic() + START_S
        while not ready():
            assert self._leader.poll() is None, f"it ended\n{self.output}"
            assert time.monotonic() < deadline, f"no answer in {START_S} s\n{self.output}"
            pause.wait(0.05)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the leader."""
        os.kill(self.pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Tell it to end, and wait until all its processes have."""
        self.stopping_at = time.monotonic()
        self.send(number)
        self.wait()
        self.stopped_s = time.monotonic() - self.stopping_at

    def wait(self, deadline_s: float = STOP_S) -> int:
        """Wait for the end; return the exit status."""
        try:
            status = self._leader.wait(deadline_s)
        except subprocess.TimeoutExpired:
            stacks = self._stacks()
            raise AssertionError(
                f"runs still after {deadline_s} s: {list(processes(self.pid))}\n"
                f"{self.output}\n{stacks}"
            ) from None
        self._wait_until_none("left behind", {"R", "S", "D", "T", "Z"})
        return status

    def assert_no_zombies(self) -> None:
        """Fail if a child that has ended is not waited for by its parent."""
        self._wait_until_none("not waited for", {"Z"})

    def _wait_until_none(self, what: str, states: set[str]) -> None:
        pause = threading.Event()
        deadline = time.monotonic() + REAPED_S
        while found := [each for each in processes(self.pid) if each.state in states]:
            assert time.monotonic() < deadline, f"{what}: {found}\n{self.output}"
            pause.wait(0.02)

    def _stacks(self) -> str:
        """What the processes are doing, as far as `faulthandler` tells."""
        for process in processes(self.pid):
            os.kill(process.pid, signal.SIGABRT)
        threading.Event().wait(0.5)
        return self.output


def module(name: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Command line that runs a module."""
    return [python, "-m", name, *arguments]
