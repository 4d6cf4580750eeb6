"""The current node as the native side and as the ContextVar know it."""

from __future__ import annotations

import pytest


class Comparison:
    """Asks both sides for the current node and notes the path they agree on."""

    def __init__(self) -> None:
        self.profiler = None
        self.paths: list[str] = []

    def __call__(self, *_):
        node = self.profiler.curr_node.get()
        assert self.profiler._core.current() is node
        self.paths.append(str(node.ctx))
        return str(node.ctx)


@pytest.fixture
def compare() -> Comparison:
    return Comparison()
