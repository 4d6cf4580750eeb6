"""Threads of this process as the system counts them, those unknown to Python included."""

from __future__ import annotations

import os
from pathlib import Path

from support import wait_until

TASKS = Path("/proc/self/task")


def native_threads() -> set[str]:
    """Return the ids of all threads."""
    return set(os.listdir(TASKS))


def wait_until_gone(before: set[str]) -> None:
    """Wait until no thread is left that was not there before: the system is slow to forget."""
    wait_until(lambda: not native_threads() - before, "threads are left")
