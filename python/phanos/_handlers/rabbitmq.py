"""Handlers that deliver to RabbitMQ, in the background."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence as Sequence  # In signatures, which are read at run time.
from typing import Any, Generic, TypeVar
from typing import Literal as Literal

from phanos._arguments.connection import (
    connection_settings,
    for_any_publisher,
    handler_arguments,
    password_of,
    publisher_arguments,
)
from phanos._arguments.signatures import declares
from phanos._asynchronous.waiting import wait, wait_async
from phanos._loggers import logger_of, write
from phanos._phanos import Delivery
from phanos._watching.replaced import Originals, in_force
from phanos.messaging import (
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
from phanos.types import LoggerLike, Record

from .base import AsyncBaseHandler, OutputFormatter, SyncBaseHandler
from .delivering import (
    CONFIRM_S,
    CORE_BYPASSES,
    DeliveringHandler,
    checked_synchronous,
    close,
    close_async,
    flush,
    flush_async,
    is_lazy,
    takes_rows,
)

Publisher = TypeVar("Publisher", bound=BasePublisher)

CANNOT_CONNECT = "Cannot connect to RabbitMQ"


class RabbitMQHandler(DeliveringHandler, Generic[Publisher]):
    """Base of the synchronous and the asynchronous handler for RabbitMQ."""

    logger: LoggerLike
    publisher: Publisher
    _is_lazy: bool
    """It connects with the first record, and making it tries nothing out."""

    @declares(handler_arguments)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        arguments = handler_arguments(*args, **kwargs)
        super().__init__(arguments.pop("handler_name"))
        self.synchronous = checked_synchronous(arguments.pop("synchronous"))
        self._is_lazy = is_lazy(arguments.pop("connect"))
        self.logger = logger_of(arguments["logger"], "phanos.publisher")
        arguments["logger"] = self.logger
        self.publisher = self._make_publisher(for_any_publisher(arguments))
        delivery = getattr(self.publisher, "_delivery", None)
        if isinstance(delivery, Delivery):
            self.publisher._name = self.handler_name
        else:
            delivery = _idle_delivery()
        # That of the publisher which the handler made.
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

    def _target(self) -> str:
        settings = self.publisher.connection_parameters
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        scheme = "amqp" if settings.ssl_options is None else "amqps"
        path = "" if settings.virtual_host == "/" else f"/{settings.virtual_host}"
        return (
            f"{scheme}://{host}:{settings.port}{path}, exchange={settings.exchange_name!r}, "
            f"{self._shown_counts()}"
        )

    @property
    def _delivery(self) -> Delivery:
        """The network side of `publisher`, which users may replace by one that has none."""
        delivery = getattr(self.publisher, "_delivery", None)
        return delivery if isinstance(delivery, Delivery) else self._network

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
        return flush(self, timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """
        Deliver the waiting records and disconnect. A record handed over later connects again.

        Args:
            timeout: seconds for delivering.

        Returns False if records had to be given up.
        """
        return close(self, timeout)


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
        return await flush_async(self, timeout)

    async def close(self, timeout: float = 5.0) -> bool:
        """Deliver the waiting records and disconnect; see `ImpProfHandler.close`."""
        return await close_async(self, timeout)


_ORIGINALS = {
    kind: Originals(kind, CORE_BYPASSES) for kind in (ImpProfHandler, AsyncImpProfHandler)
}


def direct_delivery(handler: Any) -> Delivery | None:
    """Return the delivery that the core gives rows to, if nothing in `handler` was replaced."""
    for kind, originals in _ORIGINALS.items():
        if (
            isinstance(handler, kind)
            and takes_rows(handler, originals)
            and publishes_as_usual(getattr(handler, "publisher", None))
        ):
            return handler._delivery
    return None
