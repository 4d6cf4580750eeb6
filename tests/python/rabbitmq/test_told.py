"""What a handler tells of itself is true when it tells it."""

from __future__ import annotations

import logging

import pytest
from phanos.publisher import ImpProfHandler, Profiler

from tools.rabbitmq import Node

FLUSH_S = 20.0


def recording(handler: ImpProfHandler, count: int) -> None:
    """Record that many calls under a profiler of their own."""
    profiler = Profiler()
    profiler.config(job="told")
    profiler.add_handler(handler)

    @profiler.profile
    def called() -> None:
        pass

    for _ in range(count):
        called()


def test_counts_are_settled_when_flush_returns(broker: Node) -> None:
    handler = ImpProfHandler("told", port=broker.port)
    for rounds in range(1, 51):
        recording(handler, 10)
        assert handler.flush(FLUSH_S)
        stats = handler.stats()
        # Nobody consumes here, so the broker returns them all, and they are counted as dropped.
        assert (stats["queued"], stats["in_flight"], stats["queue_age_s"]) == (0, 0, 0.0)
        assert stats["dropped"]["unroutable"] == rounds * 10
    assert handler.close()


def test_all_records_given_up_by_closing_are_told_at_once(
    own_broker: Node, caplog: pytest.LogCaptureFixture
) -> None:
    handler = ImpProfHandler("told", port=own_broker.port)
    own_broker.kill()
    # More than one message holds.
    recording(handler, 10_000)
    with caplog.at_level(logging.WARNING, "phanos.publisher"):
        assert not handler.close(0.1)
    assert handler.stats()["dropped"]["closed"] == 10_000
    told = [message for message in caplog.messages if "dropped" in message]
    assert told == [
        "told - 10000 records dropped: the handler was closed before they could be delivered"
    ]
