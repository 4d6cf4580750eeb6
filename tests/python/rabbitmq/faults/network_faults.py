"""Faults of the network between a handler and the broker."""

from __future__ import annotations

from faults.scenario import scenario
from faults.scene import QUICK, Scene

STATE_S = 20.0


@scenario("connection cut by RST, three times")
def connection_reset(scene: Scene) -> None:
    for _ in range(3):
        scene.record(0.5)
        scene.proxy.cut()
    scene.record()


@scenario("connection cut by FIN, three times")
def connection_ended(scene: Scene) -> None:
    for _ in range(3):
        scene.record(0.5)
        scene.proxy.cut(reset=False)
    scene.record()


@scenario("half-open connection: bytes vanish without a sign")
def half_open(scene: Scene) -> None:
    scene.record()
    scene.proxy.half_open()
    scene.worker.wait_for_state("connecting", STATE_S)
    scene.record()
    scene.proxy.forward()
    scene.proxy.cut()
    scene.record()


@scenario("half-open connection while nothing is recorded")
def half_open_and_idle(scene: Scene) -> None:
    scene.record()
    scene.quiet()
    scene.proxy.half_open()
    # Nothing is under way that could go unanswered: heartbeats have to tell.
    scene.worker.wait_for_state("connecting", STATE_S)
    scene.proxy.forward()
    scene.proxy.cut()
    scene.loud()
    scene.record()


@scenario("slow link: 200 ms there and back, 400 kB/s", handler={"stack_timeout": 10})
def slow_link(scene: Scene) -> None:
    scene.record(0.5)
    scene.proxy.slow(latency_s=0.1, bytes_per_s=400_000)
    scene.record(3.0 * scene.patience)
    assert sum(stats["reconnects"] for stats in scene.worker.ask("stats")) == 0
    scene.proxy.forward()


@scenario("idle for several heartbeats")
def idle(scene: Scene) -> None:
    scene.record()
    scene.quiet()
    scene.wait(7.0 * scene.patience)
    scene.loud()
    scene.record()
    assert sum(stats["reconnects"] for stats in scene.worker.ask("stats")) == 0


@scenario("broker's host refuses connections, then is back")
def refused(scene: Scene) -> None:
    scene.record(0.5)
    scene.proxy.refuse()
    scene.proxy.cut()
    scene.worker.wait_for_state("connecting", STATE_S)
    scene.record(2.0)
    scene.proxy.forward()
    scene.record(0.5)


@scenario("connections accepted and never answered", handler=QUICK | {"stack_timeout": 1})
def silent_handshake(scene: Scene) -> None:
    scene.record(0.5)
    scene.proxy.half_open()
    scene.proxy.cut()
    # Every attempt has to be given up in its turn, and leaves no thread behind.
    scene.wait_for_attempts(3)
    assert scene.worker.threads("lapin-io-loop") <= 2 * 2
    scene.proxy.forward()
    scene.proxy.cut()
    scene.record(0.5)
