"""A program that runs beside this process, and not longer than it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

GUARDIAN = Path(__file__).with_name("guardian.py")
DEADLINE_S = 30.0


class Guarded:
    """
    One program under a guardian, in a session of its own: Ctrl-C does not reach it.

    Args:
        command: the program and its arguments.
        environment: all of it; nothing is inherited.
        log: its output is appended to this file.

    Raises `OSError` when it cannot be started.
    """

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._guardian = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARDIAN), str(os.getpid()), *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )
        assert self._guardian.stdout is not None
        with self._guardian.stdout as announcement:
            line = announcement.readline()
        if not line:
            self._guardian.wait(DEADLINE_S)
            raise OSError(f"{command[0]} does not start; see {log}")
        # Stays this program's while the guardian lives: it is the one to collect the exit code.
        self._pid = int(line)

    @property
    def running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._guardian.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program; nothing happens once it has ended."""
        if self.running:
            try:
                os.kill(self._pid, number)
            except ProcessLookupError:
                return

    def wait(self, timeout_s: float) -> bool:
        """Wait until the program and all it started have ended; False if they have not."""
        try:
            self._guardian.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End the program, all it started and the guardian, at once."""
        self.signal(signal.SIGKILL)
        if not self.wait(DEADLINE_S):
            self._guardian.kill()
            self._guardian.wait(DEADLINE_S)
            raise TimeoutError(f"process {self._pid} was killed but did not end")
