"""The process that records, as others see it."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

# From 3.12 on a fork beside threads is warned of, native threads included.
OPTIONS = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")
PROGRAM = Path(__file__).with_name("recording.py")
ANSWER_S = 30.0
POLL_INTERVAL_S = 0.05
CALLS, CALLS_S = 50, 30.0
"""So many calls take 0.1 s, and more than so many seconds if each waits 2 s for a broker."""


class Worker:
    """
    Records until it is stopped. Use as a context manager.

    Args:
        log: where what it logs is kept.
        calls_per_s: of the thread; the event loop makes a quarter of that.
        arguments: of both handlers.
        connects: whether it begins by connecting; if not, the broker may be away.
        suffix: of the names of its jobs, which tell it from other workers.
        under: the command that runs it, such as `nice`.
    """

    def __init__(
        self,
        log: Path,
        calls_per_s: float,
        arguments: dict[str, Any],
        *,
        connects: bool = True,
        suffix: str = "",
        under: Sequence[str] = (),
    ) -> None:
        told = {"arguments": arguments, "connects": connects, "suffix": suffix}
        text = json.dumps(told | {"calls_per_s": calls_per_s})
        self._log = log
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [*under, sys.executable, *OPTIONS, str(PROGRAM), text],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()

    def __enter__(self) -> Worker:
        try:
            self._answer("beginning")
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text()

    def ask(self, command: str, *arguments: Any) -> Any:
        """Have one of `recording.Recording`'s methods called; return its result."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, *arguments]) + "\n")
        self._process.stdin.flush()
        return self._answer(command)

    def record_for(self, seconds: float) -> None:
        """
        Let it record for so long, and until each of its jobs has made so many calls that it would
        fail by the deadline if they waited for the broker.
        """
        end = time.monotonic() + seconds
        before = self.ask("count")
        while (left := end - time.monotonic()) > 0:
            # The one place where time itself is what is waited for.
            time.sleep(min(left, POLL_INTERVAL_S))
        deadline = time.monotonic() + CALLS_S
        now = self.ask("count")
        while any(now[job] < calls + CALLS for job, calls in before.items()):
            assert time.monotonic() < deadline, f"calls went from {before} to {now} only"
            time.sleep(POLL_INTERVAL_S)
            now = self.ask("count")

    def wait_for_stats(self, count: str, least: int, deadline_s: float) -> None:
        """Wait until the sum of a count of both handlers is so high."""
        end = time.monotonic() + deadline_s
        while (seen := sum(stats[count] for stats in self.ask("stats"))) < least:
            assert time.monotonic() < end, f"{count} {seen}, not {least}, after {deadline_s} s"
            time.sleep(POLL_INTERVAL_S)

    def wait_for_state(self, state: str, deadline_s: float) -> None:
        """Wait until both handlers' connections stand so."""
        end = time.monotonic() + deadline_s
        while any((seen := stats)["state"] != state for stats in self.ask("stats")):
            assert time.monotonic() < end, f"not {state} after {deadline_s} s: {seen}"
            time.sleep(POLL_INTERVAL_S)

    def end(self, deadline_s: float = ANSWER_S) -> float:
        """End it as a program ends; return how many seconds that took."""
        assert self._process.stdin is not None
        began = time.monotonic()
        self._process.stdin.close()
        code = self._process.wait(deadline_s)
        took = time.monotonic() - began
        assert code == 0, f"ended with {code}\n{self.log}"
        return took

    def threads(self, name: str) -> int:
        """How many threads of that name it has."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/comm")
        return sum(task.read_text().strip() == name for task in tasks)

    def memory_bytes(self) -> int:
        """Memory it occupies."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """End it whatever it does; may be called again."""
        self._process.kill()
        self._process.wait(ANSWER_S)
        self._reader.join(ANSWER_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self, answers: IO[str]) -> None:
        for line in answers:
            self._answers.put(line)
        self._answers.put("")

    def _answer(self, what: str) -> Any:
        try:
            line = self._answers.get(timeout=ANSWER_S)
        except queue.Empty:
            raise AssertionError(f"{what}: no answer in {ANSWER_S} s\n{self.log}") from None
        assert line, f"{what}: the process has ended\n{self.log}"
        return json.loads(line)
