"""Publishers of users' own in the place of a handler's."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from async_tests import async_test
from phanos.messaging import AsyncioPublisher, BlockingPublisher
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler
from profiled_root import configured
from receiver import Receiver

from tools.rabbitmq import Node


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


def test_nothing_connects_where_the_publisher_was_replaced() -> None:
    with mock.patch("phanos.publisher.BlockingPublisher") as replaced:
        handler = ImpProfHandler("rabbit", port=1)
        profiler, root = configured(handler)
        root()
    root()
    assert len(replaced.return_value.publish.mock_calls) == 2
    # There is nothing to wait for, and nothing was given up.
    assert profiler.flush()
    assert handler.flush()
    assert handler.stats()["state"] == "idle"
    assert handler.stats()["queued"] == handler.stats()["confirmed"] == 0
    assert set(handler.stats()["dropped"].values()) == {0}
    assert handler.close()


def test_nothing_connects_where_connect_was_replaced(caplog: pytest.LogCaptureFixture) -> None:
    with mock.patch.multiple(
        BlockingPublisher, connect=mock.DEFAULT, close=mock.DEFAULT
    ) as patched:
        handler = ImpProfHandler("rabbit", port=1)
        profiler, root = configured(handler)
        root()
        assert [len(patched[name].mock_calls) for name in ("connect", "close")] == [2, 2]
    assert handler.stats()["queued"] == 0
    assert profiler.flush()
    [line] = [entry for entry in caplog.records if "not sent" in entry.getMessage()]
    assert line.levelname == "WARNING"


def test_what_is_replaced_for_a_while_is_what_gets_the_batches_meanwhile(
    broker: Node, receiver: Receiver
) -> None:
    handler = ImpProfHandler("rabbit", port=broker.port)
    _, root = configured(handler)
    root()
    with mock.patch.object(BlockingPublisher, "publish", return_value=True) as publish:
        root()
    with mock.patch.object(handler.publisher, "publish", return_value=True) as own:
        root()
    with mock.patch("phanos.publisher.log_error_profiling") as log_errors:
        root()
    root()
    assert [len(noted.mock_calls) for noted in (publish, own, log_errors)] == [1, 1, 1]
    assert handler.flush(20)
    receiver.wait_for_records(3)
    assert handler.stats()["confirmed"] == 3
    handler.close()


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
