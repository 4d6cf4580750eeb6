"""What other programs do with phanos' messages: take them from RabbitMQ, whatever happens to it."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError
from pika.spec import Basic, BasicProperties

from tools.rabbitmq.ports import HOST

DEADLINE_S = 20.0
RETRY_INTERVAL_S = 0.05
# Also how long a stop takes at most, on a connection that works.
REBIND_INTERVAL_S = 0.1
EXCHANGE = "profiling"
NETWORK_ERRORS = (AMQPError, AMQPConnectorException, OSError)


@dataclass(frozen=True)
class Message:
    """One message as it came."""

    body: bytes
    properties: BasicProperties
    routing_key: str
    exchange: str
    redelivered: bool

    @property
    def message_id(self) -> str | None:
        """What tells it from others; the same when it is sent again."""
        return self.properties.message_id

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its records; raises `ValueError` if the body is not JSON."""
        records: list[dict[str, Any]] = json.loads(self.body)
        return records


@dataclass(frozen=True)
class Source:
    """
    Where messages are taken from.

    Attributes:
        queue: name of a durable queue, which keeps messages while no receiver is there, or None
            for a queue that lives as long as one connection of the receiver.
        queue_arguments: further properties of the queue, such as its type.
    """

    port: int
    vhost: str = "/"
    user: str = "guest"
    password: str = "guest"
    exchange: str = EXCHANGE
    exchange_type: str = "fanout"
    queue: str | None = None
    queue_arguments: dict[str, Any] | None = None
    tls: ssl.SSLContext | None = None

    def connect(self) -> BlockingConnection:
        """Connect; notices within seconds that the broker has frozen."""
        parameters = pika.ConnectionParameters(
            host=HOST,
            port=self.port,
            virtual_host=self.vhost,
            credentials=pika.PlainCredentials(self.user, self.password),
            ssl_options=pika.SSLOptions(self.tls, "localhost") if self.tls else None,
            heartbeat=4,
            socket_timeout=3,
            stack_timeout=5,
        )
        return pika.BlockingConnection(parameters)

    def declare_queue(self, channel: BlockingChannel) -> str:
        """Make the queue; return its name."""
        own = self.queue is None
        answer = channel.queue_declare(
            self.queue or "", durable=not own, exclusive=own, arguments=self.queue_arguments
        )
        name: str = answer.method.queue
        return name

    def bind(self, channel: BlockingChannel, queue: str) -> None:
        """Let messages of every routing key into the queue; makes the exchange if it is gone."""
        channel.exchange_declare(self.exchange, self.exchange_type)
        channel.queue_bind(queue, self.exchange, "" if self.exchange_type == "fanout" else "#")


@dataclass
class _Arrived:
    """Messages so far; every field is guarded by `changed`."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    messages: list[Message] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    repeated: int = 0
    connections: int = 0

    def store(self, message: Message) -> None:
        """Keep a message, unless it is known to have come before."""
        if message.message_id is not None:
            if message.message_id in self.known:
                self.repeated += 1
                return
            self.known.add(message.message_id)
        self.messages.append(message)


class Receiver:
    """
    Takes messages in a thread: reconnects, declares the exchange anew, binds its queue again and
    again, since an exchange that was deleted and made anew has no bindings though no connection
    was lost. Messages with a `message_id` that came before are counted and dropped.

    Use as a context manager, which waits until messages can come.
    """

    def __init__(self, port: int, **source: Any) -> None:
        self._source = Source(port, **source)
        self._arrived = _Arrived()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="receiver", daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        self.wait_for_connections(1)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def messages(self) -> list[Message]:
        """Messages in order of arrival."""
        with self._arrived.changed:
            return list(self._arrived.messages)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of all messages, in order of arrival."""
        return [record for message in self.messages for record in message.records]

    @property
    def repeated(self) -> int:
        """How many messages came again and were dropped."""
        with self._arrived.changed:
            return self._arrived.repeated

    @property
    def connections(self) -> int:
        """How many times the receiver got ready, the first time included."""
        with self._arrived.changed:
            return self._arrived.connections

    def wait_for(
        self, condition: Callable[[list[Message]], bool], what: str, deadline_s: float = DEADLINE_S
    ) -> list[Message]:
        """Return the messages as soon as they meet the condition; fail naming `what`."""
        self._wait(lambda arrived: condition(arrived.messages), what, deadline_s)
        return self.messages

    def wait_for_messages(self, count: int, deadline_s: float = DEADLINE_S) -> list[Message]:
        """Return the messages as soon as there are `count`."""
        return self.wait_for(
            lambda messages: len(messages) >= count, f"{count} messages", deadline_s
        )

    def wait_for_records(self, count: int, deadline_s: float = DEADLINE_S) -> list[dict[str, Any]]:
        """Return the records of all messages as soon as there are `count`."""
        self.wait_for(
            lambda messages: sum(len(message.records) for message in messages) >= count,
            f"{count} records",
            deadline_s,
        )
        return self.records

    def wait_for_connections(self, count: int, deadline_s: float = DEADLINE_S) -> None:
        """Wait until it got ready for the `count`th time, as after a restart of the broker."""
        self._wait(lambda arrived: arrived.connections >= count, f"connection {count}", deadline_s)

    def clear(self) -> None:
        """Forget the messages, but not which ones they were."""
        with self._arrived.changed:
            self._arrived.messages.clear()

    def stop(self) -> None:
        """Leave the broker; a durable queue goes on collecting."""
        self._stopping.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), f"the receiver's thread runs after {DEADLINE_S} s"

    def _wait(self, condition: Callable[[_Arrived], bool], what: str, deadline_s: float) -> None:
        with self._arrived.changed:
            met = self._arrived.changed.wait_for(lambda: condition(self._arrived), deadline_s)
            count = len(self._arrived.messages)
        assert met, f"no {what} within {deadline_s} s; {count} messages came"

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                connection = self._source.connect()
            except NETWORK_ERRORS:
                self._stopping.wait(RETRY_INTERVAL_S)
                continue
            try:
                with connection:
                    self._receive(connection)
            except NETWORK_ERRORS:
                self._stopping.wait(RETRY_INTERVAL_S)

    def _receive(self, connection: BlockingConnection) -> None:
        channel = connection.channel()
        queue = self._source.declare_queue(channel)
        self._source.bind(channel, queue)
        channel.basic_consume(queue, self._take)
        with self._arrived.changed:
            self._arrived.connections += 1
            self._arrived.changed.notify_all()
        bound = time.monotonic()
        while not self._stopping.is_set():
            connection.process_data_events(REBIND_INTERVAL_S)
            if time.monotonic() - bound > REBIND_INTERVAL_S:
                self._source.bind(channel, queue)
                bound = time.monotonic()

    def _take(
        self,
        channel: BlockingChannel,
        delivery: Basic.Deliver,
        properties: BasicProperties,
        body: bytes,
    ) -> None:
        message = Message(
            body, properties, delivery.routing_key, delivery.exchange, delivery.redelivered
        )
        with self._arrived.changed:
            self._arrived.store(message)
            self._arrived.changed.notify_all()
        # Only now: what was not acknowledged comes again.
        channel.basic_ack(delivery.delivery_tag)
