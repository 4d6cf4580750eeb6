"""Another broker behind the same port, of another version where there are two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from phanos._handlers.rabbitmq import AsyncImpProfHandler
from proxy import Proxy
from receiver import Message, Receiver
from sample_records import record
from spool_processes import DEADLINE_S, numbers
from spooling_program import hand_over

from tools.rabbitmq import Node
from tools.rabbitmq.installation import UNPACKED, Installation

BATCH = 500
MOVES = 6


@pytest.fixture
def other_broker(tmp_path: Path) -> Iterator[Node]:
    """The node of `make .rabbitmq/.installed`, 3.10, while tests run on a newer one."""
    with Node(tmp_path / "other", installation=Installation.under(UNPACKED)) as node:
        yield node


def holds(number: int) -> Callable[[list[Message]], bool]:
    """Tell whether a record is among messages."""
    return lambda messages: number in numbers([r for message in messages for r in message.records])


def test_a_handler_moves_between_brokers_and_loses_nothing(
    broker: Node, other_broker: Node, proxy: Proxy
) -> None:
    handler = AsyncImpProfHandler("moving", port=proxy.port, retry_delay=0.01)
    sent = 0
    with Receiver(broker.port) as here, Receiver(other_broker.port) as there:
        for move in range(MOVES):
            received, port = (there, other_broker.port) if move % 2 else (here, broker.port)
            proxy.lead_to(port)
            # What is under way is not waited for: it is sent once more, to the other one.
            proxy.cut()
            hand_over(handler, [record(sent + number) for number in range(BATCH)])
            sent += BATCH
            received.wait_for(holds(sent - 1), f"record {sent - 1}", DEADLINE_S)
        assert handler.publisher._delivery.flush().wait(DEADLINE_S) is True
        stats = handler.stats()
        assert stats["confirmed"] == sent
        assert not any(stats["dropped"].values())
        assert stats["reconnects"] >= MOVES - 1
        arrived = numbers([*here.records, *there.records])
    assert set(arrived) == set(range(sent))
    # Twice comes only what was sent again, since its connection was cut.
    assert len(arrived) - sent <= stats["retried"]
    assert handler.publisher._delivery.stop().wait(DEADLINE_S) is True
