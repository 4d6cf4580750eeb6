"""A handler as a user would write one: adds the records up and draws the call tree."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from phanos.publisher import TIME_PROFILER, SyncBaseHandler
from phanos.types import Record


@dataclass
class Branch:
    """One path of the tree: how often it was called, and for how long altogether."""

    calls: int = 0
    failed: int = 0
    total_ms: float = 0.0
    children: dict[str, Branch] = field(default_factory=dict)


class CallTreeHandler(SyncBaseHandler):
    """
    Counts and adds up the time of every path.

    A server hands records over from many threads, hence the lock.
    """

    def __init__(self, handler_name: str) -> None:
        super().__init__(handler_name)
        self.lock = threading.Lock()
        self.root = Branch()

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Put each time record where its path belongs, e.g. `shop:show_order.load_order`."""
        if profiler_name != TIME_PROFILER:
            return
        with self.lock:
            for record in records:
                owner, _, calls = record["method"].partition(":")
                branch = self.root
                for name in (owner, *calls.split(".")):
                    branch = branch.children.setdefault(name, Branch())
                branch.calls += 1
                branch.failed += record["labels"]["error_raised"]
                branch.total_ms += record["value"][1]

    def draw(self) -> Iterator[str]:
        """Yield the tree line by line under a heading."""
        yield f"{'path':<38}{'calls':>7}{'failed':>8}{'total ms':>11}{'mean ms':>10}"
        with self.lock:
            for owner, branch in self.root.children.items():
                yield owner
                yield from draw_children(branch, "")


def draw_children(branch: Branch, indent: str) -> Iterator[str]:
    """Yield a line for every branch below this one; a branch never recorded has only a name."""
    for position, (name, child) in enumerate(branch.children.items(), start=1):
        last = position == len(branch.children)
        label = f"{indent}{'└─' if last else '├─'} {name}"
        mean_ms = child.total_ms / max(child.calls, 1)
        yield (
            f"{label:<38}{child.calls:>7}{child.failed or '':>8}"
            f"{child.total_ms:>11.2f}{mean_ms:>10.2f}"
        )
        yield from draw_children(child, indent + ("   " if last else "│  "))
