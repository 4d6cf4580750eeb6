"""Threads of this process as the system counts them, those unknown to Python included."""

from __future__ import annotations

from pathlib import Path

from support import wait_until

TASKS = Path("/proc/self/task")


def native_threads() -> dict[str, str]:
    """Return the names of all threads by their ids."""
    found: dict[str, str] = {}
    for task in TASKS.iterdir():
        try:
            found[task.name] = (task / "comm").read_text().strip()
        except OSError:
            continue  # It has ended meanwhile.
    return found


def wait_until_gone(before: dict[str, str]) -> None:
    """Wait until no thread is left that was not there before: the system is slow to forget."""
    left: list[str] = []

    def gone() -> bool:
        left[:] = [name for task, name in native_threads().items() if task not in before]
        return not left

    try:
        wait_until(gone, "threads end")
    except AssertionError:
        raise AssertionError(f"threads are left: {left}") from None
