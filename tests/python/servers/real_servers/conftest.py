"""Servers as users run them, beside a real broker; all of it on one Python version."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.rabbitmq import Node

HERE = Path(__file__).parent
# Receives what the servers' workers publish.
sys.path.append(str(HERE.parents[1] / "rabbitmq"))
TIMEOUT_S = 180


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, to select them by; items of other folders come by too."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.real_servers)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node that all servers deliver to."""
    with Node(tmp_path_factory.mktemp("broker")) as node:
        yield node
