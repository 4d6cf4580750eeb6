"""Running `spool_programs.py` and `spooling_program.py`; looking at what is in a directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from receiver import Message

DEADLINE_S = 60.0
POLL_S = 0.01
# What a killed process loses is 50 ms; a busy machine may keep it from working for longer.
LOST_S = 0.25
FOLDER = Path(__file__).parent
# From 3.12 on a fork beside threads is warned of, native threads included.
OPTIONS = ("-W", "ignore:This process:DeprecationWarning")


def files(directory: Path) -> list[Path]:
    """Return the spool files in a directory."""
    return sorted(directory.glob("*.phanos-spool"))


def numbers(records: list[dict[str, Any]]) -> list[int]:
    return [int(record["value"][1]) for record in records]


class SpoolProgram:
    """One of `spool_programs.py` in a process of its own, which is killed in the end."""

    def __init__(self, what: str, port: int, directory: Path) -> None:
        script = str(FOLDER / "spool_programs.py")
        self._process = subprocess.Popen(
            [sys.executable, *OPTIONS, script, what, str(port), str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> SpoolProgram:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def line(self) -> Any:
        """Return the next thing that it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"it ended: {self._process.stderr and self._process.stderr.read()}"
        return json.loads(line)

    def go_on(self) -> None:
        """Let it go on that waits for a sign."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> str:
        """Wait for its end, in good order; return what it logged."""
        assert self._process.stderr is not None
        log = self._process.stderr.read()
        assert self._process.wait(DEADLINE_S) == 0, log
        return log

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(DEADLINE_S)

    def locked(self, directory: Path) -> int:
        """Return how many files of the directory it has open."""
        folder = Path(f"/proc/{self._process.pid}/fd")
        targets = []
        for descriptor in folder.iterdir():
            try:
                targets.append(os.readlink(descriptor))
            except FileNotFoundError:
                continue
        return sum(target.startswith(str(directory)) for target in targets)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end, f"not {what} within {DEADLINE_S} s"
            assert self._process.poll() is None, f"it ended: {self.end()}"
            time.sleep(POLL_S)


class Recording:
    """A process that records until it is killed, and what it recorded."""

    def __init__(
        self, port: int, directory: Path, what: str = "plain", under: Sequence[str] = ()
    ) -> None:
        self._process = subprocess.Popen(
            [
                *under,
                sys.executable,
                str(FOLDER / "spooling_program.py"),
                str(port),
                str(directory),
                what,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.handed_over: dict[int, float] = {}
        self._has_child = what == "fork"

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(DEADLINE_S)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def wait_for(self, count: int) -> None:
        """Wait until that many records were handed over; the test's own timeout bounds it."""
        while len(self.handed_over) < count:
            line = self.line()
            self._note(line)

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "it ended"
        return line

    def go_on(self) -> None:
        """Let it go on that waits for a sign."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> set[int]:
        """Kill it; return the records it may not lose: those older than `LOST_S`."""
        killed = time.monotonic()
        self._process.kill()
        self._process.wait(DEADLINE_S)
        assert self._process.stdout is not None
        # With a child, its end is not that of the output.
        if not self._has_child:
            for line in self._process.stdout:
                if line.endswith("\n"):
                    self._note(line)
        return {number for number, at in self.handed_over.items() if at < killed - LOST_S}

    def _note(self, line: str) -> None:
        number, at = line.split()
        self.handed_over[int(number)] = float(at)


def by_worker(messages: list[Message]) -> dict[str, set[int]]:
    """Numbers of the records of each process."""
    recorded: dict[str, set[int]] = {}
    for message in messages:
        worker = message.properties.headers["x-phanos-worker"]
        recorded.setdefault(worker, set()).update(numbers(message.records))
    return recorded
