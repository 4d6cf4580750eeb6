"""A broker that is back before its consumers, which after a restart it always is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from phanos._handlers.rabbitmq import AsyncImpProfHandler
from receiver import Receiver
from sample_records import record
from spool_processes import DEADLINE_S, numbers
from spooling_program import hand_over

from tools.rabbitmq import Node

COUNT = 20_000


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"not {what} within {DEADLINE_S} s"
        time.sleep(0.005)


def check_that_all_arrive(handler: AsyncImpProfHandler, port: int) -> None:
    """Once the broker is there, without consumers."""
    wait_until(lambda: handler.stats()["returned"] > 0, "returned")
    assert handler.publisher._delivery.flush().wait(DEADLINE_S) is False
    with Receiver(port) as receiver:
        records = receiver.wait_for_records(COUNT, DEADLINE_S)
    assert sorted(numbers(records)) == list(range(COUNT))
    wait_until(lambda: handler.stats()["confirmed"] == COUNT, "confirmed")
    assert not any(handler.stats()["dropped"].values())
    assert handler.publisher._delivery.stop().wait(DEADLINE_S) is True


def test_what_a_process_adopts_waits_for_consumers(own_broker: Node, tmp_path: Path) -> None:
    port, directory = own_broker.port, str(tmp_path / "spool")
    own_broker.stop()
    first = AsyncImpProfHandler("first", port=port, spool_directory=directory)
    for start in range(0, COUNT - 1, 1000):
        batch = range(start, min(start + 1000, COUNT - 1))
        hand_over(first, [record(number) for number in batch])
    assert first.publisher._delivery.stop().wait(DEADLINE_S) is True
    own_broker.start()
    second = AsyncImpProfHandler("second", port=port, spool_directory=directory)
    hand_over(second, [record(COUNT - 1)])
    check_that_all_arrive(second, port)


def test_what_a_process_recorded_that_was_started_in_the_outage_waits_for_consumers(
    own_broker: Node,
) -> None:
    own_broker.stop()
    handler = AsyncImpProfHandler("started", port=own_broker.port)
    hand_over(handler, [record(0)])
    wait_until(lambda: handler.stats()["last_error"] is not None, "told of the outage")
    for start in range(1, COUNT, 1000):
        hand_over(handler, [record(n) for n in range(start, min(start + 1000, COUNT))])
    own_broker.start()
    check_that_all_arrive(handler, own_broker.port)
