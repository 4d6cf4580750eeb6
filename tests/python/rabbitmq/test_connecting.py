"""A handler that is made tries its connection out: what it says, how long it tries, what stays."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

import pika
import pytest
from async_tests import async_test
from native_threads import native_threads, wait_until_gone
from phanos import messaging, publisher
from pika.exceptions import ChannelClosedByBroker
from proxy import Proxy
from support import async_wait_until, run_python

from tools.rabbitmq import Node
from tools.rabbitmq.ports import HOST, free_ports

CANNOT = "Cannot connect to RabbitMQ"
# Far longer than a test may take: a test that waited for it would fail by its own timeout.
FOREVER_S = 1000.0
Maker = Callable[..., Any]


def sync_handler(**arguments: Any) -> publisher.ImpProfHandler:
    return publisher.ImpProfHandler("rabbit", **arguments)


def async_handler(**arguments: Any) -> publisher.AsyncImpProfHandler:
    return asyncio.run(publisher.AsyncImpProfHandler.create("rabbit", **arguments))


MAKERS = [sync_handler, async_handler]


@pytest.fixture(params=MAKERS)
def made(request: pytest.FixtureRequest) -> Maker:
    """Make either handler."""
    maker: Maker = request.param
    return maker


@pytest.fixture
def closed_port() -> int:
    (port,) = free_ports(1)
    return port


@pytest.fixture
def channel(broker: Node) -> Any:
    with pika.BlockingConnection(pika.ConnectionParameters(HOST, broker.port)) as connection:
        yield connection.channel()


def test_success_is_logged(made: Maker, broker: Node, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    handler = made(port=broker.port)
    name = type(handler).__name__
    assert caplog.record_tuples == [("phanos.publisher", 20, f"{name} created successfully")]
    assert not handler.publisher.is_connected()
    assert handler.stats()["state"] == "idle"


def test_nobody_there(made: Maker, closed_port: int, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RuntimeError) as caught:
        made(port=closed_port, logger="told")
    assert str(caught.value).startswith(f"{CANNOT}: amqp://{HOST}:{closed_port}: ")
    assert isinstance(caught.value.__cause__, messaging.NETWORK_ERRORS)
    assert str(caught.value).endswith(str(caught.value.__cause__))
    assert "refused" in str(caught.value)
    [(logger, level, message)] = caplog.record_tuples
    assert (logger, level) == ("told", 40)
    assert "ImpProfHandler cannot connect to RabbitMQ because of " in message
    assert f"{HOST}:{closed_port}" in message


@pytest.mark.parametrize("retry", [0, 1])
def test_there_is_no_delay_after_the_last_attempt(
    made: Maker, closed_port: int, retry: int
) -> None:
    with pytest.raises(RuntimeError, match=f"^{CANNOT}: amqp://"):
        made(port=closed_port, retry=retry, retry_delay=FOREVER_S)


@pytest.mark.parametrize("retry", [1, 3])
def test_as_many_attempts_as_given(made: Maker, proxy: Proxy, retry: int) -> None:
    proxy.half_open()
    with pytest.raises(RuntimeError, match=f"^{CANNOT}: amqp://"):
        made(port=proxy.port, retry=retry, retry_delay=0.01, stack_timeout=0.05)
    assert proxy.accepted == retry


def test_there_is_a_delay_between_attempts(made: Maker, closed_port: int) -> None:
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=f"^{CANNOT}: amqp://"):
        made(port=closed_port, retry=3, retry_delay=0.2)
    assert time.monotonic() - start >= 0.4


def test_it_is_there_at_the_second_attempt(made: Maker, proxy: Proxy) -> None:
    proxy.half_open()
    arguments = {"port": proxy.port, "retry": 1000, "retry_delay": 0.01, "stack_timeout": 0.05}
    with pytest.raises(RuntimeError, match=f"^{CANNOT}: amqp://"):
        made(**{**arguments, "retry": 2})
    assert proxy.accepted == 2
    proxy.cut()
    proxy.forward()
    made(**{**arguments, "stack_timeout": 5})


def test_nobody_answers(made: Maker, proxy: Proxy) -> None:
    proxy.half_open()
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=f"^{CANNOT}: amqp://") as caught:
        made(port=proxy.port, retry=2, retry_delay=0.1, stack_timeout=0.3)
    assert time.monotonic() - start >= 0.7
    assert proxy.accepted == 2
    assert "the handshake took longer than 300ms" in str(caught.value.__cause__)


def refused(made: Maker, **arguments: Any) -> str:
    """Return what is said when the broker says no, which it is asked once."""
    with pytest.raises(RuntimeError, match=f"^{CANNOT}: ") as caught:
        made(retry=3, retry_delay=FOREVER_S, **arguments)
    assert isinstance(caught.value.__cause__, messaging.NETWORK_ERRORS)
    return str(caught.value)


def test_wrong_password(made: Maker, broker: Node) -> None:
    said = refused(made, port=broker.port, password="sesame")
    assert 'user "guest" was refused: 403 ACCESS_REFUSED' in said
    assert "sesame" not in said


def test_wrong_user(made: Maker, broker: Node) -> None:
    said = refused(made, port=broker.port, user="nobody")
    assert 'user "nobody" was refused: 403 ACCESS_REFUSED' in said


def test_wrong_virtual_host(made: Maker, broker: Node) -> None:
    said = refused(made, port=broker.port, virtual_host="nowhere")
    assert 'virtual host "nowhere" was refused: 530 NOT_ALLOWED' in said


@pytest.mark.parametrize(
    "existing",
    [
        {"exchange_type": "topic"},
        {"exchange_type": "fanout", "durable": True},
        {"exchange_type": "fanout", "auto_delete": True},
        {"exchange_type": "fanout", "arguments": {"alternate-exchange": "amq.fanout"}},
    ],
)
def test_another_exchange_of_that_name(
    made: Maker, broker: Node, channel: Any, existing: dict[str, Any]
) -> None:
    channel.exchange_declare("taken", **existing)
    try:
        said = refused(made, port=broker.port, exchange_name="taken")
        assert 'exchange "taken" exists with other properties than type "fanout"' in said
        assert "406 PRECONDITION_FAILED" in said
    finally:
        channel.exchange_delete("taken")


def test_an_exchange_of_unknown_type(made: Maker, broker: Node) -> None:
    said = refused(made, port=broker.port, exchange_name="odd", exchange_type="nonsense")
    # RabbitMQ 4.3 has another word for it.
    assert re.search('exchange type "nonsense" was refused: (503 COMMAND_INVALID|406 PREC)', said)


@pytest.mark.parametrize("kind", ["direct", "fanout", "headers", "topic"])
def test_every_type_of_exchange(made: Maker, broker: Node, channel: Any, kind: str) -> None:
    name = f"of-{kind}-by-{made.__name__}"
    with pytest.raises(ChannelClosedByBroker, match="NOT_FOUND"):
        channel.connection.channel().exchange_declare(name, passive=True)
    made(port=broker.port, exchange_name=name, exchange_type=kind)
    # Fails unless the exchange is there.
    channel.exchange_declare(name, passive=True)
    # Fails if that has another type.
    channel.exchange_declare(name, kind)
    channel.exchange_delete(name)


def test_another_virtual_host(made: Maker, broker: Node) -> None:
    broker.ctl("add_vhost", "another")
    try:
        broker.ctl("set_permissions", "--vhost", "another", "guest", "", "", "")
        said = refused(made, port=broker.port, virtual_host="another")
        assert "access to exchange 'profiling' in vhost 'another' refused" in said
        broker.ctl("set_permissions", "--vhost", "another", "guest", ".*", ".*", ".*")
        made(port=broker.port, virtual_host="another")
    finally:
        broker.ctl("delete_vhost", "another")


def test_no_thread_is_left(made: Maker, broker: Node, closed_port: int) -> None:
    # Threads of asyncio's own that it keeps.
    made(port=broker.port)
    before = native_threads()
    made(port=broker.port)
    with pytest.raises(RuntimeError):
        made(port=closed_port, retry=1)
    with pytest.raises(RuntimeError):
        made(port=broker.port, password="sesame")
    wait_until_gone(before)


@pytest.mark.every_version
def test_forking_after_the_constructor_warns_of_nothing(broker: Node) -> None:
    done = run_python(
        f"""
        import os
        from phanos.publisher import ImpProfHandler
        from support import wait_until
        handler = ImpProfHandler("rabbit", port={broker.port})
        wait_until(lambda: len(os.listdir("/proc/self/task")) == 1, "one thread")
        child = os.fork()
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """
    )
    assert done.stderr == ""


@async_test
async def test_create_leaves_the_loop_free(proxy: Proxy) -> None:
    proxy.half_open()
    arguments: dict[str, Any] = {"port": proxy.port, "stack_timeout": FOREVER_S}
    creating = asyncio.ensure_future(publisher.AsyncImpProfHandler.create("rabbit", **arguments))
    await async_wait_until(lambda: proxy.accepted == 1, "an attempt")
    # The broker never answers; the loop goes on all the same.
    for _ in range(100):
        await asyncio.sleep(0)
    assert not creating.done()
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating


@async_test
async def test_create_can_be_cancelled(proxy: Proxy) -> None:
    before = native_threads()
    proxy.half_open()
    arguments: dict[str, Any] = {"port": proxy.port, "stack_timeout": FOREVER_S}
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(
            publisher.AsyncImpProfHandler.create("rabbit", **arguments), timeout=0.1
        )
    wait_until_gone(before)


def test_made_directly_it_connects_nowhere(closed_port: int) -> None:
    before = native_threads()
    handler = publisher.AsyncImpProfHandler("rabbit", port=closed_port)
    assert handler.stats()["state"] == "idle"
    assert native_threads() == before
