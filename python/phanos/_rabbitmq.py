"""Handlers that deliver to RabbitMQ, in the background."""

from __future__ import annotations

import logging
import time
from typing import Any, Generic, TypeVar

from ._base_handlers import (
    AsyncBaseHandler,
    OutputFormatter,
    SyncBaseHandler,
    WatchedHandler,
    log_error_profiling,
)
from ._connection import (
    BUFFER_BYTES,
    EXCHANGE_NAME,
    EXCHANGE_TYPE,
    HEARTBEAT_S,
    HOST,
    PORT,
    RETRY,
    RETRY_DELAY_S,
    SPOOL_BYTES,
    TIMEOUT_S,
)
from ._phanos import Answer, Delivery
from ._settings import checked_timeout
from ._waiting import wait
from .messaging import (
    AsyncioPublisher,
    BasePublisher,
    BlockingPublisher,
    RabbitMQError,
    RabbitMQRefusedError,
    answered,
    probe,
    probe_and_wait,
)
from .types import LoggerLike, Record

Publisher = TypeVar("Publisher", bound=BasePublisher)

CANNOT_CONNECT = "Cannot connect to RabbitMQ"

CONFIRM_S = 30.0
"""How long a synchronous handler waits for the broker; records are kept beyond it."""


class RabbitMQHandler(WatchedHandler, Generic[Publisher]):
    """What both handlers for RabbitMQ do."""

    logger: LoggerLike
    formatter: OutputFormatter
    publisher: Publisher
    synchronous: bool
    _publisher_class: type[Publisher]
    _network: Delivery
    """The network side of the publisher that the handler made."""

    def __init__(
        self,
        handler_name: str,
        host: str = HOST,
        port: int = PORT,
        user: str | None = None,
        password: str | None = None,
        heartbeat: int = HEARTBEAT_S,
        timeout: float = TIMEOUT_S,
        retry_delay: float = RETRY_DELAY_S,
        retry: int = RETRY,
        exchange_name: str = EXCHANGE_NAME,
        exchange_type: Any = EXCHANGE_TYPE,
        logger: LoggerLike | str | None = None,
        *,
        synchronous: bool = False,
        buffer_bytes: int = BUFFER_BYTES,
        spool_directory: str | None = None,
        spool_bytes: int = SPOOL_BYTES,
        **kwargs: Any,
    ) -> None:
        super().__init__(handler_name)
        if not isinstance(synchronous, bool):
            raise TypeError(f"synchronous must be a bool, got {synchronous!r}")
        self.synchronous = synchronous
        self.formatter = OutputFormatter()
        self.publisher = self._publisher_class(
            host=host,
            port=port,
            user=user,
            password=password,
            heartbeat=heartbeat,
            timeout=timeout,
            retry_delay=retry_delay,
            retry=retry,
            exchange_name=exchange_name,
            exchange_type=exchange_type,
            logger=logger or "phanos.publisher",
            buffer_bytes=buffer_bytes,
            spool_directory=spool_directory,
            spool_bytes=spool_bytes,
            **kwargs,
        )
        self.publisher._name = self.handler_name
        self.logger = self.publisher.logger
        self._network = self.publisher._delivery
        self._try_out()

    def _try_out(self) -> None:
        """Try the connection out, as far as a constructor does."""

    def stats(self) -> dict[str, Any]:
        """
        Return what became of the records handed over.

        `queued`, `in_flight`: records waiting to be sent, and sent but not confirmed;
        `confirmed`: records that the broker has; `messages`: messages they were in;
        `returned`, `retried`, `nacked`: records that no queue got, that were sent again, that
        the broker refused for now, each time; `dropped`: records given up, by reason;
        `spooled`: records on disk; `adopted`: records taken over from dead processes;
        `reconnects`; `last_error`: text or None; `state`: idle, connecting, connected, blocked
        or closed; `queue_age_s`: for how long the oldest record has been waiting, in seconds.
        """
        return self._delivery.stats()

    def _take(self, records: list[Record], profiler_name: str) -> None:
        """Put a batch down for the network side."""
        if not records:
            return
        self._delivery.push(profiler_name, records, self.logger)
        log_error_profiling(profiler_name, self.formatter, self.logger, records)
        self._log_notices()

    @property
    def _delivery(self) -> Delivery:
        """The network side of the publisher in place; a user's own publisher may have none."""
        delivery = getattr(self.publisher, "_delivery", None)
        return delivery if isinstance(delivery, Delivery) else self._network

    def _flushed(self) -> Answer:
        """Return what tells when nothing handed over so far waits any longer."""
        return self._delivery.flush()

    def _log_notices(self) -> None:
        for level, text in self._delivery.take_notices():
            self.logger.log(level, "%s - %s", self.handler_name, text)

    def _created(self) -> None:
        self.logger.log(logging.INFO, "%s created successfully", type(self).__name__)

    def _not_created(self, error: RabbitMQError) -> RuntimeError:
        name = type(self).__name__
        self.logger.log(
            logging.ERROR, "%s cannot connect to RabbitMQ because of %s", name, str(error)
        )
        if isinstance(error, RabbitMQRefusedError):
            return RuntimeError(f"{CANNOT_CONNECT}: {error}")
        return RuntimeError(CANNOT_CONNECT)

    def _has_own_publisher(self) -> bool:
        """Tell whether somebody put a publisher of their own in place, or changed this one."""
        publisher: Any = self.publisher
        return type(publisher) not in (BlockingPublisher, AsyncioPublisher) or (
            "publish" in vars(publisher)
        )


