"""Faults of the broker itself, and what its administrator may do."""

from __future__ import annotations

from faults.scenario import scenario
from faults.scene import Scene

STATE_S = 20.0


@scenario("none")
def nothing(scene: Scene) -> None:
    scene.record(2.0)


@scenario("broker stopped and started")
def broker_restarted(scene: Scene) -> None:
    scene.record()
    scene.node.restart()
    scene.record()


@scenario("broker killed and started")
def broker_killed(scene: Scene) -> None:
    scene.record()
    scene.kill_broker()
    scene.record()
    scene.node.start()
    scene.record()


@scenario("broker away for longer than any pause between attempts")
def long_outage(scene: Scene) -> None:
    scene.record(0.5)
    scene.kill_broker()
    scene.record(7.0 * scene.patience)
    scene.node.start()
    scene.record(0.5)


@scenario("broker frozen (SIGSTOP), then awake")
def broker_frozen(scene: Scene) -> None:
    scene.record()
    scene.node.pause()
    scene.worker.wait_for_state("connecting", STATE_S)
    scene.record()
    scene.node.resume()
    scene.record()


@scenario("memory alarm, shorter than `timeout`", handler={"timeout": 20})
def short_memory_alarm(scene: Scene) -> None:
    scene.record()
    scene.node.memory_alarm(True)
    scene.worker.wait_for_state("blocked", STATE_S)
    scene.record()
    scene.node.memory_alarm(False)
    scene.record()
    assert sum(stats["reconnects"] for stats in scene.worker.ask("stats")) == 0


@scenario("memory alarm, longer than `timeout`", handler={"timeout": 1})
def long_memory_alarm(scene: Scene) -> None:
    scene.record()
    scene.node.memory_alarm(True)
    scene.worker.wait_for_stats("reconnects", 2, STATE_S)
    scene.record()
    scene.node.memory_alarm(False)
    scene.record()


@scenario("all connections closed by the administrator, twice")
def connections_closed(scene: Scene) -> None:
    for _ in range(2):
        scene.record()
        scene.node.close_all_connections("maintenance")
    scene.record()


@scenario("exchange deleted while connected")
def exchange_deleted(scene: Scene) -> None:
    scene.record()
    scene.delete_exchange()
    scene.record()


@scenario("exchange made anew with other properties, later put right")
def exchange_replaced(scene: Scene) -> None:
    scene.record()
    scene.replace_exchange(durable=True)
    scene.proxy.cut()
    scene.worker.wait_for_state("connecting", STATE_S)
    scene.record()
    assert "exists with other properties" in scene.last_errors()
    scene.delete_exchange()
    scene.record()
