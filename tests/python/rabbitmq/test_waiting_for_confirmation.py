"""`synchronous` handlers wait for the broker's confirmation, others never do."""

from __future__ import annotations

import asyncio
import threading

import pytest
from async_tests import async_test
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler
from profiled_root import configured
from proxy import Proxy
from receiver import Receiver
from sample_records import RECORD
from support import async_wait_until, wait_until

from tools.rabbitmq import Node

# Far longer than a test may take: a call that waited for the broker would not end in time.
FOREVER_S = 1000.0
PATIENT = {"timeout": FOREVER_S, "stack_timeout": FOREVER_S}


def test_synchronous_means_confirmed(broker: Node, proxy: Proxy, receiver: Receiver) -> None:
    handler = ImpProfHandler("rabbit", port=proxy.port, synchronous=True, **PATIENT)
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
    root()
    assert handler.stats()["confirmed"] == 7
    assert handler.stats()["queued"] + handler.stats()["in_flight"] == 1
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


@async_test
async def test_calls_of_a_loop_wait_for_no_broker(proxy: Proxy, receiver: Receiver) -> None:
    handler = await AsyncImpProfHandler.create("rabbit", port=proxy.port, **PATIENT)
    profiler, _ = configured(handler)

    @profiler.profile
    async def root() -> None:
        await asyncio.sleep(0)

    await root()
    assert await handler.flush(20)
    for outage in (proxy.half_open, proxy.refuse, proxy.cut):
        outage()
        for _ in range(100):
            # It is suspended where its body is, and nowhere else.
            call = root()
            call.send(None)
            with pytest.raises(StopIteration):
                call.send(None)
    assert handler.stats()["confirmed"] == 1
    proxy.forward()
    assert await handler.flush(20)
    await async_wait_until(lambda: len(receiver.records) == 301, "all records", 20)
    await handler.close()
