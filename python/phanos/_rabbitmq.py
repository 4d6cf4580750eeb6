"""Handlers that deliver to RabbitMQ, in the background."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable
from collections.abc import Sequence as Sequence  # In signatures, which are read at run time.
from contextlib import suppress
from typing import Any, Generic, TypeVar
from typing import Literal as Literal

from ._base_handlers import (
    AsyncBaseHandler,
    OutputFormatter,
    SyncBaseHandler,
    WatchedHandler,
    formats_as_usual,
    log_error_profiling,
)
from ._connection import (
    connection_settings,
    for_any_publisher,
    handler_arguments,
    password_of,
    publisher_arguments,
)
from ._loggers import logger_of, write, write_message
from ._phanos import Delivery, PendingResult
from ._replaced import Originals, in_force
from ._signatures import declares
from ._waiting import checked_timeout, now, remaining, wait, wait_async
from .messaging import (
    NETWORK_ERRORS,
    AsyncioPublisher,
    BasePublisher,
    BlockingPublisher,
    RabbitMQError,
    connects_as_usual,
    probe,
    probe_async,
    publishes_as_usual,
)
from .types import LoggerLike, Record

Publisher = TypeVar("Publisher", bound=BasePublisher)

CANNOT_CONNECT = "Cannot connect to RabbitMQ"

CONFIRM_S = 30.0
"""Seconds that a synchronous handler waits for the broker; after that records are still kept."""


class RabbitMQHandler(WatchedHandler, Generic[Publisher]):
    """Base of the synchronous and the asynchronous handler for RabbitMQ."""

    logger: LoggerLike
    formatter: OutputFormatter
    publisher: Publisher
    synchronous: bool
    _is_lazy: bool
    """It connects with the first record, and making it tries nothing out."""
    _network: Delivery
    """The network side of the publisher that the handler made; an idle one if that has none."""

    @declares(handler_arguments)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        arguments = handler_arguments(*args, **kwargs)
        super().__init__(arguments.pop("handler_name"))
        synchronous = arguments.pop("synchronous")
        if not isinstance(synchronous, bool):
            raise TypeError(f"synchronous must be a bool, got {synchronous!r}")
        connect = arguments.pop("connect")
        if connect not in ("eager", "lazy"):
            raise ValueError(f"connect must be 'eager' or 'lazy', got {connect!r}")
        self._is_lazy = connect == "lazy"
        self.synchronous = synchronous
        self.logger = logger_of(arguments["logger"], "phanos.publisher")
        arguments["logger"] = self.logger
        self.publisher = self._make_publisher(for_any_publisher(arguments))
        delivery = getattr(self.publisher, "_delivery", None)
        if isinstance(delivery, Delivery):
            self.publisher._name = self.handler_name
        else:
            delivery = _idle_delivery()
        self._network = delivery
        if not self._is_lazy:
            self._probe()
        self.formatter = in_force("OutputFormatter", OutputFormatter)()
        self._write_log_lines()

    @abstractmethod
    def _make_publisher(self, arguments: dict[str, Any]) -> Publisher:
        """Make the publisher that belongs to this class of handler."""

    def _probe(self) -> None:
        """Make a trial connection, if the constructor of this class does."""

    def stats(self) -> dict[str, Any]:
        """
        Return counts of the records handed over, and how the connection stands.

        The counts are those of one moment: `handed_over` and `adopted` come to `confirmed`, all of
        `dropped`, `queued`, `in_flight` and `left`.

        `handed_over`: records that this process gave; `queued`, `in_flight`: records waiting to be
        sent, and sent but not confirmed;
        `confirmed`: records that the broker has; `messages`: messages they were in;
        `returned`, `retried`, `nacked`: records that no queue got, that were sent again, that
        the broker refused for now, each time; `dropped`: records given up, by reason;
        `spooled`: records on disk; `left`: those that closing left there; `adopted`: records taken
        over from dead processes;
        `reconnects`; `last_error`: text or None; `state`: idle, connecting, connected, blocked
        or closed; `queue_age_s`: for how long the oldest record has been waiting, in seconds.
        """
        return self._delivery.stats()

    def _target(self) -> str:
        settings = self.publisher.connection_parameters
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        scheme = "amqp" if settings.ssl_options is None else "amqps"
        path = "" if settings.virtual_host == "/" else f"/{settings.virtual_host}"
        counts = self.stats()
        waiting = counts["queued"] + counts["in_flight"]
        return (
            f"{scheme}://{host}:{settings.port}{path}, exchange={settings.exchange_name!r}, "
            f"{counts['state']}, {waiting} records waiting"
        )

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
        """The network side of `publisher`, which users may replace by one that has none."""
        delivery = getattr(self.publisher, "_delivery", None)
        return delivery if isinstance(delivery, Delivery) else self._network

    def _start_flush(self) -> PendingResult:
        """Have everything delivered; the result is True when no record handed over so far waits."""
        return self._delivery.flush()

    def _write_log_lines(self) -> None:
        for level, text in self._delivery.take_log_lines():
            with suppress(Exception):
                write_message(self.logger, level, "%s - %s", (self.handler_name, text), {})

    def _created(self) -> None:
        write(self.logger, logging.INFO, f"{type(self).__name__} created successfully")

    def _not_created(self, error: BaseException) -> RuntimeError:
        name = type(self).__name__
        write(self.logger, logging.ERROR, f"{name} cannot connect to RabbitMQ because of {error}")
        # Errors of publishers of users' own may say anything, a password as well.
        why = f": {error}" if isinstance(error, RabbitMQError) else ""
        return RuntimeError(f"{CANNOT_CONNECT}{why}")

    def _has_own_publisher(self) -> bool:
        """Tell whether users replaced the publisher or a method of it."""
        return not publishes_as_usual(self.publisher)


def _network_errors() -> tuple[type[BaseException], ...]:
    return in_force("NETWORK_ERRORS", NETWORK_ERRORS)


def _idle_delivery() -> Delivery:
    """Return a network side that nothing is given to, and that never connects."""
    arguments = publisher_arguments()
    return Delivery(connection_settings(arguments), password_of(None))


def connected_handlers(handlers: Iterable[Any]) -> list[RabbitMQHandler[Any]]:
    """Return those of `handlers` that have a network side."""
    # A subclass may override the constructor without calling it.
    return [
        handler
        for handler in handlers
        # By its true class: a mock says that it is what it stands for.
        if issubclass(type(handler), RabbitMQHandler) and hasattr(handler, "_network")
    ]


def flush_all(handlers: list[RabbitMQHandler[Any]], end: float) -> bool:
    """
    Wait until `end` of the monotonic clock that the handlers deliver; return whether all have.

    They deliver at the same time: a broker that is away takes no time from the others.
    """
    results = [handler._start_flush() for handler in handlers]
    delivered = [bool(wait(result, remaining(end))) for result in results]
    for handler in handlers:
        handler._write_log_lines()
    return all(delivered)


async def flush_all_async(handlers: list[RabbitMQHandler[Any]], end: float) -> bool:
    """Await that the handlers deliver; see `flush_all`."""
    results = [handler._start_flush() for handler in handlers]
    delivered = [bool(await wait_async(result, remaining(end))) for result in results]
    for handler in handlers:
        handler._write_log_lines()
    return all(delivered)


class ImpProfHandler(RabbitMQHandler[BlockingPublisher], SyncBaseHandler):
    """
    Delivers records to RabbitMQ; for synchronous and asynchronous programs.

    Handing over takes microseconds, even if the broker is slow or away. Records wait in a bounded
    buffer, are sent in the background, and are kept until the broker has confirmed them.

    Args:
        handler_name: name of the handler.
        host, port, user, password, heartbeat, timeout, retry_delay, retry, exchange_name,
        exchange_type, url: see `phanos.messaging.BasePublisher`.
        logger: a logger, any object with a method `log`, or the name of one; by default
            `phanos.publisher`.
        connect: `lazy` connects with the first record, so that the broker need not be there yet:
            records wait for it, and a warning says so.
        synchronous: `handle` returns once the broker has confirmed, as a call of 0.3.2 would.
        buffer_bytes: memory for records that wait; beyond it the oldest go, and are counted.
        spool_directory: where records wait that memory cannot hold, and survive a process
            that dies; a later process with the same destination sends them.
        spool_bytes: disk for them.
        **kwargs: further connection parameters, see `phanos.messaging.BasePublisher`.

    Raises:
        RuntimeError: the broker cannot be reached, or refuses; the text says which and why.
        TypeError: an argument that is not known, or of the wrong type.
        ValueError: a value out of range, or one that cannot be honoured, such as a
            `spool_directory` that nothing can be written to.
    """

    def _make_publisher(self, arguments: dict[str, Any]) -> BlockingPublisher:
        return in_force("BlockingPublisher", BlockingPublisher)(**arguments)

    def _probe(self) -> None:
        is_usual = connects_as_usual(self.publisher)
        try:
            if is_usual:
                probe(self._delivery)
            else:
                self.publisher.connect()
        except _network_errors() as error:
            raise self._not_created(error) from error
        if not is_usual:
            self.publisher.close()
        self._created()

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Put the batch into the buffer; with `synchronous`, wait until the broker has it."""
        if self._has_own_publisher():
            self.publisher.publish(records)
            self._log_errors(records, profiler_name)
            return
        self._enqueue(records, profiler_name)
        if self.synchronous:
            wait(self._start_flush(), CONFIRM_S)
            self._write_log_lines()

    def flush(self, timeout: float = 5.0) -> bool:
        """
        Wait until no record handed over so far is waiting any longer.

        Args:
            timeout: seconds.

        Returns False if records are still waiting. Messages that the broker took although no
        queue receives them are not waited for.
        """
        checked_timeout(timeout)
        done = wait(self._start_flush(), timeout)
        self._write_log_lines()
        return bool(done)

    def close(self, timeout: float = 5.0) -> bool:
        """
        Deliver the waiting records and disconnect. A record handed over later connects again.

        Args:
            timeout: seconds for delivering.

        Returns False if records had to be given up.
        """
        checked_timeout(timeout)
        end = now() + timeout
        wait(self._start_flush(), timeout)
        stopped = wait(self._delivery.stop(), max(remaining(end), _DISCONNECT_S))
        self._write_log_lines()
        return bool(stopped)


