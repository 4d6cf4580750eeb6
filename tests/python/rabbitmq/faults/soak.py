"""Faults at random, one after the other, while records are made."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

from faults.outcome import Outcome
from faults.scenario import heal
from faults.scene import Scene
from tools.rabbitmq import Node

BETWEEN_S = (0.1, 1.0)
"""How long things are well between two faults, and how long most faults last."""


class Soak:
    """
    Breaks and mends, as the seed says, until time is up.

    Attributes:
        done: the faults so far, in order.
    """

    def __init__(self, scene: Scene, seed: int) -> None:
        self.done: list[str] = []
        self._scene = scene
        self._random = random.Random(seed)
        self._faults: list[Callable[[], None]] = [
            self.cut,
            self.end,
            self.half_open,
            self.slow,
            self.refuse,
            self.freeze,
            self.alarm,
            self.delete_exchange,
            self.close_connections,
            self.restart,
            self.kill,
        ]

    def run(self, seconds: float) -> None:
        """Break and mend for so long; the last fault may take longer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._last()
            fault = self._random.choice(self._faults)
            self.done.append(fault.__name__)
            fault()

    def _last(self) -> None:
        self._scene.record(self._random.uniform(*BETWEEN_S))

    def cut(self) -> None:
        self._scene.proxy.cut()

    def end(self) -> None:
        self._scene.proxy.cut(reset=False)

    def half_open(self) -> None:
        self._scene.proxy.half_open()
        self._last()
        self._last()
        self._scene.proxy.cut()
        self._scene.proxy.forward()
        self._scene.proxy.cut()

    def slow(self) -> None:
        self._scene.proxy.slow(latency_s=0.05, bytes_per_s=1_000_000)
        self._last()
        self._last()
        self._scene.proxy.forward()

    def refuse(self) -> None:
        self._scene.proxy.refuse()
        self._scene.proxy.cut()
        self._last()
        self._scene.proxy.forward()

    def freeze(self) -> None:
        self._scene.node.pause()
        self._last()
        self._last()
        self._scene.node.resume()

    def alarm(self) -> None:
        self._scene.node.memory_alarm(True)
        self._last()
        self._scene.node.memory_alarm(False)

    def delete_exchange(self) -> None:
        self._scene.delete_exchange()

    def close_connections(self) -> None:
        self._scene.node.close_all_connections("soak")

    def restart(self) -> None:
        self._scene.node.restart()

    def kill(self) -> None:
        self._scene.kill_broker()
        self._last()
        self._scene.node.start()


def soak(node: Node, folder: Path, seed: int, seconds: float) -> Outcome:
    """Run one soak test on a node that is well; an error names seed and faults."""
    scene = Scene(node, folder, name=f"soak{seed}")
    soaking = Soak(scene, seed)
    try:
        with scene:
            soaking.run(seconds)
            outcome = scene.settle(f"{len(soaking.done)} faults at random")
    except BaseException as error:
        heal(node)
        if isinstance(error, Exception):
            raise AssertionError(f"seed {seed}, after {soaking.done}: {error}") from error
        raise
    assert not outcome.dropped, f"seed {seed}, after {soaking.done}: {outcome}"
    return outcome
