"""Counted once, whatever is killed: the collector, the broker, the connection."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collecting import Collector
from phanos.publisher import ImpProfHandler, Profiler

from tools.rabbitmq import Node

PATIENCE_S = 60.0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with Node(tmp_path / "broker") as node:
        yield node


def profiled(port: int) -> tuple[Profiler, ImpProfHandler, Callable[[], None]]:
    """Return a profiler with a handler, and a function that is recorded."""
    profiler = Profiler()
    profiler.config(job="JOB")
    handler = ImpProfHandler("rabbit", port=port)
    profiler.add_handler(handler)

    @profiler.profile
    def root() -> None:
        pass

    return profiler, handler, root


def collecting(collector: Callable[..., Collector], node: Node, state: Path) -> Collector:
    url = f"amqp://guest:guest@127.0.0.1:{node.port}/%2f"
    running = collector("--amqp-url", url, "--state", str(state))
    running.wait_for("phanos_collector_broker_up", 1)
    return running


@pytest.mark.rabbitmq
@pytest.mark.timeout(300)
def test_a_collector_that_is_killed_counts_each_record_once(
    node: Node, collector: Callable[..., Collector], tmp_path: Path
) -> None:
    running = collecting(collector, node, tmp_path / "state")
    profiler, handler, root = profiled(node.port)
    recorded = 0
    chance = random.Random(7)
    for _ in range(8):
        for _ in range(chance.randrange(200, 2000)):
            root()
            recorded += 1
        profiler.flush(PATIENCE_S)
        running.kill()
        running.start()
    assert profiler.flush(PATIENCE_S)
    running.wait_for("phanos_time_profiler_seconds_count", recorded)
    handler.close()


@pytest.mark.rabbitmq
@pytest.mark.timeout(300)
def test_a_broker_that_is_killed_costs_no_record_and_counts_none_twice(
    node: Node, collector: Callable[..., Collector], tmp_path: Path
) -> None:
    running = collecting(collector, node, tmp_path / "state")
    profiler, handler, root = profiled(node.port)
    for _ in range(1000):
        root()
    assert profiler.flush(PATIENCE_S)
    running.wait_for("phanos_time_profiler_seconds_count", 1000)
    node.kill()
    for _ in range(1000):
        root()
    node.restart()
    # A flush may say that nobody reads yet: the queue is bound again when the collector is back.
    running.wait_for("phanos_time_profiler_seconds_count", 2000)
    handler.close()


@pytest.mark.rabbitmq
def test_the_collector_starts_before_the_broker(
    node: Node, collector: Callable[..., Collector], tmp_path: Path
) -> None:
    node.stop()
    url = f"amqp://guest:guest@127.0.0.1:{node.port}/%2f"
    running = collector("--amqp-url", url, "--state", str(tmp_path / "state"))
    assert running.value("phanos_collector_broker_up") == 0
    node.start()
    running.wait_for("phanos_collector_broker_up", 1)


@pytest.mark.rabbitmq
def test_the_queue_is_durable_and_limited(
    node: Node, collector: Callable[..., Collector], tmp_path: Path
) -> None:
    collecting(collector, node, tmp_path / "state")
    queues = node.ctl("list_queues", "name", "durable", "arguments", "--quiet")
    for part in ("phanos-collector", "true", "x-expires", "x-queue-type", "x-max-length-bytes"):
        assert part in queues, queues
