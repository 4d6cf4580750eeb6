"""
Publishers to RabbitMQ: each call of `publish` sends one message and returns whether it arrived.

Handlers use only their network side: handling records does not wait for the broker.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from collections.abc import Sequence as Sequence  # In signatures, which are read at run time.
from contextlib import suppress
from typing import Any, TypeVar
from typing import Literal as Literal

from ._arguments.connection import (
    ConnectionSettings,
    connection_settings,
    password_of,
    publisher_arguments,
)
from ._arguments.signatures import declares
from ._asynchronous.waiting import (
    FOREVER_S,
    wait,
    wait_async,
    wait_for_probe,
    wait_for_probe_async,
)
from ._loggers import logger_of, write, write_message
from ._phanos import Delivery, PendingResult
from ._shutdown import connect_to_celery
from ._watching import registry
from ._watching.declared import declared
from ._watching.replaced import Originals, WatchedType
from .types import LoggerLike, Record

T = TypeVar("T")

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


class NotStartedError(RabbitMQError):
    """The network side could not be started, as without a thread for it; the text says why."""


NETWORK_ERRORS: tuple[type[BaseException], ...] = (ConnectionError, OSError)
"""The exceptions that communication with a broker can raise."""

_CLOSE_S = 5.0
"""Seconds that each step of closing waits for the broker."""


_CONNECTING = ("connect", "close")
_METHODS = (
    *_CONNECTING,
    "publish",
    "reconnect",
    "check_or_rebound",
    "is_connected",
    "_is_bound",
    "__bool__",
)
"""What a handler leaves to its publisher if one of them was replaced."""


class BasePublisher(ABC, metaclass=WatchedType):
    """
    Base of the publishers. Nothing is connected until it is needed.

    Args:
        host: the broker's host; of several, which are tried in turn, each may have a port of its
            own after a colon.
        port: the broker's port.
        user: user name; None means guest.
        password: password; None means guest.
        heartbeat: seconds; 0 turns heartbeats off, None takes what the broker proposes.
        timeout: seconds that the broker may block the connection; 0 or None: no limit.
        retry_delay: seconds between two attempts.
        retry: number of attempts; less than 0 means 0.
        exchange_name: the exchange, declared as neither durable nor auto-delete.
        exchange_type: its type.
        logger: a logger, any object with a method `log`, or the name of one; by default
            `phanos.messaging`.
        url: `amqp://user:password@host:port/virtual-host`, or `amqps://...` for TLS, in the place
            of these; several hosts are separated by commas. Where neither a URL nor any of these
            is given, `PHANOS_AMQP_URL` of the environment is asked.
        **kwargs: pika's connection parameters, those that follow.
        virtual_host: the virtual host.
        channel_max: the largest number of a channel that is proposed to the broker.
        frame_max: bytes of the largest frame that is proposed to the broker.
        locale: language of the broker's texts.
        client_properties: texts by names, which the broker shows beside the connection.
        socket_timeout: seconds for connecting to one address; None: no limit.
        stack_timeout: seconds for opening a connection, and for an answer; None: no limit.
        tcp_options: `TCP_USER_TIMEOUT`, `TCP_KEEPIDLE`, `TCP_KEEPINTVL`, `TCP_KEEPCNT` by name.
        ssl_options: True for TLS, or a dict of `ca_file`, `cert_file`, `key_file` and
            `server_hostname`; certificates are always verified.

    Raises:
        TypeError: an argument that is not known, or of the wrong type.
        ValueError: a value out of range, or one that cannot be honoured.
    """

    exchange_name: str = declared()
    exchange_type: str = declared()
    connection_parameters: ConnectionSettings = declared()
    connection: Delivery | None = declared()
    channel: Delivery | None = declared()
    retry: int = declared()
    logger: LoggerLike = declared()
    _name: str
    """Begins log lines of the network side; a handler puts its own name here."""

    @declares(publisher_arguments, options=False)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        arguments = publisher_arguments(*args, **kwargs)
        self.connection_parameters = settings = connection_settings(arguments)
        self.exchange_name = settings.exchange_name
        self.exchange_type = settings.exchange_type
        self.retry = max(int(arguments["retry"]), 0)
        self.logger = logger_of(arguments["logger"], "phanos.messaging")
        self._name = type(self).__name__
        self.connection = None
        self.channel = None
        self._delivery = Delivery(settings, password_of(arguments["password"]))
        registry.add_publisher(self)
        connect_to_celery()

    def __setattr__(self, attribute: str, value: Any) -> None:
        super().__setattr__(attribute, value)
        if attribute in _METHODS:
            registry.component_changed(self)

    def __delattr__(self, attribute: str) -> None:
        super().__delattr__(attribute)
        if attribute in _METHODS:
            registry.component_changed(self)

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
        """Return how many records were confirmed, dropped and so on; see `ImpProfHandler.stats`."""
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
        write(self.logger, level, f"{type(self).__name__} - {message}")

    def _write_log_lines(self) -> None:
        for level, text in self._delivery.take_log_lines():
            with suppress(Exception):
                write_message(self.logger, level, "%s - %s", (self._name, text), {})

    def _has_no_connection(self) -> bool:
        """Tell, and log, that a `connect` of users' own made no connection of this publisher."""
        if self.connection is self._delivery:
            return False
        self._log(logging.WARNING, "not sent: connect was replaced and made no connection")
        return True

    def _send(self, records: list[Record]) -> PendingResult:
        parameters = self.connection_parameters
        # Unsent records wait as long as 0.3.2 tries to connect, sent ones as long as the broker
        # may block the connection.
        unsent_s = max((self.retry + 1) * parameters.retry_delay, 0.5)
        sent_s = unsent_s + min(parameters.blocked_connection_timeout, 3600.0)
        delivery, logger = self._delivery, self.logger
        return _started(lambda: delivery.publish(records, logger, unsent_s, sent_s))

    def _start_flush(self) -> PendingResult:
        """Have everything delivered that is waiting; the result is True when that is done."""
        return self._delivery.flush()

    def _end_log(self) -> None:
        """Log what is left to say when the process ends."""
        self._delivery.give_up()
        self._write_log_lines()

    def _start_stop(self) -> PendingResult:
        """End the network side; the result is True if no record had to be given up."""
        return self._delivery.stop()


