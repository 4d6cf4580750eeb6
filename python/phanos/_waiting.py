"""
Waiting for the network side of a RabbitMQ handler or publisher.

Synchronous code waits natively, with the interpreter lock released and Ctrl-C heard. Where gevent
or eventlet has patched the standard library, one thread runs all greenlets: waiting natively would
stop all of them, `time.sleep` lets the others run. Coroutines await the result where asyncio runs
them; other event loops cannot be told of it, so there they look for it every few milliseconds.
"""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Generator
from contextlib import suppress
from typing import Any

from ._phanos import PendingProbe, PendingResult

POLL_S = 0.005
"""Seconds between two looks for a result."""

FOREVER_S = 1e9
"""A timeout for results that the network side sets in any case."""


def checked_timeout(timeout_s: float) -> None:
    """Raise TypeError unless `timeout_s` is a number of seconds >= 0."""
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or timeout_s < 0:
        raise TypeError(f"timeout_s must be a number of seconds >= 0, got {timeout_s!r}")


def remaining(end: float) -> float:
    """Return the seconds until `end` of the monotonic clock, 0 if it has passed."""
    return max(end - time.monotonic(), 0.0)


def wait(pending: PendingResult, timeout_s: float) -> bool | None:
    """Wait for a result; return None if there is none after `timeout_s` seconds."""
    if not _are_greenlets_in_use():
        return pending.wait(timeout_s)
    end = time.monotonic() + timeout_s
    while (result := pending.poll()) is None and time.monotonic() < end:
        time.sleep(POLL_S)
    return result


async def wait_async(pending: PendingResult, timeout_s: float) -> bool | None:
    """Await a result; return None if there is none after `timeout_s` seconds."""
    if is_asyncio_running():
        with suppress(OSError):  # The system refuses the thread that would tell of the result.
            return await pending.wait_async(timeout_s)
    end = time.monotonic() + timeout_s
    while (result := pending.poll()) is None and time.monotonic() < end:
        await pause()
    return result


def wait_for_probe(probe: PendingProbe) -> tuple[bool, str] | None:
    """Wait for a trial connection; return None, or `(the broker said no, text)` if it failed."""
    if not _are_greenlets_in_use():
        return probe.wait()
    try:
        done, failure = probe.poll()
        while not done:
            time.sleep(POLL_S)
            done, failure = probe.poll()
    except BaseException:
        probe.give_up()
        raise
    return failure


async def wait_for_probe_async(probe: PendingProbe) -> tuple[bool, str] | None:
    """Await a trial connection; see `wait_for_probe`."""
    if is_asyncio_running():
        with suppress(OSError):  # As in `wait_async`.
            return await probe.wait_async()
    try:
        done, failure = probe.poll()
        while not done:
            await pause()
            done, failure = probe.poll()
    except BaseException:
        probe.give_up()
        raise
    return failure


def is_asyncio_running() -> bool:
    """Tell whether an asyncio event loop runs the current coroutine."""
    asyncio: Any = sys.modules.get("asyncio")  # Imported wherever one runs.
    if asyncio is None or asyncio._get_running_loop() is None:
        return False
    return not _is_in_trio()  # Which may run inside of a coroutine of asyncio.


def _is_in_trio() -> bool:
    trio: Any = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_task())


async def pause() -> None:
    """Let the event loop run until the next look for a result."""
    if is_asyncio_running():
        asyncio: Any = sys.modules["asyncio"]
        await asyncio.sleep(POLL_S)
        return
    if _is_in_trio():
        trio: Any = sys.modules["trio"]
        await trio.sleep(POLL_S)
    else:
        time.sleep(POLL_S)  # A loop that cannot be told of time either.
        await _step()


@types.coroutine
def _step() -> Generator[None, None, None]:
    """Return to the event loop once."""
    yield


def _are_greenlets_in_use() -> bool:
    # CPython's own `sleep` is no Python function, that of gevent and eventlet is one.
    return isinstance(time.sleep, types.FunctionType)
