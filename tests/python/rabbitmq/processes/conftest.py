"""Each test has an exchange, a receiver and programs of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from programs import Program
from receiver import Receiver

from tools.rabbitmq import Node


@pytest.fixture
def exchange() -> str:
    """Name of an exchange that no other test uses."""
    return f"profiling-{uuid.uuid4().hex}"


@pytest.fixture
def received(broker: Node, exchange: str) -> Iterator[Receiver]:
    """Receives what is published to the exchange of the test."""
    with Receiver(broker.port, exchange=exchange) as receiver:
        yield receiver


@pytest.fixture
def program(tmp_path: Path, broker: Node, exchange: str) -> Iterator[Callable[..., Program]]:
    """Start a program: `program(code, *arguments)`, to the shared broker unless `port` is given."""
    with ExitStack() as stack:

        def start(code: str, *arguments: str, port: int | None = None) -> Program:
            to = broker.port if port is None else port
            return stack.enter_context(Program(tmp_path, code, to, exchange, *arguments))

        yield start
