"""Publishers: what their methods return, raise and log, with a broker, without one, and after."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from async_tests import async_test
from phanos import messaging
from phanos.messaging import (
    NETWORK_ERRORS,
    AsyncioPublisher,
    BasePublisher,
    BlockingPublisher,
    RabbitMQError,
)
from proxy import Proxy
from receiver import Receiver
from sample_records import RECORD
from support import async_wait_until, run_in_threads

from tools.rabbitmq import Node
from tools.rabbitmq.ports import free_ports

# Far longer than a test may take: what waited for it would not end in time.
FOREVER_S = 1000.0


class Driver:
    """Calls either publisher in the same way."""

    def __init__(self, kind: type[BasePublisher]) -> None:
        self.kind = kind
        self.loop = asyncio.new_event_loop()

    def make(self, **arguments: Any) -> Any:
        return self.kind(**arguments)

    def __call__(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        result = method(*arguments, **named)
        if inspect.isawaitable(result):
            return self.loop.run_until_complete(result)
        return result


@pytest.fixture(params=[BlockingPublisher, AsyncioPublisher])
def call(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Make and drive publishers of either kind."""
    driver = Driver(request.param)
    yield driver
    driver.loop.close()


@pytest.fixture
def publisher(call: Driver, broker: Node) -> Iterator[Any]:
    made = call.make(port=broker.port)
    yield made
    call(made.close)


