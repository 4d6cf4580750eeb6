"""
The end of a process, before which waiting records are delivered, and a fork.

Processes end in four ways that matter here: the interpreter finishes (`atexit`), a child of
`multiprocessing` finishes, a worker of Celery is ended by `os._exit`, or a fork leaves its
records to the parent.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._asynchronous.waiting import now
from ._phanos import PendingResult, end_deliveries, end_runtime, refuse_deliveries
from ._watching import registry

if TYPE_CHECKING:
    from types import FrameType

DELIVER_S = 2.0
"""Seconds that a process may take at its end to deliver what is waiting."""

_DISCONNECT_S = 0.6
"""Further seconds for ending connections, whose brokers may not answer."""

_LEAST_WAIT_S = 0.05
"""Seconds for each step of the end, however late it is: finished work is noticed even then."""

_AFTER_OTHER_FINALIZERS = -100
"""Priority among the finalizers of `multiprocessing`: its own queues and pools come first."""


def install() -> None:
    """Register what has to happen when this process ends or forks."""
    atexit.register(_at_exit)
    _register_with_multiprocessing()
    if _is_child_of_multiprocessing():
        _add_finalizer(install)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _at_exit() -> None:
    end = now() + DELIVER_S
    try:
        _deliver(end)
        # Threads that still record must not start a network side that was ended.
        refuse_deliveries()
        _disconnect(end + _DISCONNECT_S)
    finally:
        for metric in registry.metrics_without_profiler():
            metric._warn_if_never_added()
        end_deliveries(_remaining(end + _DISCONNECT_S))
        end_runtime(_remaining(end + _DISCONNECT_S))
        _end_logs()


def _deliver(end: float) -> None:
    """Hand over what is waiting, and let all publishers deliver at the same time."""
    for profiler in registry.profilers():
        profiler._hand_over_at_exit()
    _flush(end)


def _deliver_and_go_on(end: float) -> None:
    """Do so in a process that lives on, whose event loops dispatch to asynchronous handlers."""
    for profiler in registry.profilers():
        profiler._hand_over_before_end()
    _flush(end)


def _flush(end: float) -> None:
    _wait_for_all([publisher._start_flush for publisher in registry.publishers()], end)


def _disconnect(end: float) -> None:
    """End all network sides; records that are left are on disk then, or counted."""
    _wait_for_all([publisher._start_stop for publisher in registry.publishers()], end)


def _write_log_lines() -> None:
    for publisher in registry.publishers():
        publisher._write_log_lines()


def _end_logs() -> None:
    for publisher in registry.publishers():
        publisher._end_log()


def _wait_for_all(starts: list[Callable[[], PendingResult]], end: float) -> None:
    results: list[PendingResult] = []
    for start in starts:
        # A system that refuses one of them a thread may still grant it to the next.
        with suppress(OSError):
            results.append(start())
    for result in results:
        result.wait(_remaining(end))


def _remaining(end: float) -> float:
    return max(end - now(), _LEAST_WAIT_S)


def _after_fork() -> None:
    for profiler in registry.profilers():
        profiler._forget_inherited()
    _register_with_multiprocessing()


def _register_with_multiprocessing() -> None:
    """
    Deliver at the end of children of `multiprocessing` too, most of which end without `atexit`.

    There is nothing to do in a program that has not imported it: a child that it forks later
    calls this function again.
    """
    global _is_registered
    util: Any = sys.modules.get("multiprocessing.util")
    if _is_registered or util is None:
        return
    _is_registered = True
    # A child of `multiprocessing` forgets the finalizers that it inherited, then runs this.
    util.register_after_fork(install, _add_finalizer)


_is_registered = False


def _is_child_of_multiprocessing() -> bool:
    process: Any = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _add_finalizer(_: object) -> None:
    util: Any = sys.modules["multiprocessing.util"]
    util.Finalize(None, _at_end_of_child, exitpriority=_AFTER_OTHER_FINALIZERS)


def _at_end_of_child() -> None:
    end = now() + DELIVER_S
    _deliver(end)
    _disconnect(end + _DISCONNECT_S)
    _end_logs()


def deliver_on_signal(signum: int | None = None) -> None:
    """
    Deliver what is waiting when a signal comes; then it does what it did before.

    For programs that a signal ends without the interpreter's own end, as SIGTERM does by default:
    what they recorded last would be lost. It takes up to 2 s if the broker does not answer.
    Asynchronous handlers go on where the program does, by a signal handler of its own.
    Servers that end in good order on SIGTERM do not need this.

    Args:
        signum: the signal; by default SIGTERM.

    Raises:
        ValueError: called from another thread than the main one.
    """
    number = signal.SIGTERM if signum is None else signal.Signals(signum)
    before = signal.getsignal(number)

    def deliver(received: int, frame: FrameType | None) -> None:
        end = now() + DELIVER_S
        # A handler of the program's own may end it much later, in good order, or not at all.
        if callable(before):
            _deliver_and_go_on(end)
            _write_log_lines()
            before(received, frame)
        elif before == signal.SIG_IGN:
            _deliver_and_go_on(end)
        else:
            _deliver(end)
            _disconnect(end + _DISCONNECT_S)
            _write_log_lines()
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    signal.signal(number, deliver)


def connect_to_celery() -> None:
    """
    Deliver before a worker process of Celery ends, if this program has imported Celery.

    Celery ends the processes of its pool by `os._exit`, of which only its own signal tells.
    """
    signals: Any = sys.modules.get("celery.signals")
    if signals is not None:
        signals.worker_process_shutdown.connect(
            _at_end_of_celery_worker, weak=False, dispatch_uid="phanos"
        )


def _at_end_of_celery_worker(**_: Any) -> None:
    _deliver(now() + DELIVER_S)
    _write_log_lines()