class ImpProfHandler(RabbitMQHandler[BlockingPublisher], SyncBaseHandler):
    """
    Delivers records to RabbitMQ; for synchronous and asynchronous programs.

    Handing over takes microseconds whatever the broker does. Records wait in a bounded
    buffer, are sent in the background, and are kept until the broker has confirmed them.

    Args:
        handler_name: name of the handler.
        host, port, user, password, heartbeat, timeout, retry_delay, retry, exchange_name,
        exchange_type: see `phanos.messaging.BasePublisher`.
        logger: a logger or the name of one; by default `phanos.publisher`.
        synchronous: `handle` returns once the broker has confirmed, as a call of 0.3.2 would.
        buffer_bytes: memory for records that wait; beyond it the oldest go, and are counted.
        spool_directory: where records wait that memory cannot hold, and survive a process
            that dies; a later process with the same destination sends them.
        spool_bytes: disk for them.
        **kwargs: further connection parameters, see `phanos.messaging.BasePublisher`.

    Raises:
        RuntimeError: the broker cannot be reached, or refuses; then the text says what.
        TypeError: an argument that is not known, or of the wrong type.
        ValueError: a value out of range, or one that cannot be honoured.
    """

    _publisher_class = BlockingPublisher

    def _try_out(self) -> None:
        try:
            probe_and_wait(self._delivery)
        except RabbitMQError as error:
            raise self._not_created(error) from error
        self._created()

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Put the batch down; with `synchronous`, wait until the broker has it."""
        if self._has_own_publisher():
            self.publisher.publish(records)
            return
        self._take(records, profiler_name)
        if self.synchronous:
            wait(self._flushed(), CONFIRM_S)
            self._log_notices()

    def flush(self, timeout: float = 5.0) -> bool:
        """
        Wait until nothing handed over so far waits any longer.

        Args:
            timeout: seconds.

        Returns False if something waits still. Where nobody receives what the broker takes,
        there is nothing to wait for.
        """
        checked_timeout(timeout)
        done = wait(self._flushed(), timeout)
        self._log_notices()
        return bool(done)

    def close(self, timeout: float = 5.0) -> bool:
        """
        Deliver what waits and disconnect. A record handed over later connects again.

        Args:
            timeout: seconds for delivering.

        Returns False if records had to be given up.
        """
        checked_timeout(timeout)
        end = time.monotonic() + timeout
        wait(self._flushed(), timeout)
        stopped = wait(self._delivery.stop(), max(end - time.monotonic(), _GOODBYE_S))
        self._log_notices()
        return bool(stopped)


class AsyncImpProfHandler(RabbitMQHandler[AsyncioPublisher], AsyncBaseHandler):
    """
    Delivers records to RabbitMQ; for profilers configured by `async_config`.

    Made directly it connects when the first record comes; `create` tries the connection out
    first. Arguments as for `ImpProfHandler`. The event loop is never blocked.
    """

    _publisher_class = AsyncioPublisher

    @classmethod
    async def create(
        cls,
        handler_name: str,
        host: str = HOST,
        port: int = PORT,
        user: str | None = None,
        password: str | None = None,
        heartbeat: int = HEARTBEAT_S,
        timeout: float = TIMEOUT_S,
        retry_delay: float = RETRY_DELAY_S,
        retry: int = RETRY,
        exchange_name: str = EXCHANGE_NAME,
        exchange_type: Any = EXCHANGE_TYPE,
        logger: LoggerLike | str | None = None,
        **kwargs: Any,
    ) -> AsyncImpProfHandler:
        """
        Make a handler whose connection was tried out.

        Raises:
            RuntimeError: the broker cannot be reached, or refuses; then the text says what.
            TypeError, ValueError: as the constructor.
        """
        handler = cls(
            handler_name,
            host=host,
            port=port,
            user=user,
            password=password,
            heartbeat=heartbeat,
            timeout=timeout,
            retry_delay=retry_delay,
            retry=retry,
            exchange_name=exchange_name,
            exchange_type=exchange_type,
            logger=logger,
            **kwargs,
        )
        try:
            await probe(handler._delivery)
        except RabbitMQError as error:
            raise handler._not_created(error) from error
        handler._created()
        return handler

    async def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Put the batch down; with `synchronous`, await the broker's confirmation."""
        if self._has_own_publisher():
            await self.publisher.publish(records)
            return
        self._take(records, profiler_name)
        if self.synchronous:
            await answered(self._flushed(), CONFIRM_S)
            self._log_notices()

    async def flush(self, timeout: float = 5.0) -> bool:
        """Await that nothing waits any longer; see `ImpProfHandler.flush`."""
        checked_timeout(timeout)
        done = await answered(self._flushed(), timeout)
        self._log_notices()
        return bool(done)

    async def close(self, timeout: float = 5.0) -> bool:
        """Deliver what waits and disconnect; see `ImpProfHandler.close`."""
        checked_timeout(timeout)
        end = time.monotonic() + timeout
        await answered(self._flushed(), timeout)
        patience = max(end - time.monotonic(), _GOODBYE_S)
        stopped = await answered(self._delivery.stop(), patience)
        self._log_notices()
        return bool(stopped)


_GOODBYE_S = 1.0
"""How long closing waits for the broker and the disk, whatever time is left."""
