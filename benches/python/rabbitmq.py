"""
What delivery to RabbitMQ costs, beside phanos 0.3.2, in one run.

Two interpreters of the same version, one with this package and one with 0.3.2, are connected
to the same private node and measure in turn, with the node up and with the node killed; then
each sends as many records as it can. Run by `make bench`.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from machine import processor

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tools.rabbitmq import Installation, Node  # noqa: E402

REPEATS = 3
"""Measurements of one case in one round; a broker that is down keeps 0.3.2 for too long."""
TIMEOUT_S = 300


class Scale(NamedTuple):
    """How much is measured; `--quick` is for trying the benchmark out."""

    rounds: int
    calls: int
    old_calls: int
    failing_calls: int
    records: int
    old_records: int


FULL = Scale(5, 100_000, 2_000, 2, 2_000_000, 100_000)
QUICK = Scale(1, 100_000, 500, 1, 500_000, 20_000)


class Side:
    """One interpreter that measures when it is told to."""

    def __init__(self, python: str, kind: str, port: int) -> None:
        self.process = subprocess.Popen(
            [python, str(HERE / "delivery_cases.py"), kind, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended with {self.process.wait(TIMEOUT_S)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, case: str, count: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{case} {count}\n")
        self.process.stdin.flush()
        return self.answer()


@contextmanager
def side(python: str, kind: str, port: int) -> Iterator[Side]:
    measuring = Side(python, kind, port)
    try:
        yield measuring
    finally:
        measuring.process.kill()
        measuring.process.communicate(timeout=TIMEOUT_S)


class Interpreters(NamedTuple):
    ours: str
    oracle: str

    def bind_queue(self, node: Node) -> None:
        command = [self.oracle, str(HERE / "bound_queue.py"), str(node.port)]
        subprocess.run(command, check=True, timeout=TIMEOUT_S)


class Costs(NamedTuple):
    """Nanoseconds per root call of one kind of handler."""

    up_old: float
    up_new: float
    down_old: float
    down_new: float


def costs(node: Node, interpreters: Interpreters, kind: str, scale: Scale) -> Costs:
    """Measure both sides in turn, with the node up and without one."""
    found = []
    for _ in range(scale.rounds):
        if not node.running:
            node.start()
        interpreters.bind_queue(node)
        with (
            side(interpreters.oracle, kind, node.port) as old,
            side(interpreters.ours, kind, node.port) as new,
        ):
            up = [
                (old.ask("up", scale.old_calls)["ns"], new.ask("up", scale.calls)["ns"])
                for _ in range(REPEATS)
            ]
            node.kill()
            down = (
                old.ask("isolated", scale.failing_calls)["ns"],
                min(new.ask("down", scale.calls)["ns"] for _ in range(REPEATS)),
            )
        found.append((*map(min, zip(*up, strict=True)), *down))
    return Costs(*map(min, zip(*found, strict=True)))


def print_costs(node: Node, interpreters: Interpreters, scale: Scale) -> None:
    print("Microseconds per root call, above the bare call.\n")
    print("| case | phanos 0.3.2 | phanos 0.4.0 | ratio |")
    print("|---|---|---|---|")
    for kind, handler in (("sync", "ImpProfHandler"), ("async", "AsyncImpProfHandler")):
        cost = costs(node, interpreters, kind, scale)
        for state, old, new in (
            ("broker up", cost.up_old, cost.up_new),
            ("broker down", cost.down_old, cost.down_new),
        ):
            print(
                f"| {handler}, {state} | {old / 1e3:,.1f} | {new / 1e3:.2f} | 1/{old / new:,.0f} |"
            )


def print_throughput(node: Node, interpreters: Interpreters, scale: Scale) -> None:
    print("\nRecords to the queue; ours until the broker has confirmed, 0.3.2 until it has sent.")
    print("Processor: cores in use by the calling thread, by delivery, by everything else.\n")
    print("| case | records/s | records/message | caller | delivery | broker and others |")
    print("|---|---|---|---|---|---|")
    sides = (
        ("0.3.2", interpreters.oracle, scale.old_records),
        ("0.4.0", interpreters.ours, scale.records),
    )
    for case, batch in (("small", 1), ("large", 100)):
        for version, python, records in sides:
            best: dict[str, Any] = {}
            for _ in range(scale.rounds):
                with side(python, "sync", node.port) as measuring:
                    found = measuring.ask(case, records)
                if not best or found["elapsed_s"] < best["elapsed_s"]:
                    best = found
            elapsed = best["elapsed_s"]
            messages = best["messages"] or records // batch
            used = (best[name] / elapsed for name in ("caller_s", "delivery_s", "others_s"))
            print(
                f"| {version}, batches of {batch} | {records / elapsed:,.0f} "
                f"| {records / messages:,.0f} | {' | '.join(f'{cores:.2f}' for cores in used)} |"
            )


def print_memory(node: Node, interpreters: Interpreters, scale: Scale) -> None:
    with side(interpreters.ours, "sync", node.port) as measuring:
        node.kill()
        grown = measuring.ask("memory", scale.records)["bytes"]
    print(f"\nBroker down: {grown / scale.records:.1f} bytes of memory per record that waits.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", default=sys.executable, help="interpreter with this package")
    parser.add_argument("--oracle", required=True, help="interpreter with phanos 0.3.2")
    parser.add_argument("--quick", action="store_true", help="one round of everything")
    arguments = parser.parse_args()
    interpreters = Interpreters(arguments.ours, arguments.oracle)
    scale = QUICK if arguments.quick else FULL

    with Node() as node:
        print(
            f"{processor()}; CPython {platform.python_version()}; {Installation.find().home.name}"
        )
        print("on the same machine, with a queue that keeps one message and drops the others; best")
        print(f"of {scale.rounds} rounds in which the two packages take turns.\n")
        print_costs(node, interpreters, scale)
        if not node.running:
            node.start()
        interpreters.bind_queue(node)
        print_throughput(node, interpreters, scale)
        print_memory(node, interpreters, scale)


if __name__ == "__main__":
    main()
