"""What a handler reports: counts, log lines, and calls that failed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler
from profiled_root import configured
from proxy import Proxy
from receiver import Receiver
from support import wait_until

from tools.rabbitmq import Node

RECORD: Any = {
    "item": "A",
    "metric": "histogram",
    "units": "mS",
    "job": "JOB",
    "method": "A:root.leaf",
    "labels": {},
    "value": ("observe", 0.09),
}


FAILED: Any = {**RECORD, "labels": {"error_raised": True}}


KEYS = {
    *("state", "queued", "in_flight", "confirmed", "messages", "returned", "retried", "nacked"),
    *("adopted", "spooled", "dropped", "reconnects", "last_error", "queue_age_s"),
}


@pytest.fixture
def handler(proxy: Proxy) -> Iterator[ImpProfHandler]:
    """A handler that the network is between."""
    made = ImpProfHandler("rabbit", port=proxy.port, logger="told")
    yield made
    made.close()


def test_counts(handler: ImpProfHandler, proxy: Proxy, receiver: Receiver) -> None:
    assert set(handler.stats()) >= KEYS
    assert handler.stats()["state"] == "idle"
    _, root = configured(handler)
    root()
    assert handler.flush(20)
    stats = handler.stats()
    assert stats["state"] == "connected"
    assert (stats["confirmed"], stats["messages"], stats["reconnects"]) == (1, 1, 0)
    assert stats["last_error"] is None
    proxy.refuse()
    proxy.cut()
    wait_until(lambda: handler.stats()["state"] == "connecting", "the cut is noticed")
    for _ in range(10):
        root()
    stats = handler.stats()
    assert stats["queued"] + stats["in_flight"] == 10
    assert "connection" in stats["last_error"]
    wait_until(lambda: handler.stats()["queue_age_s"] > 0.1, "records grow old")
    proxy.forward()
    assert handler.flush(20)
    stats = handler.stats()
    assert (stats["confirmed"], stats["reconnects"], stats["queue_age_s"]) == (11, 1, 0)
    assert sum(stats["dropped"].values()) == 0
    receiver.wait_for_records(11)
    assert handler.close()
    assert handler.stats()["state"] == "closed"
    # What is handed over later connects again.
    root()
    assert handler.flush(20)
    assert len(receiver.wait_for_records(12)) == 12
    assert handler.stats()["confirmed"] == 12


def test_trouble_is_logged_once_and_from_a_thread_of_pythons(
    handler: ImpProfHandler, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    _, root = configured(handler)
    root()
    assert handler.flush(20)
    caplog.clear()
    for _ in range(3):
        proxy.refuse()
        proxy.cut()
        wait_until(lambda: handler.stats()["state"] == "connecting", "the cut is noticed")
        root()
        proxy.forward()
        assert handler.flush(20)
    lines = [record for record in caplog.records if record.name == "told"]
    assert lines
    assert {record.threadName for record in lines} == {threading.current_thread().name}
    texts = [record.getMessage() for record in lines]
    assert all(text.startswith("rabbit - ") for text in texts)
    # Of one kind one line a minute: it was lost, and could not be had.
    assert 1 <= len([text for text in texts if "records are kept meanwhile" in text]) <= 2
    assert len([text for text in texts if "again" in text]) == 1


def test_failed_calls_are_logged(
    broker: Node, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "told")
    sync = ImpProfHandler("rabbit", port=broker.port, logger="told")
    profiler, root = configured(sync)

    @profiler.profile
    def failing() -> None:
        root()
        raise LookupError

    root()
    assert [record for record in caplog.records if record.levelno == logging.DEBUG] == []
    with pytest.raises(LookupError):
        failing()
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "DEBUG"]
    first, second = line.splitlines()
    assert first.startswith(f"profiler: time_profiler, method: {__name__}:failing.root, value: ")
    assert first.endswith(", labels: error_raised=False")
    assert second.endswith(", labels: error_raised=True")
    caplog.clear()
    caplog.set_level(logging.INFO, "told")
    with pytest.raises(LookupError):
        failing()
    assert caplog.records == []
    receiver.wait_for_records(5)
    sync.close()


def test_failed_calls_handed_over_by_hand_are_logged(
    broker: Node, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "told")
    sync = ImpProfHandler("rabbit", port=broker.port, logger="told", exchange_name="by-hand")
    direct = AsyncImpProfHandler("rabbit", port=broker.port, logger="told", exchange_name="by-hand")
    expected = (
        "profiler: nm, method: A:root.leaf, value: 0.09 mS\n"
        "profiler: nm, method: A:root.leaf, value: 0.09 mS, labels: error_raised=True"
    )
    for handle in (
        lambda batch: sync.handle(batch, "nm"),
        lambda batch: asyncio.run(direct.handle(batch, "nm")),
    ):
        caplog.clear()
        handle([RECORD])
        handle([{"job": "JOB"}])
        handle([])
        assert caplog.records == []
        handle([RECORD, FAILED])
        assert [record.getMessage() for record in caplog.records] == [expected]
    sync.close()
    asyncio.run(direct.close())
