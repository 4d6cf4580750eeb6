"""What a handler tells its user: counts, log lines, failed calls, and a promise kept."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from async_tests import async_test
from phanos.messaging import AsyncioPublisher, BlockingPublisher
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler, Profiler
from proxy import Proxy
from receiver import Receiver
from support import async_wait_until, wait_until

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
# The event loop's lag and a call's duration, on a machine that does other things as well.
LAG_S = 0.05
KEYS = {
    *("state", "queued", "in_flight", "confirmed", "messages", "returned", "retried", "nacked"),
    *("adopted", "spooled", "dropped", "reconnects", "last_error", "queue_age_s"),
}


def configured(handler: Any) -> tuple[Profiler, Callable[[], None]]:
    """Return a profiler with this handler, and a profiled function."""
    profiler = Profiler()
    profiler.async_config(job="JOB")
    profiler.add_handler(handler)

    @profiler.profile
    def root() -> None:
        pass

    return profiler, root


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


def test_synchronous_means_confirmed(broker: Node, proxy: Proxy, receiver: Receiver) -> None:
    handler = ImpProfHandler("rabbit", port=proxy.port, synchronous=True)
    _, root = configured(handler)
    for count in range(1, 6):
        root()
        assert handler.stats()["confirmed"] == count
    handler.handle([RECORD])
    assert handler.stats()["confirmed"] == 6
    proxy.refuse()
    proxy.cut()
    finished = threading.Event()
    waiting = threading.Thread(target=lambda: (root(), finished.set()))
    waiting.start()
    wait_until(lambda: handler.stats()["state"] == "connecting", "the cut is noticed")
    wait_until(lambda: handler.stats()["queued"] + handler.stats()["in_flight"] == 1, "it waits")
    assert not finished.is_set()
    proxy.forward()
    waiting.join(20)
    assert finished.is_set()
    assert handler.stats()["confirmed"] == 7
    # A change of mind counts at once.
    handler.synchronous = False
    proxy.half_open()
    start = time.monotonic()
    root()
    assert time.monotonic() - start < LAG_S
    proxy.cut()
    proxy.forward()
    assert handler.flush(20)
    receiver.wait_for_records(8)
    handler.close()


@async_test
async def test_synchronous_in_a_loop_leaves_it_free(broker: Node, receiver: Receiver) -> None:
    handler = await AsyncImpProfHandler.create("rabbit", port=broker.port, synchronous=True)
    profiler, _ = configured(handler)

    @profiler.profile
    async def root() -> None:
        await asyncio.sleep(0)

    await asyncio.gather(*(root() for _ in range(20)))
    assert handler.stats()["confirmed"] == 20
    receiver.wait_for_records(20)
    await handler.close()


def test_a_publisher_of_ones_own(broker: Node, receiver: Receiver) -> None:
    class Own:
        def __init__(self) -> None:
            self.batches: list[Any] = []

        def publish(self, records: Any) -> bool:
            self.batches.append(records)
            return True

    handler: Any = ImpProfHandler("rabbit", port=broker.port)
    profiler, root = configured(handler)
    root()
    own = Own()
    first, handler.publisher = handler.publisher, own
    root()
    assert [len(batch) for batch in own.batches] == [1]
    assert own.batches[0][0]["job"] == "JOB"
    # What was handed over before still goes out, and is still waited for.
    assert profiler.flush(20)
    assert handler.flush(20)
    assert handler.stats()["confirmed"] == 1
    handler.publisher = first
    root()
    assert handler.flush(20)
    receiver.wait_for_records(2)
    first.publish = own.publish
    root()
    assert len(own.batches) == 2
    del first.publish
    other = BlockingPublisher(port=broker.port)
    handler.publisher = other
    root()
    assert handler.flush(20)
    assert other.stats()["confirmed"] == 1
    receiver.wait_for_records(3)
    other.close()
    first.close()


@async_test
async def test_an_asynchronous_publisher_of_ones_own(broker: Node) -> None:
    class Own(AsyncioPublisher):
        batches = 0

        async def publish(self, records: Any) -> bool:
            self.batches += 1
            return True

    handler: Any = await AsyncImpProfHandler.create("rabbit", port=broker.port)
    handler.publisher = own = Own(port=broker.port)
    profiler, _ = configured(handler)

    @profiler.profile
    async def root() -> None:
        pass

    await root()
    assert await profiler.aflush(20)
    assert own.batches == 1
    assert own.stats()["confirmed"] == 0
    await handler.close()


@async_test
async def test_an_outage_costs_the_loop_nothing(proxy: Proxy, receiver: Receiver) -> None:
    handler = await AsyncImpProfHandler.create("rabbit", port=proxy.port)
    profiler, _ = configured(handler)

    @profiler.profile
    async def root() -> None:
        await asyncio.sleep(0.001)

    await root()
    assert await handler.flush(20)
    lags: list[float] = []
    for outage in (proxy.half_open, proxy.refuse, proxy.cut):
        outage()
        for _ in range(100):
            start = time.monotonic()
            await root()
            lags.append(time.monotonic() - start)
    # The longest says more of the machine than of what ran on it.
    assert sorted(lags)[-3] < LAG_S
    proxy.forward()
    assert await handler.flush(20)
    await async_wait_until(lambda: len(receiver.records) == 301, "all records", 20)
    await handler.close()
