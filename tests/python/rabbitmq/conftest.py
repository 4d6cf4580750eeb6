"""A real broker, and what stands around it: receivers, a bad network, phanos 0.3.2."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from certificates import Authority
from proxy import Proxy
from receiver import Receiver

from tools.rabbitmq import Node

FOLDER = Path(__file__).parent
# Longer than the deadline of a node's start, which is the one to fail on a busy machine.
TIMEOUT_S = 180
# Pika logs as errors what these tests do on purpose.
logging.getLogger("pika").setLevel(logging.CRITICAL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, to select them by; items of other folders come by too."""
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.rabbitmq)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the broker logged beside what a failed test did."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Node):
                report.sections.append((f"log of the node in {name!r}", value.log()))
    return report


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node that tests share. Tests that stop, block or fill one take `own_broker`."""
    with Node(tmp_path_factory.mktemp("broker")) as node:
        yield node


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Node]:
    """A node for one test, to be broken."""
    with Node(tmp_path / "own-broker") as node:
        yield node


@pytest.fixture(scope="session")
def broken_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node that tests break and mend one after the other; each leaves it well."""
    with Node(tmp_path_factory.mktemp("broken-broker")) as node:
        yield node


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who vouches for `tls_broker`."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def tls_broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Node]:
    """A shared node that speaks TLS as well; it asks clients for a certificate, needing none."""
    with Node(tmp_path_factory.mktemp("tls-broker"), authority.for_node()) as node:
        yield node


@pytest.fixture
def receiver(broker: Node) -> Iterator[Receiver]:
    """Receives what is published on the shared node during one test."""
    with Receiver(broker.port) as receiver:
        yield receiver


@pytest.fixture
def proxy(broker: Node) -> Iterator[Proxy]:
    """Stands before the shared node."""
    with Proxy(broker.port) as proxy:
        yield proxy
