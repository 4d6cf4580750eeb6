"""What a worker can be told that is no matter of profiling: limits of the system, forks."""

from __future__ import annotations

# Imported late it would be read by a user who may not.
import encodings.idna
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

DEADLINE_S = 20.0
POLL_INTERVAL_S = 0.005
USER = 4094
"""Another one than root, who has no limit of processes."""

assert encodings.idna


class System:
    """Commands of a worker, beside those of `recording.Recording`."""

    def refuse_threads(self, on: bool) -> None:
        """Have the system refuse this process another thread, or none any more; as root."""
        _, most = resource.getrlimit(resource.RLIMIT_NPROC)
        if on:
            os.setresuid(USER, USER, 0)
            resource.setrlimit(resource.RLIMIT_NPROC, (1, most))
            try:
                threading.Thread(target=int).start()
            except RuntimeError:
                return
            raise AssertionError("a thread was started")
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
        os.setresuid(0, 0, 0)

    def open_files(self, count: int) -> bool:
        """Whether the program can have so many files open at once beside what is open."""
        with ExitStack() as opened:
            try:
                for _ in range(count):
                    opened.enter_context(open(os.devnull))
            except OSError:
                return False
        return True

    def forked_in_thread(self, body: Callable[[], None]) -> int:
        """Fork in a thread whose function returns after the body; the child's exit code."""
        pids: list[int] = []

        def fork() -> None:
            pid = os.fork()
            if pid == 0:
                body()
            else:
                pids.append(pid)

        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
        end = time.monotonic() + DEADLINE_S
        while not (found := os.waitpid(pids[0], os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.kill(pids[0], signal.SIGKILL)
                raise TimeoutError(f"the child runs after {DEADLINE_S} s")
            time.sleep(POLL_INTERVAL_S)
        return os.waitstatus_to_exitcode(found[1])
