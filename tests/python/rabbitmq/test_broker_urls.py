"""Brokers by URL, several hosts, and brokers that are not there yet."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from phanos import messaging, publisher
from phanos.handlers import AsyncImpProfHandler, ImpProfHandler
from receiver import Receiver
from sample_records import record
from support import wait_until

from tools.rabbitmq import Node
from tools.rabbitmq.ports import HOST, free_ports

SECRET = "do-not-write-this-down"


def settings_of(**arguments: Any) -> Any:
    return messaging.BlockingPublisher(**arguments).connection_parameters


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://broker", ("broker", 5672, [], "guest", "/", None)),
        ("amqp://broker/", ("broker", 5672, [], "guest", "/", None)),
        ("AMQP://me:word@broker:5673/shop", ("broker", 5673, [], "me", "shop", None)),
        ("amqp://m%40e:w%2Fd@broker/a%2Fb", ("broker", 5672, [], "m@e", "a/b", None)),
        ("amqps://broker/shop", ("broker", 5671, [], "guest", "shop", {})),
        ("amqp://a,b:5673,[::1],[::1]:9/", ("a", 5672, [("b", 5673), ("::1", 5672), ("::1", 9)])),
    ],
)
def test_what_a_url_says(url: str, expected: tuple[Any, ...]) -> None:
    said = settings_of(url=url)
    found = (said.host, said.port, said.other_hosts, said.user, said.virtual_host, said.ssl_options)
    assert found[: len(expected)] == expected


def test_certificates_beside_a_url(tmp_path: Any) -> None:
    with pytest.raises(
        ValueError, match=r"ssl_options are given, and url does not begin with amqps"
    ):
        settings_of(url="amqp://broker", ssl_options=True)
    options = {"server_hostname": "broker.example"}
    assert settings_of(url="amqps://broker", ssl_options=options).ssl_options == options


@pytest.mark.parametrize(
    "url",
    [
        "broker",
        f"http://me:{SECRET}@broker",
        f"amqp://me:{SECRET}@",
        f"amqp://me:{SECRET}@broker/a/b",
        f"amqp://me:{SECRET}@broker?heartbeat=3",
        f"amqp://me:{SECRET}@broker:many",
        f"amqp://me:{SECRET}@broker:70000",
        f"amqp://me:{SECRET}@bro ker",
    ],
)
def test_urls_that_are_none_are_not_printed(url: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        settings_of(url=url)
    assert SECRET not in str(caught.value)
    assert any(word in str(caught.value) for word in ("url must be amqp[s]://", "port", "host"))


def test_a_url_and_what_it_says_as_well() -> None:
    with pytest.raises(ValueError, match=r"url says all of host, .*: got port, user as well"):
        settings_of(url="amqp://broker", port=5673, user="me")
    with pytest.raises(TypeError, match="url must be a str, got int"):
        settings_of(url=5)


def test_the_environment_names_the_broker_where_the_code_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PHANOS_AMQP_URL", f"amqp://me:{SECRET}@outside:5673/shop")
    assert (settings_of().host, settings_of().port, settings_of().user) == ("outside", 5673, "me")
    assert settings_of(host="inside").host == "inside"
    assert settings_of(url="amqp://inside").host == "inside"
    assert settings_of(user="other").host == HOST
    assert SECRET not in repr(AsyncImpProfHandler("rabbit"))
    monkeypatch.setenv("PHANOS_AMQP_URL", "outside")
    with pytest.raises(ValueError, match=r"^PHANOS_AMQP_URL must be amqp\[s\]://"):
        settings_of()


def test_text_form() -> None:
    handler = AsyncImpProfHandler("rabbit", url="amqps://me:word@broker:5673/shop")
    assert repr(handler) == (
        "AsyncImpProfHandler('rabbit', amqps://broker:5673/shop, exchange='profiling', idle, "
        "0 records waiting)"
    )
    assert "amqp://[::1]:5672, " in repr(AsyncImpProfHandler("rabbit", host="::1"))


def test_records_arrive_by_url(broker: Node, receiver: Receiver) -> None:
    handler = ImpProfHandler("rabbit", url=f"amqp://guest:guest@{HOST}:{broker.port}/%2F")
    handler.handle([record(n) for n in range(3)])
    assert handler.close()
    receiver.wait_for_records(3)


@pytest.mark.parametrize("kind", ["constructor", "create"])
def test_the_second_host_is_tried_when_the_first_is_away(
    kind: str, broker: Node, receiver: Receiver
) -> None:
    (closed,) = free_ports(1)
    hosts = [f"{HOST}:{closed}", f"{HOST}:{broker.port}"]
    if kind == "constructor":
        handler = ImpProfHandler("rabbit", host=hosts)
        handler.handle([record(n) for n in range(2)])
        assert handler.close()
    else:

        async def main() -> None:
            handler = await AsyncImpProfHandler.create("rabbit", host=hosts)
            await handler.handle([record(n) for n in range(2)])
            assert await handler.close()

        asyncio.run(main())
    receiver.wait_for_records(2)


def test_all_hosts_are_named_when_none_is_there() -> None:
    one, other = free_ports(2)
    with pytest.raises(RuntimeError, match=r"^Cannot connect to RabbitMQ: amqp://") as caught:
        ImpProfHandler("rabbit", host=[f"{HOST}:{one}", f"{HOST}:{other}"], retry=1)
    assert f"amqp://{HOST}:{one}: " in str(caught.value)
    assert f"amqp://{HOST}:{other}: " in str(caught.value)


@pytest.mark.parametrize("hosts", [[], ["a", 5], ["a", "b:c"], ["amqp://a"], [""]])
def test_hosts_are_checked(hosts: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"host|port"):
        settings_of(host=hosts)


@pytest.mark.parametrize("kind", [publisher.ImpProfHandler, publisher.AsyncImpProfHandler])
def test_connect_is_eager_or_lazy(kind: Any) -> None:
    with pytest.raises(ValueError, match="connect must be 'eager' or 'lazy', got 'never'"):
        kind("rabbit", connect="never")
    with pytest.raises(TypeError, match="unexpected connection arguments: connect"):
        messaging.BlockingPublisher(connect="lazy")  # type: ignore[call-arg]


def test_a_broker_that_is_not_there_yet(
    broken_broker: Node, caplog: pytest.LogCaptureFixture
) -> None:
    port = broken_broker.port
    broken_broker.stop()
    handler = ImpProfHandler("rabbit", port=port, connect="lazy")
    lazy = asyncio.run(AsyncImpProfHandler.create("other", port=port, connect="lazy"))
    assert (handler.stats()["state"], lazy.stats()["state"]) == ("idle", "idle")
    assert caplog.text == ""
    handler.handle([record(n) for n in range(4)])
    wait_until(lambda: handler.stats()["last_error"] is not None, "a failed attempt")
    assert handler.flush(0) is False
    assert "no connection to RabbitMQ, records are kept meanwhile: " in caplog.text
    assert f"amqp://{HOST}:{port}" in caplog.text
    broken_broker.start()
    with Receiver(port) as receiver:
        receiver.wait_for_records(4)
    handler.close()
