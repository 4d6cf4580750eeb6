"""Programs that end while the broker does not answer: soon, and saying what is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from faults.limits import DROPPED, EXIT_S, STATE_S
from faults.scenario import heal
from faults.scene import Scene

from tools.rabbitmq import Node

# An outage is not noticed before the end comes.
PATIENT = {"heartbeat": 47, "timeout": 23, "stack_timeout": 15, "socket_timeout": 10}


def freeze(scene: Scene) -> None:
    scene.node.pause()


def alarm(scene: Scene) -> None:
    scene.node.memory_alarm(True)
    scene.worker.wait_for_state("blocked", STATE_S)


def half_open(scene: Scene) -> None:
    scene.proxy.half_open()


def refuse(scene: Scene) -> None:
    scene.proxy.refuse()
    scene.proxy.cut()


@pytest.mark.timeout(150)
@pytest.mark.parametrize("fault", [freeze, alarm, half_open, refuse])
def test_a_program_ends_and_tells_what_it_could_not_deliver(
    fault: Callable[[Scene], None], broken_broker: Node, tmp_path: Path
) -> None:
    name = f"ending_{fault.__name__}"
    with Scene(broken_broker, tmp_path, name=name, handler=PATIENT) as scene:
        try:
            scene.record()
            fault(scene)
            scene.record()
            recorded = scene.worker.ask("stop")["records"]
            took_s = scene.worker.end()
        finally:
            heal(broken_broker)
        log = scene.worker.log
        assert took_s < EXIT_S, log
        lost = sum(int(count) for count in DROPPED.findall(log))
        assert 0 < lost < recorded, log
        # What was with the broker may have arrived all the same.
        scene.wait_for_records(recorded - lost)
