"""What `import phanos` loads: programs without an event loop do not pay for asyncio."""

from __future__ import annotations

import pytest
from support import run_python

HEAVY = ("asyncio", "concurrent", "dataclasses", "multiprocessing", "socket", "ssl", "subprocess")
"""Modules that a program can do without; asyncio alone brings most of the others."""

LOADED = f"""
import sys

def loaded():
    return sorted(sys.modules.keys() & {set(HEAVY)!r})
"""

# The interpreter may load some of them by itself, with a `.pth` file of the environment for one;
# from 3.14 on `logging` brings `dataclasses`.
IMPORTED = f"""
{LOADED}
import logging
before = loaded()
import phanos
assert loaded() == before, set(loaded()) - set(before)
"""

SYNCHRONOUS = f"""
{IMPORTED}
phanos.profiler.config(job="TEST")
phanos.profiler.add_handler(phanos.publisher.StreamHandler("stdout"))
phanos.profile(lambda: None)()
assert phanos.profiler.flush(timeout_s=1.0)
assert loaded() == before, set(loaded()) - set(before)
"""

# At the first call a request would wait for it.
ASYNCHRONOUS = f"""
{IMPORTED}
phanos.profiler.async_config(job="TEST")
assert "asyncio" in loaded()
"""

# It was not announced, and is served all the same.
PUT_IN_BY_HAND = f"""
{IMPORTED}
from support import AsyncCollectingHandler, make_profiler

profiler = make_profiler()
handler = profiler.handlers["late"] = AsyncCollectingHandler()
profiler.profile(len)("")
assert not profiler.flush(timeout_s=0.0)

import asyncio
assert asyncio.run(profiler.aflush())
assert len(handler.records) == 1, handler.records
"""


@pytest.mark.parametrize(
    ("program", "lines"),
    [(IMPORTED, 0), (SYNCHRONOUS, 1), (ASYNCHRONOUS, 0), (PUT_IN_BY_HAND, 0)],
    ids=["imported", "synchronous", "asynchronous", "put_in_by_hand"],
)
def test_modules_that_are_loaded(program: str, lines: int) -> None:
    done = run_python(program)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == lines
