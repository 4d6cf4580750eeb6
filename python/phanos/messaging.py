"""
Publishers to RabbitMQ: each call of `publish` sends one message and tells whether it arrived.

Handlers do not use them: they hand records over and never wait.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from . import _celery, _connection, _registry
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
    ConnectionParameters,
    buffer_bytes_of,
    connection_parameters,
    exchange_type_of,
    native_arguments,
    password_of,
    short_text,
    spool_of,
)
from ._phanos import Answer, Delivery
from ._waiting import wait, wait_for_probe
from .types import LoggerLike, Record

__all__ = [
    "NETWORK_ERRORS",
    "AsyncioPublisher",
    "BasePublisher",
    "BlockingPublisher",
    "LoggerLike",
    "RabbitMQError",
    "RabbitMQRefusedError",
]


class RabbitMQError(ConnectionError):
    """There is no connection to the broker; the text says why. No password is in it."""


class RabbitMQRefusedError(RabbitMQError):
    """The broker answered and said no; the text says to what."""


NETWORK_ERRORS: tuple[type[BaseException], ...] = (ConnectionError, OSError)
"""What talking to a broker can raise."""

_LOOK_S = 0.005
"""How often a coroutine looks whether an answer is there."""

_CLOSE_S = 5.0
"""How long closing waits for the broker."""


class BasePublisher(ABC):
    """
    Base of the publishers. Nothing is connected until it is needed.

    Args:
        host: the broker's host.
        port: the broker's port.
        user: user name; None means guest.
        password: password; None means guest.
        heartbeat: seconds; 0 or None turns heartbeats off.
        timeout: seconds that the broker may block the connection; 0 or None: no limit.
        retry_delay: seconds between two attempts.
        retry: number of attempts.
        exchange_name: the exchange, declared as neither durable nor auto-delete.
        exchange_type: its type.
        logger: a logger or the name of one; by default `phanos.messaging`.
        **kwargs: pika's connection parameters `virtual_host`, `channel_max`, `frame_max`,
            `locale`, `client_properties` (texts only), `socket_timeout`, `stack_timeout`,
            `tcp_options`, and `ssl_options`: True, or a dict of `ca_file`, `cert_file`,
            `key_file` and `server_hostname`; certificates are always verified.

    Raises:
        TypeError: an argument that is not known, or of the wrong type.
        ValueError: a value out of range, or one that cannot be honoured.
    """

    exchange_name: str
    exchange_type: str
    connection_parameters: ConnectionParameters
    connection: Delivery | None
    channel: Delivery | None
    retry: int
    logger: LoggerLike
    _name: str

    def __init__(
        self,
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
    ) -> None:
        super().__init__()
        buffer_bytes = buffer_bytes_of(kwargs.pop("buffer_bytes", BUFFER_BYTES))
        spool_directory, spool_bytes = spool_of(
            kwargs.pop("spool_directory", None), kwargs.pop("spool_bytes", SPOOL_BYTES)
        )
        self.connection_parameters = connection_parameters(
            host=host,
            port=port,
            user=user,
            heartbeat=heartbeat,
            timeout=timeout,
            retry_delay=retry_delay,
            retry=retry,
            further=kwargs,
        )
        self.exchange_name = short_text("exchange_name", exchange_name)
        self.exchange_type = exchange_type_of(exchange_type)
        self.retry = retry
        self.logger = _logger_of(logger)
        self._name = type(self).__name__
        self.connection = None
        self.channel = None
        self._delivery = Delivery(
            exchange=self.exchange_name,
            exchange_type=self.exchange_type,
            buffer_bytes=buffer_bytes,
            spool_directory=spool_directory,
            spool_bytes=spool_bytes,
            spool_adopt_s=_connection.SPOOL_ADOPT_S,
            **native_arguments(self.connection_parameters, password_of(password)),
        )
        _registry.add_publisher(self)
        _celery.listen()

    def __setattr__(self, attribute: str, value: Any) -> None:
        super().__setattr__(attribute, value)
        if attribute == "publish":
            _registry.changed(self)

    def __bool__(self) -> bool:
        return self.is_connected() and self._is_bound()

    def is_connected(self) -> bool:
        """Tell whether there is a connection."""
        return self.connection is not None and self._delivery.state in ("connected", "blocked")

    def _is_bound(self) -> bool:
        return self.channel is not None

    @abstractmethod
    def connect(self) -> Any:
        """Connect and declare the exchange."""

    @abstractmethod
    def close(self) -> Any:
        """Close the connection."""

    @abstractmethod
    def publish(self, records: list[Record]) -> Any:
        """Send a batch; True if the broker has it."""

    def stats(self) -> dict[str, Any]:
        """Return what became of all records; see `ImpProfHandler.stats`."""
        return self._delivery.stats()

    def _connected(self) -> None:
        """Note that the network side has connected; raise `RabbitMQError` if it has not."""
        if self._delivery.state == "connecting":
            raise RabbitMQError(self._delivery.stats()["last_error"] or "no answer in time")
        self.connection = self.channel = self._delivery
        self._log(logging.INFO, "connection established")

    def _disconnected(self) -> None:
        self.connection = self.channel = None
        self._log(logging.INFO, "closed connection")

    def _log(self, level: int, message: str) -> None:
        self.logger.log(level, "%s - %s", type(self).__name__, message)

    def _log_notices(self) -> None:
        for level, text in self._delivery.take_notices():
            self.logger.log(level, "%s - %s", self._name, text)

    def _send(self, records: list[Record]) -> Answer:
        parameters = self.connection_parameters
        # As long as 0.3.2 tries; what is on its way may take as long as the broker may block.
        unsent_s = max((self.retry + 1) * parameters.retry_delay, 0.5)
        sent_s = unsent_s + min(parameters.blocked_connection_timeout, 3600.0)
        return self._delivery.publish(records, self.logger, unsent_s, sent_s)

    def _flushing(self) -> Answer:
        """Begin to deliver what waits."""
        return self._delivery.flush()

    def _stopping(self) -> Answer:
        """Begin to end the network side."""
        return self._delivery.stop()


class BlockingPublisher(BasePublisher):
    """Publishes and waits; see `BasePublisher` for the arguments."""

    def connect(self) -> None:
        """
        Connect and declare the exchange; returns once both are done.

        Raises:
            RabbitMQError: not within `retry` attempts, or the broker refuses; says why.
        """
        probe_and_wait(self._delivery)
        self._delivery.start()
        end = time.monotonic() + self.connection_parameters.stack_timeout
        while self._delivery.state == "connecting" and time.monotonic() < end:
            time.sleep(_LOOK_S)
        self._connected()

    def close(self) -> None:
        """Close the connection, after what is under way is delivered."""
        wait(self._delivery.flush(), _CLOSE_S)
        wait(self._delivery.stop(), _CLOSE_S)
        self._log_notices()
        self._disconnected()

    def reconnect(self, silent: bool = False) -> None:
        """
        Close and connect anew.

        Args:
            silent: log a failure instead of raising it.

        Raises:
            RabbitMQError: as `connect`.
        """
        self.close()
        try:
            self.connect()
        except NETWORK_ERRORS as error:
            if not silent:
                raise
            self._log(logging.WARNING, f"connection failed on {error!r}")

    def check_or_rebound(self) -> None:
        """Connect unless connected."""
        if not self:
            self.reconnect()

    def publish(self, records: list[Record]) -> bool:
        """
        Send a batch as one message and wait until the broker has it.

        Returns True if it has, or if there is nothing to send; False if not within the time
        of `retry` attempts, in which case it is not sent later either.

        Raises:
            RabbitMQError: there was no connection and none could be made.
            KeyError: the first record has no `job`.
        """
        if not records:
            return True
        if self.connection is None:
            self.check_or_rebound()
        delivered = wait(self._send(records), _FOREVER_S)
        self._log_notices()
        return bool(delivered)


class AsyncioPublisher(BasePublisher):
    """Publishes from coroutines and never blocks the loop; arguments as `BasePublisher`."""

    async def connect(self) -> None:
        """Connect and declare the exchange; raises as `BlockingPublisher.connect`."""
        await probe(self._delivery)
        self._delivery.start()
        end = time.monotonic() + self.connection_parameters.stack_timeout
        while self._delivery.state == "connecting" and time.monotonic() < end:
            await _pause()
        self._connected()

    async def close(self) -> None:
        """Close the connection, after what is under way is delivered."""
        await answered(self._delivery.flush(), _CLOSE_S)
        await answered(self._delivery.stop(), _CLOSE_S)
        self._log_notices()
        self._disconnected()

    async def reconnect(self, silent: bool = False) -> None:
        """Close and connect anew; see `BlockingPublisher.reconnect`."""
        await self.close()
        try:
            await self.connect()
        except NETWORK_ERRORS as error:
            if not silent:
                raise
            self._log(logging.WARNING, f"connection failed on {error!r}")

    async def check_or_rebound(self) -> None:
        """Connect unless connected."""
        if not self:
            await self.reconnect()

    async def publish(self, records: list[Record]) -> bool:
        """Send a batch and await the broker's confirmation; see `BlockingPublisher.publish`."""
        if not records:
            return True
        if self.connection is None:
            await self.check_or_rebound()
        delivered = await answered(self._send(records), _FOREVER_S)
        self._log_notices()
        return bool(delivered)


