"""A consumer that loses nothing the broker has, and counts nothing twice."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError
from pika.spec import Basic, BasicProperties

QUEUE = "demo"
EXCHANGE = "profiling"
EXCHANGE_TYPE = "fanout"
METRIC_HEADER = "x-phanos-metric"
RETRY_INTERVAL_S = 0.1
# How long a stop takes at most on a connection that works.
LOOK_INTERVAL_S = 0.1
STOP_DEADLINE_S = 10.0
NETWORK_ERRORS = (AMQPError, AMQPConnectorException, OSError)

Counts = Counter[tuple[str, str]]
"""Records by metric and path."""


@dataclass(frozen=True)
class Message:
    """One message as it came."""

    metric: str
    routing_key: str
    body: str


class Consumer:
    """
    Takes messages in a thread, over as many connections as it needs.

    A quorum queue keeps on disk what no consumer has taken yet, so messages survive a broker that
    is killed. The exchange does not; the first to connect declares it again, and the queue
    has to be bound to it again. A message that comes twice has the same `message_id`.

    Use as a context manager, which waits until messages can come.
    """

    def __init__(self, port: int, deadline_s: float) -> None:
        self._parameters = pika.ConnectionParameters(port=port, heartbeat=10, socket_timeout=5)
        self._deadline_s = deadline_s
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="consumer", daemon=True)
        # Everything below is guarded by the condition.
        self._changed = threading.Condition()
        self._known: set[str] = set()
        self._repeated = 0
        self._counts: Counts = Counter()
        self._messages: list[Message] = []

    def __enter__(self) -> Consumer:
        self._thread.start()
        if not self._ready.wait(self._deadline_s):
            raise TimeoutError(f"no queue within {self._deadline_s} s")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(STOP_DEADLINE_S)

    @property
    def counts(self) -> Counts:
        """How many records came, by metric and path."""
        with self._changed:
            return self._counts.copy()

    @property
    def messages(self) -> list[Message]:
        """The messages, oldest first."""
        with self._changed:
            return list(self._messages)

    @property
    def repeated(self) -> int:
        """How many messages came twice and were dropped."""
        with self._changed:
            return self._repeated

    def wait_for_records(self, count: int) -> None:
        """Wait until that many came, but not for ever."""
        with self._changed:
            self._changed.wait_for(lambda: self._counts.total() >= count, self._deadline_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with pika.BlockingConnection(self._parameters) as connection:
                    channel = connection.channel()
                    self._consume(channel)
                    self._ready.set()
                    while not self._stopping.is_set():
                        connection.process_data_events(LOOK_INTERVAL_S)
            except NETWORK_ERRORS:
                self._stopping.wait(RETRY_INTERVAL_S)

    def _consume(self, channel: BlockingChannel) -> None:
        channel.exchange_declare(EXCHANGE, EXCHANGE_TYPE)
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(QUEUE, EXCHANGE)
        channel.basic_qos(prefetch_count=100)
        channel.basic_consume(QUEUE, self._take)

    def _take(
        self,
        channel: BlockingChannel,
        delivery: Basic.Deliver,
        properties: BasicProperties,
        body: bytes,
    ) -> None:
        with self._changed:
            if properties.message_id in self._known:
                self._repeated += 1
            else:
                self._known.add(properties.message_id)
                self._store(properties.headers[METRIC_HEADER], delivery.routing_key, body)
                self._changed.notify_all()
        # Only now: what was not acknowledged comes again.
        channel.basic_ack(delivery.delivery_tag)

    def _store(self, metric: str, routing_key: str, body: bytes) -> None:
        self._messages.append(Message(metric, routing_key, body.decode()))
        for record in json.loads(body):
            self._counts[metric, record["method"]] += 1
