"""The end of a process: what waits goes out first. And its beginning by a fork."""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import _registry
from ._phanos import Answer, end_deliveries, end_runtime, refuse_deliveries

AT_EXIT_S = 2.0
"""Seconds that the end of the interpreter waits for what is still under way."""

_GOODBYE_S = 0.6
"""Further seconds for ending connections, whose brokers may not answer."""

_AT_LEAST_S = 0.05
"""For each step of the end, whatever time is left: what is done already is heard of."""

_AFTER_OTHERS = -100
"""Priority among the finalizers of `multiprocessing`: its own queues and pools come first."""


def install() -> None:
    """Have the rest of this module done when its time comes."""
    atexit.register(_at_exit)
    _serve_multiprocessing()
    if _is_child_of_multiprocessing():
        _finish_in_child(install)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _at_exit() -> None:
    end = time.monotonic() + AT_EXIT_S
    try:
        _flush(end)
        # Threads that go on recording must not start anew what ends.
        refuse_deliveries()
        _stop(end + _GOODBYE_S)
    finally:
        end_deliveries(_left(end + _GOODBYE_S))
        end_runtime(_left(end + _GOODBYE_S))
        _tell()


def _flush(end: float) -> None:
    """Hand over what waits, and have it delivered by all publishers at the same time."""
    for listener in _registry.alive():
        listener._exit()
    _await([publisher._flushing for publisher in _registry.publishers()], end)


def _stop(end: float) -> None:
    """End all network sides; what is left is on disk then, or counted."""
    _await([publisher._stopping for publisher in _registry.publishers()], end)


def _tell() -> None:
    for publisher in _registry.publishers():
        publisher._log_notices()


def _await(beginnings: list[Callable[[], Answer]], end: float) -> None:
    answers: list[Answer] = []
    for begin in beginnings:
        # A system that refuses threads refuses them to one; the others may have theirs.
        with suppress(OSError):
            answers.append(begin())
    for answer in answers:
        answer.wait(_left(end))


def _left(end: float) -> float:
    return max(end - time.monotonic(), _AT_LEAST_S)


def _after_fork() -> None:
    for listener in _registry.alive():
        listener._forget_inherited()
    _serve_multiprocessing()


def _serve_multiprocessing() -> None:
    """
    Deliver at the end of its children as well, most of which end without `atexit`.

    Nothing to do while nobody has imported it: what it forks comes by here again.
    """
    global _serving
    util: Any = sys.modules.get("multiprocessing.util")
    if _serving or util is None:
        return
    _serving = True
    # A child of its kind forgets the finalizers it inherited, then runs this.
    util.register_after_fork(install, _finish_in_child)


_serving = False


def _is_child_of_multiprocessing() -> bool:
    process: Any = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _finish_in_child(_: object) -> None:
    util: Any = sys.modules["multiprocessing.util"]
    util.Finalize(None, _at_end_of_child, exitpriority=_AFTER_OTHERS)


def _at_end_of_child() -> None:
    end = time.monotonic() + AT_EXIT_S
    _flush(end)
    _stop(end + _GOODBYE_S)
    _tell()
