"""`phanos collect`: collector, connections and broker are killed at random, under load."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from collecting import Collector, built_command, wait_until
from counting import Recorder
from duration import TIMEOUT_S, choices, until_time_is_up
from expected import Recorded, difference
from proxy import Proxy

from tools.rabbitmq import Node

RECORDING = 3
SETTINGS = """
[[metric]]
name = "level"
gauge-policy = "sum"
"""
QUEUE = "phanos-collector"


class Chain:
    """Processes that record, a network, a broker, a network, a collector; each to be killed."""

    def __init__(self, folder: Path, chance: random.Random, stack: ExitStack) -> None:
        self.recorded = Recorded()
        self.kills: Counter[str] = Counter()
        self._chance = chance
        self._pause = threading.Event()
        self._node = stack.enter_context(Node(folder / "broker"))
        self._before = stack.enter_context(Proxy(self._node.port))
        self._behind = stack.enter_context(Proxy(self._node.port))
        settings = folder / "settings.toml"
        settings.write_text(SETTINGS)
        self.collector = Collector(
            built_command(),
            folder,
            *("--amqp-url", f"amqp://guest:guest@127.0.0.1:{self._behind.port}/%2f"),
            *("--state", str(folder / "state"), "--config", str(settings)),
        )
        stack.callback(self.collector.close)
        self.collector.start()
        self.collector.wait_for("phanos_collector_broker_up", 1)
        self._processes: list[Recorder] = []
        stack.callback(lambda: [process.close() for process in self._processes])
        self.fill()
        self._kinds: list[Callable[[], None]] = [
            *[self.kill_collector] * 4,
            *[self.cut_recorders] * 2,
            *[self.cut_collector] * 2,
            self.end_connections,
            self.kill_recorder,
            *[self.kill_broker] * 2,
        ]

    def fill(self) -> None:
        """Put new processes in the place of those that were killed."""
        # A broker that was restarted has no queue for the first records of a process before the
        # collector is back: without a spool they would be dropped (docs/reliability.md).
        self.collector.wait_for("phanos_collector_broker_up", 1)
        while len(self._processes) < RECORDING:
            process = Recorder(
                **{"class": "ImpProfHandler", "port": self._before.port, "kinds": True}
            )
            self._processes.append(process)
            process.ask("load")

    def kill(self) -> None:
        """Kill something, after some time under load; sometimes something else meanwhile."""
        self.wait(1.0)
        kind = self._chance.choice(self._kinds)
        self.kills[kind.__name__] += 1
        kind()

    def wait(self, longest_s: float) -> None:
        self._pause.wait(self._chance.uniform(0.0, longest_s))

    def kill_collector(self) -> None:
        self.collector.kill()
        if self._chance.random() < 0.5:
            self.wait(1.0)
        self.collector.start()

    def cut_recorders(self) -> None:
        self._before.cut(reset=self._chance.random() < 0.5)

    def cut_collector(self) -> None:
        self._behind.cut(reset=self._chance.random() < 0.5)

    def end_connections(self) -> None:
        """Have the broker end them, as an administrator would."""
        self._node.ctl("close_all_connections", "a test")

    def kill_recorder(self) -> None:
        """Kill a process that has everything confirmed, and put another one in its place."""
        process = self._processes.pop(self._chance.randrange(len(self._processes)))
        self.recorded.add(process)
        self._flush(process)
        process.close()
        self.fill()

    def kill_broker(self) -> None:
        self._node.kill()
        if self._chance.random() < 0.3:
            self.kill_collector()
        self._node.start()

    def stop(self) -> None:
        """Have all stop recording, and everything confirmed."""
        for process in self._processes:
            self.recorded.add(process)
        for process in self._processes:
            self._flush(process)

    def waiting(self) -> int:
        """Return how many messages the broker keeps for the collector."""
        rows = self._node.ctl("list_queues", "--quiet", "--no-table-headers", "name", "messages")
        return int(dict(row.split("\t") for row in rows.splitlines())[QUEUE])

    def state(self) -> str:
        """What became of what is not counted, in a few lines."""
        stats = [process.ask("stats") for process in self._processes]
        own = {
            name: value
            for (name, _), value in self.collector.samples().items()
            if name.startswith("phanos_collector_")
        }
        return f"{stats}\n{own}\n{self.waiting()} messages wait\n{self.collector.log()[-2000:]}"

    def _flush(self, process: Recorder) -> None:
        """Have everything confirmed, as soon as the broker and its queue are back."""
        wait_until(lambda: process.ask("flush"), lambda: process.ask("stats"))
        dropped = process.ask("stats")["dropped"]
        assert not any(dropped.values()), dropped


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.rabbitmq
@pytest.mark.timeout(TIMEOUT_S)
def test_kills_cost_no_count_and_double_none(stack: ExitStack, tmp_path: Path) -> None:
    chain = Chain(tmp_path, choices(), stack)
    for _ in until_time_is_up():
        chain.kill()
    chain.stop()
    print(dict(chain.kills), "killed;", chain.recorded.calls.total(), "calls")

    def difference_now() -> str:
        return difference(chain.recorded, chain.collector.samples)

    wait_until(lambda: not difference_now(), lambda: f"{difference_now()}\n{chain.state()}")
    # What comes late would be a message that comes twice.
    wait_until(lambda: not chain.waiting(), "the broker keeps messages")
    chain.collector.signal(signal.SIGTERM)
    assert chain.collector.ended() == 0
    chain.collector.start()
    assert not difference_now()