async def _pause() -> None:
    """Let the loop go on until it is time to look again."""
    import asyncio  # Where a loop runs it is loaded; elsewhere nobody needs it.

    await asyncio.sleep(_LOOK_S)


_FOREVER_S = 1e9
"""The network side answers in any case."""


async def answered(answer: Answer, timeout_s: float) -> bool | None:
    """Await an answer without blocking the loop; None if there is none after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while (seen := answer.poll()) is None and time.monotonic() < end:
        await _pause()
    return seen


async def probe(delivery: Delivery) -> None:
    """
    Try a connection out without blocking the loop.

    Raises:
        RabbitMQError: it failed; the text says why.
    """
    trial = delivery.probe()
    try:
        done, failure = trial.poll()
        while not done:
            await _pause()
            done, failure = trial.poll()
    except BaseException:
        trial.give_up()
        raise
    _raise(failure)


def probe_and_wait(delivery: Delivery) -> None:
    """Try a connection out; raises as `probe`."""
    _raise(wait_for_probe(delivery.probe()))


def _raise(failure: Sequence[Any] | None) -> None:
    if failure is not None:
        refused, text = failure
        raise RabbitMQRefusedError(text) if refused else RabbitMQError(text)


def _logger_of(logger: LoggerLike | str | None) -> LoggerLike:
    if logger is None:
        return logging.getLogger("phanos.messaging")
    if isinstance(logger, str):
        return logging.getLogger(logger)
    if not all(callable(getattr(logger, name, None)) for name in ("log", "isEnabledFor")):
        raise TypeError(f"logger must be a logger or the name of one, got {logger!r}")
    return logger
