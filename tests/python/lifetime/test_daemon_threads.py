"""Daemon threads inside profiled calls when the interpreter ends, and deliveries that depend
on each other."""

from __future__ import annotations

import asyncio
import sys

import pytest
from support import AsyncCollectingHandler, make_profiler, output_of

DAEMON = """
import sys, threading
import phanos

if sys.argv[1] == "recorded":
    phanos.profiler.config(job="TEST")
    phanos.profiler.add_handler(phanos.publisher.StreamHandler("stdout"))
inside = threading.Event()

@phanos.profile
def worker():
    inside.set()
    while True:
        threading.Event().wait(0.001)

threading.Thread(target=worker, daemon=True).start()
assert inside.wait(10)
"""


@pytest.mark.parametrize("mode", ["idle", "recorded"])
def test_a_daemon_thread_inside_a_profiled_call_does_not_disturb_the_end(mode: str) -> None:
    for _ in range(3):
        output_of(DAEMON, mode)


def test_a_handler_that_awaits_a_profiled_function_does_not_wait_for_itself() -> None:
    async def main() -> None:
        async def handle(records, name):
            if records[0]["method"].endswith(":root"):
                await helper()

        handler = AsyncCollectingHandler(on_handle=handle)
        profiler = make_profiler(handler)

        @profiler.profile
        async def helper():
            await asyncio.sleep(0)

        @profiler.profile
        async def root():
            return 1

        @profiler.profile
        def sync_root():
            return 2

        assert await asyncio.wait_for(root(), 10) == 1
        assert sync_root() == 2
        assert await asyncio.wait_for(root(), 10) == 1
        assert await profiler.aflush()
        paths = [record["method"].rpartition(":")[2] for record in handler.records]
        assert paths.count("root") == 2
        assert paths.count("sync_root") == 1
        assert sum(path.endswith("helper") for path in paths) == 2

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_eager_tasks_deliver() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        handler = AsyncCollectingHandler()
        profiler = make_profiler(handler)

        @profiler.profile
        async def root():
            return 1

        for _ in range(3):
            assert await asyncio.wait_for(root(), 10) == 1
        assert len(handler.records) == 3

    asyncio.run(main())
