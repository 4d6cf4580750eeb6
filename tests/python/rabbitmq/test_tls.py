"""Connections by TLS: whom they trust, what they show, and what is said when that fails."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from phanos.messaging import BlockingPublisher
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler
from receiver import Receiver
from sample_records import RECORD

from tools.rabbitmq import Node
from tools.rabbitmq.ports import HOST

CANNOT = "Cannot connect to RabbitMQ"
Maker = Callable[..., Any]


@pytest.fixture(scope="module")
def demanding_broker(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[Node]:
    """A node that takes no client without a certificate."""
    certificates = authority.for_node(client_required=True)
    with Node(tmp_path_factory.mktemp("demanding-broker"), certificates) as node:
        yield node


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the brokers do not know."""
    return Authority(tmp_path_factory.mktemp("stranger"))


def sync_handler(**arguments: Any) -> ImpProfHandler:
    return ImpProfHandler("rabbit", **arguments)


def async_handler(**arguments: Any) -> AsyncImpProfHandler:
    return asyncio.run(AsyncImpProfHandler.create("rabbit", **arguments))


@pytest.fixture(params=[sync_handler, async_handler])
def made(request: pytest.FixtureRequest) -> Maker:
    """Make either handler."""
    maker: Maker = request.param
    return maker


def identity(authority: Authority, name: str) -> dict[str, Path]:
    issued = authority.issue(name, f"{name}.example")
    return {"cert_file": issued.certificate, "key_file": issued.key}


@pytest.mark.every_version
def test_records_are_delivered(tls_broker: Node, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.file))
    arguments: dict[str, Any] = {
        "port": tls_broker.tls_port,
        "ssl_options": {"ca_file": str(authority.file)},
    }
    with Receiver(tls_broker.tls_port, tls=context) as receiver:
        handler = ImpProfHandler("rabbit", **arguments)
        handler.handle([RECORD])
        assert handler.flush(20)
        publisher = BlockingPublisher(host="localhost", **arguments)
        assert publisher.publish([RECORD])
        receiver.wait_for_messages(2)
        listed = tls_broker.ctl("list_connections", "ssl", "ssl_protocol", "state")
        assert "true\ttlsv1.3\trunning" in listed
        assert "false\t" not in listed
        publisher.close()
        handler.close()


def test_large_batches_are_delivered(tls_broker: Node, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.file))
    batch = [{**RECORD, "labels": {"padding": "x" * 1000}} for _ in range(2000)]
    with Receiver(tls_broker.tls_port, tls=context) as receiver:
        handler = ImpProfHandler(
            "rabbit", port=tls_broker.tls_port, ssl_options={"ca_file": authority.file}
        )
        handler.handle(batch)
        assert handler.flush(20)
        assert receiver.wait_for_records(len(batch)) == [
            {**record, "value": ["observe", 1.0]} for record in batch
        ]
        handler.close()


def test_a_certificate_is_shown(demanding_broker: Node, authority: Authority, made: Maker) -> None:
    options = {"ca_file": authority.file, **identity(authority, "client")}
    handler = made(port=demanding_broker.tls_port, ssl_options=options)
    assert handler.stats()["last_error"] is None


def turned_away(made: Maker, **arguments: Any) -> str:
    """Return what is said of a client certificate; what the broker says may get lost."""
    with pytest.raises(RuntimeError, match=f"^{CANNOT}") as caught:
        made(**arguments)
    return str(caught.value.__cause__)


def refused(made: Maker, **arguments: Any) -> str:
    with pytest.raises(RuntimeError) as caught:
        made(**arguments)
    said = str(caught.value)
    assert said.startswith(f"{CANNOT}: amqps://")
    return said


def test_no_certificate_where_one_is_demanded(
    demanding_broker: Node, authority: Authority, made: Maker
) -> None:
    options = {"ca_file": authority.file}
    said = turned_away(made, port=demanding_broker.tls_port, ssl_options=options)
    assert "CertificateRequired" in said or "another client certificate?" in said


def test_a_certificate_of_a_stranger(
    demanding_broker: Node, authority: Authority, stranger: Authority, made: Maker
) -> None:
    options = {"ca_file": authority.file, **identity(stranger, "client")}
    said = turned_away(made, port=demanding_broker.tls_port, ssl_options=options)
    assert "UnknownCA" in said or "another client certificate?" in said


def test_a_broker_that_is_not_trusted(tls_broker: Node, stranger: Authority, made: Maker) -> None:
    said = refused(made, port=tls_broker.tls_port, ssl_options={"ca_file": stranger.file})
    assert "TLS: invalid peer certificate: UnknownIssuer" in said


def test_the_system_trusts_no_private_authority(tls_broker: Node, made: Maker) -> None:
    said = refused(made, port=tls_broker.tls_port, ssl_options=True)
    assert "TLS: invalid peer certificate" in said


def test_another_name_than_expected(tls_broker: Node, authority: Authority, made: Maker) -> None:
    options = {"ca_file": authority.file, "server_hostname": "other.example"}
    said = refused(made, port=tls_broker.tls_port, ssl_options=options)
    assert "TLS: invalid peer certificate: certificate not valid for name" in said
    assert "other.example" in said


def test_the_name_of_another_address(tls_broker: Node, authority: Authority, made: Maker) -> None:
    for name in ("localhost", HOST):
        options = {"ca_file": authority.file, "server_hostname": name}
        made(host="127.0.0.1", port=tls_broker.tls_port, ssl_options=options)


def test_a_broker_without_tls(broker: Node, authority: Authority, made: Maker) -> None:
    options = {"ca_file": authority.file}
    said = refused(made, port=broker.port, ssl_options=options)
    assert "TLS: the other side does not speak TLS" in said


def test_tls_where_nobody_expects_it(tls_broker: Node, made: Maker) -> None:
    # Never silently in plain text, and no handshake that never ends.
    with pytest.raises(RuntimeError, match=f"^{CANNOT}: amqp"):
        made(port=tls_broker.tls_port, retry=1, stack_timeout=3)


def test_nobody_listens(authority: Authority, made: Maker) -> None:
    with pytest.raises(RuntimeError, match=f"^{CANNOT}: amqp"):
        made(port=1, retry=1, ssl_options={"ca_file": authority.file})
