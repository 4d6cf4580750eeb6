"""Handlers with a network side, which delivers in the background until a receiver has confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from phanos._asynchronous.waiting import checked_timeout, now, remaining, wait, wait_async
from phanos._loggers import write_message
from phanos._phanos import Delivery, PendingResult
from phanos._watching.replaced import Originals, in_force
from phanos.types import LoggerLike, Record

from .base import (
    OutputFormatter,
    WatchedHandler,
    formats_as_usual,
    log_error_profiling,
)

CONFIRM_S = 30.0
"""Seconds that a synchronous handler waits for the receiver; after that records are still kept."""

_DISCONNECT_S = 1.0
"""Seconds that closing waits for the receiver and the disk at least, however late it is."""

CORE_BYPASSES = ("handle", "_enqueue", "_write_log_lines", "_log_errors")
"""Methods that the native core does not call, unless one of them was replaced."""


class DeliveringHandler(WatchedHandler):
    """Base of the handlers with a network side."""

    logger: LoggerLike
    formatter: OutputFormatter
    synchronous: bool
    _network: Delivery
    """The network side that belongs to the handler."""

    def stats(self) -> dict[str, Any]:
        """
        Return counts of the records handed over, and how the connection stands.

        The counts are those of one moment: `handed_over` and `adopted` come to `confirmed`, all of
        `dropped`, `queued`, `in_flight` and `left`.

        `handed_over`: records that this process gave; `queued`, `in_flight`: records waiting to be
        sent, and sent but not confirmed;
        `confirmed`: records that the receiver has; `messages`: messages they were in;
        `returned`, `retried`, `nacked`: records that no queue got, that were sent again, that
        the broker refused for now, each time; `dropped`: records given up, by reason;
        `spooled`: records on disk; `left`: those that closing left there; `adopted`: records taken
        over from dead processes;
        `reconnects`; `last_error`: text or None; `state`: idle, connecting, connected, blocked
        or closed; `queue_age_s`: for how long the oldest record has been waiting, in seconds.
        """
        return self._delivery.stats()

    def _enqueue(self, records: list[Record], profiler_name: str) -> None:
        """Put a batch into the buffer of the network side."""
        if not records:
            return
        self._delivery.push(profiler_name, records, self.logger)
        self._log_errors(records, profiler_name)
        self._write_log_lines()

    def _log_errors(self, records: list[Record], profiler_name: str) -> None:
        log = in_force("log_error_profiling", log_error_profiling)
        log(profiler_name, self.formatter, self.logger, records)

    @property
    def _delivery(self) -> Delivery:
        """The network side that gets the records."""
        return self._network

    def _shown_counts(self) -> str:
        """Return how the connection stands, for the text form."""
        counts = self.stats()
        return f"{counts['state']}, {counts['queued'] + counts['in_flight']} records waiting"

    def _start_flush(self) -> PendingResult:
        """Have everything delivered; the result is True when no record handed over so far waits."""
        return self._delivery.flush()

    def _write_log_lines(self) -> None:
        for level, text in self._delivery.take_log_lines():
            with suppress(Exception):
                write_message(self.logger, level, "%s - %s", (self.handler_name, text), {})


def checked_synchronous(given: Any) -> bool:
    """Return the argument `synchronous`, or raise TypeError."""
    if not isinstance(given, bool):
        raise TypeError(f"synchronous must be a bool, got {given!r}")
    return given


def is_lazy(connect: Any) -> bool:
    """Tell what the argument `connect` says, or raise ValueError."""
    if connect not in ("eager", "lazy"):
        raise ValueError(f"connect must be 'eager' or 'lazy', got {connect!r}")
    return bool(connect == "lazy")


def takes_rows(handler: DeliveringHandler, originals: Originals) -> bool:
    """Tell whether the core can give rows to the handler: nothing of `originals` was replaced."""
    return (
        not originals.are_replaced_in(handler)
        # Not there if a subclass overrides the constructor without calling it.
        and formats_as_usual(getattr(handler, "formatter", None))
        and not handler.synchronous
        and in_force("log_error_profiling", log_error_profiling) is log_error_profiling
    )


def connected_handlers(handlers: Iterable[Any]) -> list[DeliveringHandler]:
    """Return those of `handlers` that have a network side."""
    # A subclass may override the constructor without calling it.
    return [
        handler
        for handler in handlers
        # By its true class: a mock says that it is what it stands for.
        if issubclass(type(handler), DeliveringHandler) and hasattr(handler, "_network")
    ]


def flush_all(handlers: list[DeliveringHandler], end: float) -> bool:
    """
    Wait until `end` of the monotonic clock that the handlers deliver; return whether all have.

    They deliver at the same time: a broker that is away takes no time from the others.
    """
    results = [handler._start_flush() for handler in handlers]
    delivered = [bool(wait(result, remaining(end))) for result in results]
    for handler in handlers:
        handler._write_log_lines()
    return all(delivered)


async def flush_all_async(handlers: list[DeliveringHandler], end: float) -> bool:
    """Await that the handlers deliver; see `flush_all`."""
    results = [handler._start_flush() for handler in handlers]
    delivered = [bool(await wait_async(result, remaining(end))) for result in results]
    for handler in handlers:
        handler._write_log_lines()
    return all(delivered)


def flush(handler: DeliveringHandler, timeout: float) -> bool:
    """Wait up to `timeout` seconds that no record handed over so far is waiting any longer."""
    checked_timeout(timeout)
    return flush_all([handler], now() + timeout)


async def flush_async(handler: DeliveringHandler, timeout: float) -> bool:
    """Await that no record is waiting any longer; see `flush`."""
    checked_timeout(timeout)
    return await flush_all_async([handler], now() + timeout)


def close(handler: DeliveringHandler, timeout: float) -> bool:
    """Deliver and disconnect, within `timeout` seconds; False if records had to be given up."""
    checked_timeout(timeout)
    end = now() + timeout
    wait(handler._start_flush(), timeout)
    stopped = wait(handler._delivery.stop(), max(remaining(end), _DISCONNECT_S))
    handler._write_log_lines()
    return bool(stopped)


async def close_async(handler: DeliveringHandler, timeout: float) -> bool:
    """Deliver and disconnect without blocking the event loop; see `close`."""
    checked_timeout(timeout)
    end = now() + timeout
    await wait_async(handler._start_flush(), timeout)
    stopped = await wait_async(handler._delivery.stop(), max(remaining(end), _DISCONNECT_S))
    handler._write_log_lines()
    return bool(stopped)
