"""`flush` and `aflush` of a profiler wait for what its handlers deliver to RabbitMQ."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from async_tests import async_test
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler, Profiler
from proxy import Proxy
from receiver import Receiver
from support import CollectingHandler

from tools.rabbitmq import Node

# Far longer than anything here takes, and shorter than a test may.
PATIENCE_S = 20.0
BRIEF_S = 0.3


def recorded(profiler: Profiler, count: int) -> None:
    @profiler.profile
    def root() -> None:
        pass

    for _ in range(count):
        root()


def configured(*handlers: Any) -> Profiler:
    profiler = Profiler()
    profiler.async_config(job="JOB")
    for handler in handlers:
        profiler.add_handler(handler)
    return profiler


def test_flush_returns_when_the_broker_has_it(broker: Node, receiver: Receiver) -> None:
    handler = ImpProfHandler("rabbit", port=broker.port)
    profiler = configured(handler)
    recorded(profiler, 10)
    assert profiler.flush(PATIENCE_S)
    assert handler.stats()["confirmed"] == 10
    assert handler.stats()["queued"] == handler.stats()["in_flight"] == 0
    receiver.wait_for_records(10)
    handler.close()


@async_test
async def test_aflush_returns_when_the_broker_has_it(broker: Node, receiver: Receiver) -> None:
    handlers = [
        await AsyncImpProfHandler.create("async", port=broker.port),
        ImpProfHandler("sync", port=broker.port),
    ]
    profiler = configured(*handlers)
    recorded(profiler, 10)
    assert await profiler.aflush(PATIENCE_S)
    for handler in handlers:
        assert handler.stats()["confirmed"] == 10
    receiver.wait_for_records(20)
    handlers[1].close()
    await handlers[0].close()


def test_flush_waits_for_batches_of_subclasses(broker: Node, receiver: Receiver) -> None:
    class Marking(ImpProfHandler):
        def handle(self, records: list[Any], profiler_name: str = "profiler") -> None:
            super().handle([{**record, "item": "marked"} for record in records], profiler_name)

    handler = Marking("rabbit", port=broker.port)
    profiler = configured(handler)
    recorded(profiler, 10)
    assert profiler.flush(PATIENCE_S)
    assert handler.stats()["confirmed"] == 10
    assert {record["item"] for record in receiver.wait_for_records(10)} == {"marked"}
    handler.close()


@async_test
async def test_aflush_waits_for_batches_of_asynchronous_subclasses(
    broker: Node, receiver: Receiver
) -> None:
    class Marking(AsyncImpProfHandler):
        async def handle(self, records: list[Any], profiler_name: str = "profiler") -> None:
            await asyncio.sleep(0)
            marked = [{**record, "item": "marked"} for record in records]
            await super().handle(marked, profiler_name)

    handler = Marking("rabbit", port=broker.port)
    profiler = configured(handler)
    recorded(profiler, 10)
    assert await profiler.aflush(PATIENCE_S)
    assert handler.stats()["confirmed"] == 10
    assert {record["item"] for record in receiver.wait_for_records(10)} == {"marked"}
    await handler.close()


def test_flush_gives_up_when_told(broker: Node, proxy: Proxy, receiver: Receiver) -> None:
    away = ImpProfHandler("away", port=proxy.port)
    there = ImpProfHandler("there", port=broker.port)
    collecting = CollectingHandler()
    profiler = configured(away, there, collecting)
    proxy.refuse()
    recorded(profiler, 10)
    start = time.monotonic()
    assert not profiler.flush(BRIEF_S)
    assert time.monotonic() - start >= BRIEF_S
    # The one that is away takes no time from the others.
    assert there.stats()["confirmed"] == len(collecting.records) == 10
    assert away.stats()["queued"] + away.stats()["in_flight"] == 10
    proxy.forward()
    assert profiler.flush(PATIENCE_S)
    receiver.wait_for_records(20)
    away.close()
    there.close()


@async_test
async def test_aflush_gives_up_when_told(broker: Node, proxy: Proxy, receiver: Receiver) -> None:
    handler = await AsyncImpProfHandler.create("away", port=proxy.port)
    profiler = configured(handler)
    proxy.refuse()
    recorded(profiler, 10)
    start = time.monotonic()
    assert not await profiler.aflush(BRIEF_S)
    assert time.monotonic() - start >= BRIEF_S
    proxy.forward()
    assert await profiler.aflush(PATIENCE_S)
    receiver.wait_for_records(10)
    await handler.close()


def test_flush_without_a_record_connects_nowhere(proxy: Proxy) -> None:
    handler = AsyncImpProfHandler("unused", port=proxy.port)
    profiler = configured(handler)
    assert profiler.flush()
    assert proxy.accepted == 0
    assert handler.stats()["state"] == "idle"


@pytest.mark.parametrize("timeout", [-1, "1", None])
def test_timeouts_are_checked(timeout: Any, broker: Node) -> None:
    handler = ImpProfHandler("rabbit", port=broker.port)
    for flush in (handler.flush, handler.close, configured(handler).flush):
        with pytest.raises(TypeError, match="seconds"):
            flush(timeout)
