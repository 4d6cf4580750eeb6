"""Several collectors: a second one that takes over, and cells that share the messages out."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collecting import Collector, wait_until
from phanos.publisher import ImpProfHandler, Profiler

from tools.rabbitmq import Node

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(300)]
COUNT = "phanos_time_profiler_seconds_count"
PATIENCE_S = 60.0
CELLS = 2
MOST_WORKERS = 40
Start = Callable[..., Collector]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("broker")
    node = Node(folder)
    (folder / "enabled_plugins").write_text("[rabbitmq_consistent_hash_exchange].\n")
    with node:
        yield node


@pytest.fixture
def start(command: Path, tmp_path: Path) -> Iterator[Start]:
    """Start collectors, each with a folder and a state of its own."""
    started: list[Collector] = []

    def start(name: str, *options: str) -> Collector:
        folder = tmp_path / name
        folder.mkdir()
        running = Collector(command, folder, "--state", str(folder / "state"), *options)
        started.append(running)
        running.start()
        running.wait_for("phanos_collector_broker_up", 1)
        return running

    yield start
    for one in started:
        one.close()


class Worker:
    """A profiler of its own, with an exchange of the test."""

    def __init__(self, port: int, exchange: str) -> None:
        self.profiler = Profiler()
        self.profiler.config(job="JOB")
        self._handler = ImpProfHandler("rabbit", port=port, exchange_name=exchange)
        self.profiler.add_handler(self._handler)
        self.calls = 0

        @self.profiler.profile
        def root() -> None:
            pass

        self._root = root

    def record(self, count: int) -> None:
        for _ in range(count):
            self._root()
        self.calls += count

    def flush(self) -> None:
        wait_until(lambda: self.profiler.flush(PATIENCE_S), "not delivered")

    def close(self) -> None:
        self._handler.close()


def counted(collectors: list[Collector]) -> int:
    return int(sum(collector.value(COUNT) for collector in collectors))


def wait_for_calls(collectors: list[Collector], expected: int) -> None:
    """Wait until as many calls are counted by all together, and no more."""
    wait_until(
        lambda: counted(collectors) >= expected,
        lambda: f"{[collector.value(COUNT) for collector in collectors]} of {expected}",
    )
    assert counted(collectors) == expected


def broker(node: Node) -> tuple[str, str]:
    return "--amqp-url", f"amqp://guest:guest@127.0.0.1:{node.port}/%2f"


def test_one_counts_and_the_other_takes_over(node: Node, start: Start) -> None:
    options = (*broker(node), "--exchange", "pair", "--queue", "pair")
    pair = [start(name, *options) for name in ("first", "second")]
    first, second = pair
    worker = Worker(node.port, "pair")
    worker.record(3000)
    worker.flush()
    wait_for_calls(pair, 3000)
    assert (first.value(COUNT), second.value(COUNT)) == (3000, 0)
    # One that is told to end acknowledges first what it has counted, also under load.
    worker.record(3000)
    first.signal(signal.SIGTERM)
    worker.record(3000)
    assert first.ended() == 0
    worker.flush()
    first.start()
    wait_for_calls(pair, 9000)
    taken_over = second.value(COUNT)
    assert taken_over > 0
    # The other one is active now, and stays it. Killed, it loses nothing.
    worker.record(1000)
    worker.flush()
    wait_for_calls(pair, 10_000)
    assert second.value(COUNT) == taken_over + 1000
    second.kill()
    worker.record(1000)
    worker.flush()
    second.start()
    wait_until(lambda: counted(pair) >= 11_000, lambda: str(counted(pair)))
    worker.close()


def test_cells_share_the_workers_out(node: Node, start: Start) -> None:
    options = (*broker(node), "--exchange", "shared", "--cells", "shared-cells")
    cells = [
        start(f"cell-{number}", *options, "--queue", f"cell-{number}") for number in range(CELLS)
    ]
    workers: list[Worker] = []
    # Which cell a worker belongs to is chance; each must have some at last.
    while not all(cell.value(COUNT) for cell in cells) or len(workers) < 4:
        assert len(workers) < MOST_WORKERS
        before = [cell.value(COUNT) for cell in cells]
        workers.append(Worker(node.port, "shared"))
        for _ in range(3):
            workers[-1].record(200)
            workers[-1].flush()
        wait_for_calls(cells, sum(worker.calls for worker in workers))
        # All messages of one worker are in one cell: a message that comes again is known there.
        added = [cell.value(COUNT) - count for cell, count in zip(cells, before, strict=True)]
        assert sorted(added) == [0, 600]
    # The broker has forgotten the exchange of the senders, and with it the way to the cells.
    node.restart()
    for worker in workers:
        worker.record(200)
    for worker in workers:
        worker.flush()
    wait_for_calls(cells, sum(worker.calls for worker in workers))
    for worker in workers:
        worker.close()
