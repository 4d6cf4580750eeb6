"""A scenario: what breaks, with which handler, and what may be lost by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.outcome import Outcome
from faults.scene import Scene
from tools.rabbitmq import Node


@dataclass(frozen=True)
class Scenario:
    """
    One fault.

    Attributes:
        fault: in a few words, for the table.
        play: breaks something while the worker records, and mends it.
        handler: arguments of the handlers, beside those of `scene.QUICK`.
        queue: properties of the consumer's queue; by default it is a quorum queue.
        consumer: whether a consumer is there from the beginning.
        drops: the reason for which records may be given up; without one, none may.
        before: what happens before the worker begins.
        spool: whether the handlers have a spool.
        lacks: says what this machine lacks for it, if anything.
    """

    fault: str
    play: Callable[[Scene], Outcome | None]
    handler: dict[str, Any] = field(default_factory=dict)
    queue: dict[str, Any] | None = None
    consumer: bool = True
    drops: str | None = None
    before: Callable[[Scene], None] | None = None
    spool: bool = False
    lacks: Callable[[], str | None] = lambda: None

    @property
    def name(self) -> str:
        """Names tests, exchanges and files."""
        return self.play.__name__

    def run(self, node: Node, folder: Path, patience: float = 1.0) -> Outcome:
        """Play it on a node that is well, which it is afterwards; check what came of it."""
        scene = Scene(
            node,
            folder,
            name=self.name,
            handler=self.handler,
            queue=self.queue,
            consumer=self.consumer,
            before=self.before,
            spool=self.spool,
            patience=patience,
        )
        try:
            with scene:
                outcome = self.play(scene) or scene.settle(self.fault)
        except BaseException:
            heal(node)
            raise
        allowed = {self.drops} if self.drops else set[str]()
        assert outcome.dropped.keys() == allowed, f"dropped {outcome.dropped}, not for {allowed}"
        return outcome


def heal(node: Node) -> None:
    """Make a node well again that a scenario left as it was when it failed."""
    if node.running:
        node.resume()
        node.memory_alarm(False)
    else:
        node.start()


SCENARIOS: list[Scenario] = []
"""All of them, in the order of the table."""


def scenario(
    fault: str, **options: Any
) -> Callable[[Callable[[Scene], Outcome | None]], Callable[[Scene], Outcome | None]]:
    """Make a function a scenario; options are the attributes of one."""

    def add(play: Callable[[Scene], Outcome | None]) -> Callable[[Scene], Outcome | None]:
        SCENARIOS.append(Scenario(fault, play, **options))
        return play

    return add
