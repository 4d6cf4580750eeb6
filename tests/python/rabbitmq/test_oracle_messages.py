"""What phanos 0.3.2 sends, seen by the receiver: the form that consumers know."""

from __future__ import annotations

import pytest
from oracle_runs import KINDS, oracle_publishes
from receiver import Receiver

from tools.rabbitmq import Node
from tools.rabbitmq.ports import free_ports

RECORD = {
    "item": "A",
    "metric": "histogram",
    "units": "mS",
    "job": "JOB",
    "method": "A:root.leaf",
    "labels": {"error_raised": False, "city": "Brno-střed"},
    "value": ["observe", 0.09],
}
BODY = (
    '[{"item":"A","metric":"histogram","units":"mS","job":"JOB","method":"A:root.leaf",'
    '"labels":{"error_raised":false,"city":"Brno-střed"},"value":["observe",0.09]}]'
).encode()


@pytest.mark.parametrize("kind", KINDS)
def test_sends_the_documented_body(kind: str, broker: Node, receiver: Receiver) -> None:
    returned = None if "handler" in kind else True
    assert oracle_publishes(kind, broker.port, [RECORD], []) == [{"returned": returned}] * 2
    (message,) = receiver.wait_for_messages(1)
    assert message.body == BODY
    assert message.routing_key == "JOB"
    expected = "application/json" if "async" in kind else None
    assert message.properties.content_type == expected
    assert receiver.messages == [message], "nothing is sent for an empty batch"


def test_raises_when_nobody_listens() -> None:
    (port,) = free_ports(1)
    answers = oracle_publishes("blocking", port, [RECORD])
    assert [answer["raised"] for answer in answers] == ["pika.exceptions.AMQPConnectionError"]
