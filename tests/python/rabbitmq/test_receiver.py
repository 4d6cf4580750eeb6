"""The receiver loses nothing that it could have had, and takes nothing twice."""

from __future__ import annotations

import json
import ssl

import pika
import pytest
from certificates import Authority
from pika.exceptions import UnroutableError
from receiver import EXCHANGE, Receiver

from tools.rabbitmq import Node

RECORDS = [{"item": "A", "value": ["observe", 0.09]}, {"item": "B", "value": ["inc", 1.0]}]


class Sender:
    """Publishes on the exchange, with confirms."""

    def __init__(self, node: Node) -> None:
        self._connection = pika.BlockingConnection(
            pika.ConnectionParameters(host=node.host, port=node.port)
        )
        self.channel = self._connection.channel()
        self.channel.exchange_declare(EXCHANGE, "fanout")
        self.channel.confirm_delivery()

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, message_id: str | None = None) -> None:
        properties = pika.BasicProperties(message_id=message_id)
        self.channel.basic_publish(
            EXCHANGE, "JOB", json.dumps(RECORDS).encode(), properties, mandatory=True
        )


@pytest.mark.every_version
def test_takes_messages_as_they_come(broker: Node, receiver: Receiver) -> None:
    with Sender(broker) as sender:
        sender.send()
        sender.send("one")
        assert receiver.wait_for_records(4) == RECORDS * 2
    first, second = receiver.messages
    assert (first.routing_key, first.exchange, first.redelivered) == ("JOB", EXCHANGE, False)
    assert (first.message_id, second.message_id) == (None, "one")
    assert first.body == json.dumps(RECORDS).encode()


def test_drops_what_came_before(broker: Node, receiver: Receiver) -> None:
    with Sender(broker) as sender:
        for message_id in ("one", "two", "one", None, None):
            sender.send(message_id)
    messages = receiver.wait_for_messages(4)
    assert [message.message_id for message in messages] == ["one", "two", None, None]
    assert receiver.repeated == 1
    receiver.clear()
    assert receiver.messages == []


def test_fails_when_nothing_comes(receiver: Receiver) -> None:
    with pytest.raises(AssertionError, match=r"no 1 messages within 0\.05 s; 0 messages came"):
        receiver.wait_for_messages(1, deadline_s=0.05)


def test_binds_to_an_exchange_made_anew(broker: Node, receiver: Receiver) -> None:
    with Sender(broker) as sender:
        sender.channel.exchange_delete(EXCHANGE)
        sender.channel.exchange_declare(EXCHANGE, "fanout")
        while not receiver.messages:
            try:
                sender.send("one")
            except UnroutableError:
                continue
            receiver.wait_for_messages(1)
    assert receiver.connections == 1, "for a new connection it is no art"


def test_comes_back_after_a_restart(own_broker: Node) -> None:
    with Receiver(own_broker.port) as receiver:
        own_broker.kill()
        own_broker.start()
        receiver.wait_for_connections(2)
        with Sender(own_broker) as sender:
            sender.send()
        assert receiver.wait_for_records(2) == RECORDS


def test_durable_queue_collects_while_nobody_is_there(broker: Node) -> None:
    with Receiver(broker.port, queue="collecting"):
        pass
    with Sender(broker) as sender:
        sender.send("one")
        with Receiver(broker.port, queue="collecting") as receiver:
            assert receiver.wait_for_records(2) == RECORDS
        assert sender.channel.queue_declare("collecting", passive=True).method.message_count == 0
        sender.channel.queue_delete("collecting")


def test_over_tls(tls_broker: Node, authority: Authority) -> None:
    trusting = ssl.create_default_context(cafile=str(authority.file))
    with (
        Receiver(tls_broker.tls_port, tls=trusting) as receiver,
        Sender(tls_broker) as sender,
    ):
        sender.send()
        assert receiver.wait_for_records(2) == RECORDS
