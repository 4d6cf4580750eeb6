"""`PrometheusHandler`: who serves is killed at random, under load; no count is lost or doubled."""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from collecting import free_port, wait_until
from counting import Place, Recorder
from duration import TIMEOUT_S, choices, until_time_is_up
from expected import Recorded, difference

RECORDING = 3
IDLE = 2


class Crowd:
    """Processes of one port: some record all the time, some only serve if it comes to that."""

    def __init__(self, place: Place, chance: random.Random) -> None:
        self.recorded = Recorded()
        self.kills: Counter[str] = Counter()
        self._place = place
        self._chance = chance
        self._recording: dict[int, Recorder] = {}
        self._idle: dict[int, Recorder] = {}
        # Deltas of a gauge are summed up over all processes, dead ones among them.
        metrics = {"level": {"gauge_policy": "sum"}}
        self._arguments = {**place.arguments, "kinds": True, "metrics": metrics}

    def fill(self) -> None:
        """Put new processes in the place of those that were killed."""
        while len(self._idle) < IDLE:
            process = Recorder(**self._arguments)
            self._idle[process.pid] = process
        while len(self._recording) < RECORDING:
            process = Recorder(**self._arguments)
            process.ask("load")
            self._recording[process.pid] = process

    def kill(self, pid: int) -> None:
        """Kill a process; one that records says before what it did, and has it confirmed."""
        process = self._idle.pop(pid, None)
        role = "only served"
        if process is None:
            process = self._recording.pop(pid)
            role = "recorded"
            self.recorded.add(process)
            assert process.ask("flush"), process.ask("stats")
        self.kills[role] += 1
        process.close()

    def any(self) -> int:
        return self._chance.choice([*self._idle, *self._recording])

    def stop(self) -> None:
        """Have all stop recording, and everything confirmed."""
        for process in self._recording.values():
            self.recorded.add(process)
        for process in self._recording.values():
            assert process.ask("flush"), process.ask("stats")

    def close(self) -> None:
        for process in (*self._idle.values(), *self._recording.values()):
            process.close()


@pytest.fixture
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="phanos-test-"))
    yield Place(free_port(), folder / "run")
    shutil.rmtree(folder)


@pytest.mark.timeout(TIMEOUT_S)
def test_killed_leaders_cost_no_count(place: Place) -> None:
    chance = choices()
    crowd = Crowd(place, chance)
    pause = threading.Event()
    try:
        crowd.fill()
        for _ in until_time_is_up():
            # Somewhere between two commits of the store, which come once a second; now and then
            # before the new leader has its first.
            pause.wait(chance.random() * chance.choice((0.1, 1.5)))
            leader = place.wait_for_leader()
            crowd.kill(leader)
            if chance.random() < 0.3:
                crowd.kill(crowd.any())
            place.wait_for_leader(but=leader)
            crowd.fill()
        crowd.stop()
        place.wait_until_served()
        print(dict(crowd.kills), "killed;", crowd.recorded.calls.total(), "calls")
        wait_until(
            lambda: not difference(crowd.recorded, place.samples),
            lambda: difference(crowd.recorded, place.samples),
        )
    finally:
        crowd.close()
