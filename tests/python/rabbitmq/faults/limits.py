"""Where records have to go: the buffer is full, or the program ends."""

from __future__ import annotations

import re

from faults.outcome import Outcome
from faults.scenario import scenario
from faults.scene import Scene

STATE_S = 20.0
EXIT_S = 15.0
"""It takes 2 s where nothing else runs; a program that waits for its broker takes for ever."""
DROPPED = re.compile(r"(\d+) records dropped")


@scenario("broker away, buffer of 100 kB full", handler={"buffer_bytes": 100_000}, drops="full")
def buffer_full(scene: Scene) -> None:
    scene.record()
    scene.kill_broker()
    scene.worker.wait_for_state("connecting", STATE_S)
    scene.record(2.0)
    scene.node.start()
    scene.record()


@scenario("broker away when the program ends", drops="closed")
def ending_without_broker(scene: Scene) -> Outcome:
    scene.record()
    # What the broker had and did not confirm would be received, and counted as lost as well.
    scene.quiet()
    scene.kill_broker()
    scene.loud()
    scene.record()
    measured = scene.worker.ask("stop")
    took_s = scene.worker.end()
    assert took_s < EXIT_S, f"ending took {took_s:.1f} s\n{scene.worker.log}"
    lost = sum(int(number) for number in DROPPED.findall(scene.worker.log))
    scene.node.start()
    return scene.settle_without_worker(
        "broker away when the program ends", measured, {"closed": lost}
    )
