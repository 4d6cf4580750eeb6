"""Programs that end while the broker does not answer: soon, and saying what is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.limits import DROPPED, EXIT_S, STATE_S
from faults.scenario import heal
from faults.scene import Scene
from proxy import Proxy
from receiver import Receiver

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


MANY_HANDLERS = """
import sys
from phanos.handlers import ImpProfHandler
from phanos.publisher import Profiler

silent_port, port, silent, calls = map(int, sys.argv[1:])
profiler = Profiler()
profiler.config(job="ending")

@profiler.profile
def call() -> None: ...

for number in range(silent):
    profiler.add_handler(ImpProfHandler(f"silent {number}", port=silent_port))
profiler.add_handler(ImpProfHandler("healthy", port=port, exchange_name="profiling.healthy"))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(calls):
    call()
"""
SILENT = 80
# Together they take 2 s; one after the other it would be 2 s, and 0.2 s for each.
MANY_EXIT_S = 14.0


@pytest.mark.timeout(120)
def test_many_handlers_that_cannot_deliver_end_as_soon_as_one(broker: Node, proxy: Proxy) -> None:
    calls = 100
    with Receiver(broker.port, exchange="profiling.healthy") as receiver:
        numbers = map(str, (proxy.port, broker.port, SILENT, calls))
        program = subprocess.Popen(
            [sys.executable, "-c", MANY_HANDLERS, *numbers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == b"ready\n"
            proxy.half_open()
            began = time.monotonic()
            _, errors = program.communicate(b"go\n", timeout=30)
            took_s = time.monotonic() - began
        finally:
            program.kill()
        assert program.returncode == 0, errors
        assert len(receiver.wait_for_records(calls)) == calls
        assert took_s < MANY_EXIT_S
        assert errors.count(b" records dropped: ") == SILENT