@pytest.fixture
def lost(call: Driver) -> Iterator[Any]:
    """One whose broker is not there."""
    made = call.make(port=free_ports(1)[0])
    yield made
    call(made.close)


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Return what was logged since the last time."""
    lines = [(level, text) for name, level, text in caplog.record_tuples if "phanos" in name]
    caplog.clear()
    return lines


def test_a_new_one(publisher: Any) -> None:
    assert publisher.connection is publisher.channel is None
    for state in (publisher.is_connected(), publisher._is_bound(), bool(publisher)):
        assert state is False
    assert publisher.logger is logging.getLogger("phanos.messaging")


def test_connecting_and_closing(
    call: Driver, publisher: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    name = type(publisher).__name__
    established = (logging.INFO, f"{name} - connection established")
    closed = (logging.INFO, f"{name} - closed connection")
    for method, expected in (
        (publisher.connect, [established]),
        (publisher.check_or_rebound, []),
        (publisher.connect, [established]),
        (publisher.reconnect, [closed, established]),
    ):
        assert call(method) is None
        assert told(caplog) == expected
        assert publisher.connection is not None
        assert publisher.channel is not None
        for state in (publisher.is_connected(), publisher._is_bound(), bool(publisher)):
            assert state is True
    for _ in range(2):
        assert call(publisher.close) is None
        assert told(caplog) == [closed]
        assert publisher.connection is publisher.channel is None
        assert not publisher
    assert call(publisher.check_or_rebound) is None
    assert told(caplog) == [closed, established]
    assert call(publisher.reconnect, silent=True) is None
    assert publisher


def test_publishing(call: Driver, publisher: Any, receiver: Receiver) -> None:
    assert call(publisher.publish, []) is True
    assert not publisher, "nothing to send is no reason to connect"
    assert call(publisher.publish, [RECORD]) is True
    assert publisher
    assert call(publisher.publish, (RECORD, RECORD)) is True
    call(publisher.close)
    assert call(publisher.publish, [RECORD]) is True
    messages = receiver.wait_for_messages(3)
    assert [len(message.records) for message in messages] == [1, 2, 1]
    stats = publisher.stats()
    assert (stats["confirmed"], stats["messages"]) == (4, 3)


def test_nobody_receives(call: Driver, broker: Node) -> None:
    # What 0.3.2 says: the broker has it.
    publisher = call.make(port=broker.port, exchange_name="nobody", logger="quiet")
    assert call(publisher.publish, [RECORD]) is True
    assert publisher.stats()["returned"] == publisher.stats()["dropped"]["unroutable"] == 1
    call(publisher.close)


def test_what_cannot_be_published(call: Driver, publisher: Any) -> None:
    with pytest.raises(KeyError, match="job"):
        call(publisher.publish, [{"item": "A"}])
    with pytest.raises(TypeError, match="job of a record must be a str, got 5"):
        call(publisher.publish, [{**RECORD, "job": 5}])
    assert call(publisher.publish, [RECORD]) is True


def test_no_broker(call: Driver, lost: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert call(lost.publish, []) is True
    for method, arguments in (
        (lost.connect, []),
        (lost.reconnect, []),
        (lost.check_or_rebound, []),
        (lost.publish, [[RECORD]]),
    ):
        start = time.monotonic()
        with pytest.raises(NETWORK_ERRORS, match="refused"):
            call(method, *arguments)
        # Three attempts, two pauses.
        assert time.monotonic() - start > 0.27
        assert not lost
    told(caplog)
    assert call(lost.reconnect, silent=True) is None
    name = type(lost).__name__
    (level, text) = told(caplog)[-1]
    assert level == logging.WARNING
    assert text.startswith(f"{name} - connection failed on RabbitMQError(")
    assert lost.stats()["queued"] == lost.stats()["in_flight"] == 0


def test_errors_can_be_caught_by_name(lost: Any, call: Driver) -> None:
    with pytest.raises(messaging.RabbitMQError):
        call(lost.connect)
    with pytest.raises(ConnectionError):
        call(lost.connect)
    assert all(issubclass(error, Exception) for error in NETWORK_ERRORS)


def test_a_connection_that_is_cut(call: Driver, proxy: Proxy, receiver: Receiver) -> None:
    publisher = call.make(port=proxy.port)
    assert call(publisher.publish, [RECORD]) is True
    proxy.cut()
    assert call(publisher.publish, [RECORD]) is True
    assert len(receiver.wait_for_messages(2)) == 2
    assert publisher.stats()["reconnects"] == 1
    call(publisher.close)


def test_a_broker_that_goes(call: Driver, proxy: Proxy, receiver: Receiver) -> None:
    # It gives up after a few attempts, and does not wait until its time is over.
    publisher = call.make(port=proxy.port, timeout=FOREVER_S)
    assert call(publisher.publish, [RECORD]) is True
    proxy.refuse()
    proxy.cut()
    assert call(publisher.publish, [{**RECORD, "item": "late"}]) is False
    assert publisher.stats()["dropped"]["withdrawn"] == 1
    proxy.forward()
    assert call(publisher.publish, [RECORD]) is True
    # What was answered for with False is not sent later.
    assert [record["item"] for record in receiver.wait_for_records(2)] == ["A", "A"]
    call(publisher.close)


def test_a_broker_that_falls_silent(call: Driver, proxy: Proxy) -> None:
    publisher = call.make(port=proxy.port, timeout=0.3, retry_delay=0.01)
    assert call(publisher.publish, [RECORD]) is True
    proxy.half_open()
    start = time.monotonic()
    assert call(publisher.publish, [RECORD]) is False
    assert time.monotonic() - start >= 0.3
    proxy.cut()
    proxy.forward()
    call(publisher.close)


def test_a_broker_that_falls_silent_while_connecting(call: Driver, proxy: Proxy) -> None:
    publisher = call.make(port=proxy.port, stack_timeout=1)
    # The first connection finds out whether the broker is there at all.
    proxy.half_open_after_next()
    with pytest.raises(RabbitMQError, match=r"in time|longer than 1s"):
        call(publisher.connect)
    assert not publisher
    proxy.cut()
    proxy.forward()
    call(publisher.connect)
    assert publisher
    call(publisher.close)


def test_threads_share_one(broker: Node, receiver: Receiver) -> None:
    publisher = BlockingPublisher(port=broker.port)
    publisher.connect()

    def publish(thread: int) -> None:
        for number in range(50):
            assert publisher.publish([{**RECORD, "item": f"{thread}-{number}"}])

    run_in_threads(publish, 4)
    records = receiver.wait_for_records(200)
    expected = {f"{thread}-{number}" for thread in range(4) for number in range(50)}
    assert {record["item"] for record in records} == expected
    assert len(records) == 200
    publisher.close()


@async_test
async def test_tasks_share_one_and_the_loop_goes_on(broker: Node, receiver: Receiver) -> None:
    publisher = AsyncioPublisher(port=broker.port)
    await publisher.connect()
    publishing = [publisher.publish([{**RECORD, "item": str(number)}]) for number in range(100)]
    assert await asyncio.gather(*publishing) == [True] * 100
    assert {record["item"] for record in receiver.wait_for_records(100)} == {
        str(number) for number in range(100)
    }
    await publisher.close()


@async_test
async def test_the_loop_goes_on_while_nobody_answers(proxy: Proxy) -> None:
    publisher = AsyncioPublisher(port=proxy.port, timeout=FOREVER_S)
    assert await publisher.publish([RECORD])
    proxy.half_open()
    publishing = asyncio.ensure_future(publisher.publish([RECORD]))
    await async_wait_until(lambda: publisher.stats()["in_flight"] == 1, "a message on its way")
    # The broker never answers; the loop goes on all the same.
    for _ in range(100):
        await asyncio.sleep(0)
    assert not publishing.done()
    proxy.cut()
    proxy.forward()
    assert await publishing is True
    await publisher.close()


def test_subclasses_have_to_publish() -> None:
    class Incomplete(BasePublisher):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Incomplete()  # type: ignore[abstract]


def test_a_subclass_of_ones_own(broker: Node, receiver: Receiver) -> None:
    class Counting(BlockingPublisher):
        published = 0

        def publish(self, records: Any) -> bool:
            self.published += len(records)
            return super().publish(records)

    publisher = Counting(port=broker.port)
    assert publisher.publish([RECORD])
    assert publisher.published == 1
    receiver.wait_for_messages(1)
    publisher.close()
