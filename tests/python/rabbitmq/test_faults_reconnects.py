"""What connections that broke leave behind: no thread, no memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from certificates import Authority
from faults.scene import Scene

from tools.rabbitmq import Node

HANDLERS = 2
WARMING_UP = 10
CUTS = 50
DEADLINE_S = 30.0
POLL_INTERVAL_S = 0.05
# A connection takes 8 MB while it lives; one that stayed would show.
GROWTH_BYTES = 30_000_000
THREADS = "lapin-io-loop"

pytestmark = pytest.mark.timeout(150)


def cut_often(scene: Scene, times: int) -> None:
    """Cut the connections so often, each time after they worked."""
    for _ in range(times):
        before = sum(stats["messages"] for stats in scene.worker.ask("stats"))
        scene.worker.wait_for_stats("messages", before + HANDLERS, DEADLINE_S)
        scene.worker.wait_for_state("connected", DEADLINE_S)
        scene.proxy.cut()


def wait_for_threads_to_end(scene: Scene) -> None:
    """Wait until no connection has a thread but those in use."""
    end = time.monotonic() + DEADLINE_S
    while (threads := scene.worker.threads(THREADS)) > HANDLERS:
        assert time.monotonic() < end, f"{threads} threads of {HANDLERS} connections"
        time.sleep(POLL_INTERVAL_S)


def test_fifty_broken_connections_leave_no_threads_and_no_memory(
    broker: Node, tmp_path: Path
) -> None:
    with Scene(broker, tmp_path, name="reconnects", handler={"retry_delay": 0.01}) as scene:
        cut_often(scene, WARMING_UP)
        before = scene.worker.memory_bytes()
        cut_often(scene, CUTS)
        scene.worker.wait_for_state("connected", DEADLINE_S)
        scene.record()
        wait_for_threads_to_end(scene)
        assert scene.worker.memory_bytes() - before < GROWTH_BYTES
        for stats in scene.worker.ask("stats"):
            assert stats["reconnects"] >= CUTS
        outcome = scene.settle("reconnects")
    assert outcome.received == outcome.recorded


def test_tls_connections_that_break_or_are_never_answered_leave_no_threads(
    tls_broker: Node, authority: Authority, tmp_path: Path
) -> None:
    ssl_options = {"ca_file": str(authority.file), "server_hostname": "localhost"}
    handler = {"ssl_options": ssl_options, "stack_timeout": 1, "retry_delay": 0.01}
    with Scene(tls_broker, tmp_path, name="tls", handler=handler, tls=True) as scene:
        cut_often(scene, WARMING_UP)
        scene.proxy.half_open()
        scene.proxy.cut()
        scene.wait_for_attempts(3)
        assert scene.worker.threads(THREADS) <= 2 * HANDLERS
        scene.proxy.forward()
        scene.proxy.cut()
        scene.record()
        scene.worker.wait_for_state("connected", DEADLINE_S)
        wait_for_threads_to_end(scene)
        outcome = scene.settle("tls")
    assert outcome.received == outcome.recorded


def test_connections_given_up_while_blocked_leave_no_threads(
    own_broker: Node, tmp_path: Path
) -> None:
    with Scene(own_broker, tmp_path, name="blocked", handler={"timeout": 1}) as scene:
        scene.record(0.2)
        own_broker.memory_alarm(True)
        scene.worker.wait_for_stats("reconnects", 3 * HANDLERS, DEADLINE_S)
        assert scene.worker.threads(THREADS) <= 2 * HANDLERS
        own_broker.memory_alarm(False)
        outcome = scene.settle("blocked")
    assert outcome.received == outcome.recorded
