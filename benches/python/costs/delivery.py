"""
What delivery to RabbitMQ costs, beside phanos 0.3.2.

Two interpreters of the same version, one with this package and one with 0.3.2, are connected
to the same private node and measure in turn, with the node up and with the node killed; then
each sends as many records as it can.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from costs.participants import NEW, OLD, Installed
from costs.rounds import environment
from tools.rabbitmq import Installation, Node

KINDS = {"sync": "ImpProfHandler", "async": "AsyncImpProfHandler"}
BATCHES = {"small": 1, "large": 100}
"""Records that a root hands over at once, in each case of sending as many as possible."""
WAITING = 2_000_000
"""Records that wait: so many that what the process had free before does not count."""
REPEATS = 3
"""Measurements of one case in one round; a broker that is down keeps 0.3.2 for too long."""
TIMEOUT_S = 300


class Scale(NamedTuple):
    """How much is measured."""

    rounds: int
    calls: int
    old_calls: int
    failing_calls: int
    records: int
    old_records: int


class Side:
    """One interpreter that measures when it is told to."""

    def __init__(self, python: str, kind: str, port: int) -> None:
        self.process = subprocess.Popen(
            [python, "-m", "costs.measured.delivery", kind, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended with {self.process.wait(TIMEOUT_S)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, case: str, count: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{case} {count}\n")
        self.process.stdin.flush()
        return self.answer()


@contextmanager
def side(python: str, kind: str, port: int) -> Generator[Side, None, None]:
    measuring = Side(python, kind, port)
    try:
        yield measuring
    finally:
        measuring.process.kill()
        measuring.process.communicate(timeout=TIMEOUT_S)


class Interpreters(NamedTuple):
    """The two that take turns."""

    ours: str
    oracle: str

    def bind_queue(self, node: Node) -> None:
        command = [self.oracle, "-m", "costs.measured.bound_queue", str(node.port)]
        subprocess.run(command, check=True, timeout=TIMEOUT_S, env=environment())


def interpreters(there: Sequence[Installed]) -> Interpreters | None:
    """Both of them, or None if one is missing."""
    pythons = {one.participant: one.python for one in there}
    if NEW not in pythons or OLD not in pythons:
        return None
    return Interpreters(pythons[NEW], pythons[OLD])


def call_costs(node: Node, both: Interpreters, kind: str, scale: Scale) -> dict[str, Any]:
    """Nanoseconds per root call above the bare call, with the node up and without one."""
    found: dict[str, Any] = {key: {"up": [], "down": []} for key in (OLD.key, NEW.key)}
    for _ in range(scale.rounds):
        if not node.running:
            node.start()
        both.bind_queue(node)
        with (
            side(both.oracle, kind, node.port) as old,
            side(both.ours, kind, node.port) as new,
        ):
            for _ in range(REPEATS):
                found[OLD.key]["up"].append(old.ask("up", scale.old_calls)["ns"])
                found[NEW.key]["up"].append(new.ask("up", scale.calls)["ns"])
            node.kill()
            found[OLD.key]["down"].append(old.ask("isolated", scale.failing_calls)["ns"])
            for _ in range(REPEATS):
                found[NEW.key]["down"].append(new.ask("down", scale.calls)["ns"])
    return found


def sustained(node: Node, both: Interpreters, case: str, scale: Scale) -> dict[str, Any]:
    """What each side says about sending as many records as it can, round by round."""
    found: dict[str, Any] = {OLD.key: [], NEW.key: []}
    for _ in range(scale.rounds):
        with side(both.oracle, "sync", node.port) as measuring:
            found[OLD.key].append(measuring.ask(case, scale.old_records))
        with side(both.ours, "sync", node.port) as measuring:
            found[NEW.key].append(measuring.ask(case, scale.records))
    return found


def waiting_record_bytes(node: Node, both: Interpreters) -> float:
    """Memory of a record that the broker does not get; leaves the node killed."""
    with side(both.ours, "sync", node.port) as measuring:
        node.kill()
        grown: int = measuring.ask("memory", WAITING)["bytes"]
    return grown / WAITING


def measured(both: Interpreters, scale: Scale, tell: Callable[[str], None]) -> dict[str, Any]:
    """All of it, on a node of its own."""
    with Node() as node:
        calls = {}
        for kind, handler in KINDS.items():
            tell(f"delivery: root calls, {handler}")
            calls[kind] = call_costs(node, both, kind, scale)
        if not node.running:
            node.start()
        both.bind_queue(node)
        tell("delivery: as many records as possible")
        return {
            "broker": Installation.find().home.name,
            "calls": calls,
            "sustained": {case: sustained(node, both, case, scale) for case in BATCHES},
            "waiting_record_bytes": waiting_record_bytes(node, both),
        }
