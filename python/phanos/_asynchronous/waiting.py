"""
Waiting for the network side of a RabbitMQ handler or publisher, and for asynchronous handlers.

Synchronous code waits natively, with the interpreter lock released and Ctrl-C heard. Where gevent
or eventlet has patched the standard library, one thread runs all greenlets: waiting natively would
stop all of them, their `sleep` lets the others run. Coroutines await the result where asyncio runs
them; other event loops cannot be told of it, so there they look for it every few milliseconds.

Deadlines are those of the native clock: tests freeze the functions of `time`, and replace
`time.sleep` by what returns at once.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any

from phanos._phanos import PendingProbe, PendingResult, monotonic_ns, sleep

POLL_S = 0.005
"""Seconds between two looks for a result."""

FOREVER_S = 1e9
"""A timeout for results that the network side sets in any case."""


def checked_timeout(timeout_s: float) -> None:
    """Raise TypeError unless `timeout_s` is a number of seconds >= 0."""
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or timeout_s < 0:
        raise TypeError(f"timeout_s must be a number of seconds >= 0, got {timeout_s!r}")


def now() -> float:
    """Return the seconds of the native monotonic clock."""
    return monotonic_ns() / 1e9


def remaining(end: float) -> float:
    """Return the seconds until `end` of the native clock, 0 if it has passed."""
    return max(end - now(), 0.0)


def wait(pending: PendingResult, timeout_s: float) -> bool | None:
    """Wait for a result; return None if there is none after `timeout_s` seconds."""
    pause_greenlet = _sleep_of_greenlets()
    if pause_greenlet is None:
        return pending.wait(timeout_s)
    end = now() + timeout_s
    while (result := pending.poll()) is None and now() < end:
        pause_greenlet(POLL_S)
    return result


async def wait_async(pending: PendingResult, timeout_s: float) -> bool | None:
    """Await a result; return None if there is none after `timeout_s` seconds."""
    if is_asyncio_running():
        with suppress(OSError):  # The system refuses the thread that would tell of the result.
            return await pending.wait_async(timeout_s)
    end = now() + timeout_s
    while (result := pending.poll()) is None and now() < end:
        await pause()
    return result


def wait_for_probe(probe: PendingProbe) -> tuple[bool, str] | None:
    """Wait for a trial connection; return None, or `(the broker said no, text)` if it failed."""
    pause_greenlet = _sleep_of_greenlets()
    if pause_greenlet is None:
        return probe.wait()
    try:
        done, failure = probe.poll()
        while not done:
            pause_greenlet(POLL_S)
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


async def within(
    timeout_s: float,
    start: Callable[[], Coroutine[Any, Any, None]],
    run_for: Callable[[Coroutine[Any, Any, None], float], Awaitable[bool]],
) -> bool:
    """
    Await what `start` returns, for at most `timeout_s` seconds; return whether it has ended.

    Args:
        timeout_s: seconds; ignored where what runs the coroutine is neither asyncio nor trio.
        start: a coroutine function.
        run_for: does this where asyncio runs it; OSError if the system refuses the thread that
            would keep the time.
    """
    if is_asyncio_running():
        started = start()
        with suppress(OSError):
            return await run_for(started, timeout_s)
        await started
        return True
    if is_in_trio():
        trio: Any = sys.modules["trio"]
        with trio.move_on_after(timeout_s) as scope:
            await start()
        return not scope.cancelled_caught
    await start()
    return True


def is_loop_running() -> bool:
    """Tell whether an event loop of asyncio runs in this thread, whatever it is running."""
    asyncio: Any = sys.modules.get("asyncio")  # Imported wherever one runs.
    return asyncio is not None and asyncio._get_running_loop() is not None


def is_asyncio_running() -> bool:
    """
    Tell whether a task of asyncio runs the coroutine that asks.

    It is not enough that a loop runs: within one, trio can run, Twisted resumes coroutines that
    are in no task, and a test may resume one by hand.
    """
    if not is_loop_running() or is_in_trio():
        return False
    asyncio: Any = sys.modules["asyncio"]
    task = asyncio.current_task()
    if task is None:
        return False
    coroutine = task.get_coro()
    outermost = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame is not outermost and frame.f_code.co_flags & _RESUMABLE:
        frame = frame.f_back
    # Of a coroutine that is written in C or by a class, there is no frame to look for.
    return outermost is None or frame is outermost


_RESUMABLE = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def is_in_trio() -> bool:
    """Tell whether a task of trio runs the coroutine that asks."""
    trio: Any = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_task())


async def pause() -> None:
    """Let the event loop run until the next look for a result."""
    if is_asyncio_running():
        asyncio: Any = sys.modules["asyncio"]
        await asyncio.sleep(POLL_S)
    elif is_in_trio():
        trio: Any = sys.modules["trio"]
        # Not `trio.sleep`: the clock of a test may stand still.
        await trio.to_thread.run_sync(sleep, POLL_S)
    else:
        sleep(POLL_S)  # A loop that cannot be told of time either.
        await _step()


@types.coroutine
def _step() -> Generator[None, None, None]:
    """Return to the event loop once."""
    yield


def _sleep_of_greenlets() -> Callable[[float], Any] | None:
    """Return what lets other greenlets run, where greenlets take the place of threads."""
    gevent: Any = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("time"):
        return sys.modules["gevent"].sleep  # type: ignore[no-any-return]
    eventlet: Any = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.is_monkey_patched("time"):
        return sys.modules["eventlet"].sleep  # type: ignore[no-any-return]
    return None
