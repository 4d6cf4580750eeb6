"""How often a connection shows that it is alive: as the arguments say, on the broker's side too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from certificates import Authority
from phanos import messaging
from support import wait_until

from tools.rabbitmq import Node

PROPOSED_S = 60
"""What RabbitMQ proposes unless it is told otherwise."""


@pytest.fixture
def connected(broker: Node) -> Iterator[Any]:
    """Connect with arguments; return the heartbeat that the broker has noted, in seconds."""
    made: list[messaging.BlockingPublisher] = []

    def connect(node: Node = broker, **arguments: Any) -> int:
        name = f"heartbeat {len(made)}"
        properties = {"connection_name": name}
        publisher = messaging.BlockingPublisher(client_properties=properties, **arguments)
        made.append(publisher)
        publisher.connect()
        return noted(node, name)

    yield connect
    for publisher in made:
        publisher.close()


def noted(node: Node, name: str) -> int:
    found: list[int] = []

    def is_listed() -> bool:
        text = node.ctl(
            "-s", "--formatter", "json", "list_connections", "name", "timeout", "client_properties"
        )
        found[:] = [row["timeout"] for row in json.loads(text) if name in json.dumps(row)]
        return bool(found)

    wait_until(is_listed, "the broker lists the connection", 30.0)
    [seconds] = found
    return seconds


@pytest.mark.parametrize(
    ("given", "expected"), [(0, 0), (5, 5), (None, PROPOSED_S), (600, PROPOSED_S)]
)
def test_heartbeats_are_what_was_asked_for(
    connected: Any, broker: Node, given: int | None, expected: int
) -> None:
    assert connected(port=broker.port, heartbeat=given) == expected


def test_heartbeats_are_switched_off_under_tls(
    connected: Any, tls_broker: Node, authority: Authority
) -> None:
    options = {"ca_file": authority.file}
    given = {"port": tls_broker.tls_port, "heartbeat": 0, "ssl_options": options}
    assert connected(tls_broker, **given) == 0


def test_records_arrive_without_heartbeats(broker: Node) -> None:
    publisher = messaging.BlockingPublisher(port=broker.port, heartbeat=0)
    record: Any = {"job": "JOB", "method": "A:root", "labels": {}, "value": ("inc", 1.0)}
    assert publisher.publish([record] * 1000)
    publisher.close()