class AsyncImpProfHandler(RabbitMQHandler[AsyncioPublisher], AsyncBaseHandler):
    """
    Delivers records to RabbitMQ; for profilers configured by `async_config`.

    Made directly it connects when the first record comes; `create` tries the connection out
    first. Arguments as for `ImpProfHandler`. The event loop is never blocked.
    """

    def _make_publisher(self, arguments: dict[str, Any]) -> AsyncioPublisher:
        return in_force("AsyncioPublisher", AsyncioPublisher)(**arguments)

    @classmethod
    @declares(handler_arguments, options=False)
    async def create(cls, *args: Any, **kwargs: Any) -> AsyncImpProfHandler:
        """
        Make a handler whose connection was tried out, unless `connect` is `lazy`.

        Raises:
            RuntimeError: the broker cannot be reached, or refuses; the text says which and why.
            TypeError, ValueError: as the constructor.
        """
        handler = cls(*args, **kwargs)
        if handler._is_lazy:
            return handler
        is_usual = connects_as_usual(handler.publisher)
        try:
            if is_usual:
                await probe_async(handler._delivery)
            else:
                await handler.publisher.connect()
        except _network_errors() as error:
            raise handler._not_created(error) from error
        if not is_usual:
            await handler.publisher.close()
        handler._created()
        return handler

    async def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Put the batch into the buffer; with `synchronous`, await the broker's confirmation."""
        if self._has_own_publisher():
            await self.publisher.publish(records)
            self._log_errors(records, profiler_name)
            return
        self._enqueue(records, profiler_name)
        if self.synchronous:
            await wait_async(self._start_flush(), CONFIRM_S)
            self._write_log_lines()

    async def flush(self, timeout: float = 5.0) -> bool:
        """Await that no record is waiting any longer; see `ImpProfHandler.flush`."""
        checked_timeout(timeout)
        done = await wait_async(self._start_flush(), timeout)
        self._write_log_lines()
        return bool(done)

    async def close(self, timeout: float = 5.0) -> bool:
        """Deliver the waiting records and disconnect; see `ImpProfHandler.close`."""
        checked_timeout(timeout)
        end = now() + timeout
        await wait_async(self._start_flush(), timeout)
        patience = max(remaining(end), _DISCONNECT_S)
        stopped = await wait_async(self._delivery.stop(), patience)
        self._write_log_lines()
        return bool(stopped)


_DISCONNECT_S = 1.0
"""Seconds that closing waits for the broker and the disk at least, however late it is."""

_ORIGINALS = {
    kind: Originals(kind, ("handle", "_enqueue", "_write_log_lines", "_log_errors"))
    for kind in (ImpProfHandler, AsyncImpProfHandler)
}


def direct_delivery(handler: Any) -> Delivery | None:
    """Return the delivery that the core gives rows to, if nothing in `handler` was replaced."""
    for kind, originals in _ORIGINALS.items():
        if (
            isinstance(handler, kind)
            and not originals.are_replaced_in(handler)
            # Not there if a subclass overrides the constructor without calling it.
            and formats_as_usual(getattr(handler, "formatter", None))
            and publishes_as_usual(getattr(handler, "publisher", None))
            and not handler.synchronous
            and in_force("log_error_profiling", log_error_profiling) is log_error_profiling
        ):
            return handler._delivery
    return None