class BlockingPublisher(BasePublisher):
    """Publishes and waits for the confirmation; arguments as `BasePublisher`."""

    def connect(self) -> None:
        """
        Connect and declare the exchange; returns once both are done.

        Raises:
            RabbitMQError: not within `retry` attempts, or the broker refuses; says why.
        """
        probe(self._delivery)
        connecting = _started(self._delivery.connect)
        wait(connecting, self.connection_parameters.stack_timeout)
        self._connected()

    def close(self) -> None:
        """Deliver what is under way, then close the connection."""
        wait(self._delivery.flush(), _CLOSE_S)
        wait(self._delivery.stop(), _CLOSE_S)
        self._write_log_lines()
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
        if self._has_no_connection():
            return False
        delivered = wait(self._send(records), FOREVER_S)
        self._write_log_lines()
        return bool(delivered)


class AsyncioPublisher(BasePublisher):
    """Publishes from coroutines and never blocks the loop; arguments as `BasePublisher`."""

    @property
    def exchange(self) -> Delivery | None:
        """What sends to the exchange, while there is a connection."""
        return self.channel

    async def connect(self) -> None:
        """Connect and declare the exchange; raises as `BlockingPublisher.connect`."""
        await probe_async(self._delivery)
        connecting = _started(self._delivery.connect)
        await wait_async(connecting, self.connection_parameters.stack_timeout)
        self._connected()

    async def close(self) -> None:
        """Deliver what is under way, then close the connection."""
        await wait_async(self._delivery.flush(), _CLOSE_S)
        await wait_async(self._delivery.stop(), _CLOSE_S)
        self._write_log_lines()
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
        if self._has_no_connection():
            return False
        delivered = await wait_async(self._send(records), FOREVER_S)
        self._write_log_lines()
        return bool(delivered)


_ORIGINALS: dict[type, tuple[Originals, Originals]] = {
    kind: (Originals(kind, _CONNECTING), Originals(kind, _METHODS))
    for kind in (BlockingPublisher, AsyncioPublisher)
}


def connects_as_usual(publisher: object) -> bool:
    """Tell whether a trial connection does what `connect` and `close` of `publisher` would do."""
    originals = _ORIGINALS.get(type(publisher))
    return originals is not None and not originals[0].are_replaced_in(publisher)


def publishes_as_usual(publisher: object) -> bool:
    """Tell whether `publisher` is one of this module, with nothing replaced in it."""
    originals = _ORIGINALS.get(type(publisher))
    return originals is not None and not originals[1].are_replaced_in(publisher)


def probe(delivery: Delivery) -> None:
    """
    Make a trial connection.

    Raises:
        RabbitMQError: it failed; the text says why.
    """
    _raise_failure(wait_for_probe(_started(delivery.probe)))


async def probe_async(delivery: Delivery) -> None:
    """Make a trial connection without blocking the loop; raises as `probe`."""
    _raise_failure(await wait_for_probe_async(_started(delivery.probe)))


def _started(start: Callable[[], T]) -> T:
    try:
        return start()
    except OSError as error:  # The system refuses a thread, or a descriptor.
        raise NotStartedError(str(error)) from error


def _raise_failure(failure: tuple[bool, str] | None) -> None:
    if failure is not None:
        refused, text = failure
        raise RabbitMQRefusedError(text) if refused else RabbitMQError(text)
