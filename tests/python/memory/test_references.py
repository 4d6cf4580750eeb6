"""
Repeated calls keep the number of references as it is, on a Python that counts all of them.

That is a debug build of CPython, which also checks what it is given: `make test-debug-python`.
"""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest

from .every_call import Everything

ROUNDS = 100
# What the interpreter itself keeps for later changes a little; a reference for each round is lost
# if more than this is.
ALLOWED = ROUNDS // 2

total_references = getattr(sys, "gettotalrefcount", None)
pytestmark = pytest.mark.skipif(total_references is None, reason="takes a debug build of CPython")


@pytest.mark.parametrize("step", Everything(0).steps)
def test_references_stay_the_same(step: str) -> None:
    everything = Everything(1)

    def repeat(rounds: int) -> int:
        for _ in range(rounds):
            everything.steps[step]()
        # What is collected ends, and hands over; what waits for a loop is held on purpose.
        gc.collect()
        asyncio.run(everything.profiler.aflush())
        gc.collect()
        return total_references()

    repeat(ROUNDS)
    before = repeat(ROUNDS)
    assert repeat(ROUNDS) - before < ALLOWED
