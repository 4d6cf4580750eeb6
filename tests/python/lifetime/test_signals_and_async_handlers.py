"""A signal that `deliver_on_signal` takes part in, while calls await asynchronous handlers."""

from __future__ import annotations

import asyncio
import threading

import pytest
from support import DEADLINE_S, AsyncCollectingHandler, make_profiler, output_of

PROGRAM = """
import asyncio, os, signal, sys
import phanos
from phanos.publisher import AsyncBaseHandler

way = sys.argv[1]
taken = []
entered = asyncio.Event()
stop = asyncio.Event()


class Handler(AsyncBaseHandler):
    @classmethod
    async def create(cls, name):
        return cls(name)

    async def handle(self, records, profiler_name="profiler"):
        entered.set()
        await stop.wait()
        taken.extend(records)


@phanos.profile
async def request():
    return 1


async def main():
    loop = asyncio.get_running_loop()
    if way == "signal":
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(stop.set))
    elif way == "loop":
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    else:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    phanos.deliver_on_signal()
    phanos.profiler.async_config(job="TEST")
    phanos.profiler.add_handler(await Handler.create("async"))
    calls = [asyncio.create_task(request()) for _ in range(5)]
    await entered.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    if way == "ignored":
        stop.set()
    print(await asyncio.wait_for(asyncio.gather(*calls), 10), len(taken))


asyncio.run(main())
"""


@pytest.mark.parametrize("way", ["signal", "loop", "ignored"])
def test_where_the_program_goes_on_its_calls_end_and_no_record_is_lost(way: str) -> None:
    assert output_of(PROGRAM, way) == "[1, 1, 1, 1, 1] 5\n"


def test_calls_whose_batches_are_given_up_go_on() -> None:
    async def main() -> None:
        entered, released = asyncio.Event(), asyncio.Event()

        async def wait(records, name):
            entered.set()
            await released.wait()

        handler = AsyncCollectingHandler(on_handle=wait)
        profiler = make_profiler(handler)

        @profiler.profile
        async def request() -> int:
            return 1

        calls = [asyncio.create_task(request()) for _ in range(3)]
        await asyncio.wait_for(entered.wait(), DEADLINE_S)
        # At the end of a process: in another thread than that of the loop.
        ending = threading.Thread(target=profiler._abandon_dispatches)
        ending.start()
        assert await asyncio.wait_for(asyncio.gather(*calls), DEADLINE_S) == [1, 1, 1]
        ending.join(DEADLINE_S)
        released.set()

    asyncio.run(main())
