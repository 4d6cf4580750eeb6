"""
The measurements of `costs.delivery`, under whichever phanos this interpreter has:

    python -m costs.measured.delivery KIND PORT

`KIND` is `sync` (ImpProfHandler) or `async` (AsyncImpProfHandler). Connects, then answers each
line of the input with one line of JSON:

    up N         N root calls: nanoseconds per call, above the bare call; then waits for the broker
    down N       the same without waiting
    isolated N   the same, each call in a context of its own: where it raises, 0.3.2 leaves its
                 node current, and what follows is no root any more
    small N      N records by N root calls, until confirmed
    large N      the same in batches of `RECORDS_LEN_LIMIT`; N is a multiple of `NESTED`
    memory N     N records that the broker does not get: growth of the process in bytes
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from phanos.publisher import AsyncImpProfHandler, ImpProfHandler, Profiler

from costs.measured.bare import async_body, async_call, body, call
from costs.measured.memory import resident_bytes

FLUSH_S = 120.0
NESTED = 10_000
"""Records per root of `large`; the profiler hands over whenever its limit is reached."""
PROCESSOR_FILE = Path("/proc/stat")

Answer = dict[str, Any]


def machine_busy_s() -> float:
    """Processor time of everything that runs here, in seconds."""
    user, nice, system, _idle, _waiting, *interrupts = map(
        int, PROCESSOR_FILE.read_text().split(maxsplit=8)[1:8]
    )
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def per_call_ns(run: Callable[[], None], calls: int) -> float:
    start = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - start) / calls


def isolated_loop(function: Callable[[int], Any], calls: int) -> None:
    for context in [contextvars.copy_context() for _ in range(calls)]:
        try:
            context.run(function, 5)
        except Exception:
            # 0.3.2 without a broker.
            continue


async def async_isolated_loop(function: Callable[[int], Any], calls: int) -> None:
    for number in range(calls):
        await asyncio.gather(asyncio.create_task(function(number)), return_exceptions=True)


class Sync:
    """Measurements of the synchronous handler."""

    def __init__(self, port: int) -> None:
        profiler = Profiler()
        profiler.config(job="bench")
        self.handler = ImpProfHandler("rabbitmq", port=port)
        profiler.add_handler(self.handler)
        self.decorated = profiler.profile(body)
        assert self.decorated(5) == 5
        self.flush()

        @profiler.profile
        def root(_: int) -> None:
            call(self.decorated, NESTED - 1)

        self.root = root

    def flush(self) -> None:
        """Wait until the broker has everything; 0.3.2 has sent it by now, and asks no more."""
        if hasattr(self.handler, "flush"):
            assert self.handler.flush(FLUSH_S)

    def up(self, count: int) -> Answer:
        answer = self.down(count)
        self.flush()
        return answer

    def down(self, count: int) -> Answer:
        cost = per_call_ns(lambda: call(self.decorated, count), count)
        bare = per_call_ns(lambda: call(body, count), count)
        return {"ns": cost - bare}

    def isolated(self, count: int) -> Answer:
        return {"ns": per_call_ns(lambda: isolated_loop(self.decorated, count), count)}

    def small(self, count: int) -> Answer:
        return self.sustained(lambda: call(self.decorated, count), count)

    def large(self, count: int) -> Answer:
        return self.sustained(lambda: call(self.root, count // NESTED), count)

    def sustained(self, produce: Callable[[], None], count: int) -> Answer:
        before = self.stats()
        start, caller, process = time.perf_counter(), time.thread_time(), time.process_time()
        machine = machine_busy_s()
        produce()
        produced_s = time.perf_counter() - start
        caller_s = time.thread_time() - caller
        self.flush()
        elapsed_s = time.perf_counter() - start
        process_s = time.process_time() - process
        after = self.stats()
        if after:
            assert after["confirmed"] - before["confirmed"] == count, after
        return {
            "records": count,
            "messages": after["messages"] - before["messages"] if after else None,
            "elapsed_s": elapsed_s,
            "produced_s": produced_s,
            "caller_s": caller_s,
            "delivery_s": process_s - caller_s,
            "others_s": machine_busy_s() - machine - process_s,
        }

    def memory(self, count: int) -> Answer:
        gc.collect()
        before = resident_bytes()
        call(self.root, count // NESTED)
        grown = resident_bytes() - before
        assert self.stats()["queued"] >= count, self.stats()
        return {"bytes": grown}

    def stats(self) -> Answer:
        return dict(self.handler.stats()) if hasattr(self.handler, "stats") else {}


class Async:
    """Measurements of the asynchronous handler, all on one event loop."""

    def __init__(self, port: int) -> None:
        self.loop = asyncio.new_event_loop()
        profiler = Profiler()
        profiler.async_config(job="bench")
        self.handler = self.loop.run_until_complete(
            AsyncImpProfHandler.create("rabbitmq", port=port)
        )
        profiler.add_handler(self.handler)
        self.decorated = profiler.profile(async_body)
        assert self.loop.run_until_complete(self.decorated(5)) == 5

    def up(self, count: int) -> Answer:
        answer = self.down(count)
        if hasattr(self.handler, "flush"):
            assert self.loop.run_until_complete(self.handler.flush(FLUSH_S))
        return answer

    def down(self, count: int) -> Answer:
        cost = self.per_call_ns(async_call(self.decorated, count), count)
        bare = self.per_call_ns(async_call(async_body, count), count)
        return {"ns": cost - bare}

    def isolated(self, count: int) -> Answer:
        return {"ns": self.per_call_ns(async_isolated_loop(self.decorated, count), count)}

    def per_call_ns(self, run: Coroutine[Any, Any, None], calls: int) -> float:
        return per_call_ns(lambda: self.loop.run_until_complete(run), calls)


def main(kind: str, port: int) -> None:
    cases = {"sync": Sync, "async": Async}[kind](port)
    gc.disable()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        name, count = line.split()
        print(json.dumps(getattr(cases, name)(int(count))), flush=True)


if __name__ == "__main__":
    # 0.3.2 logs every failure; so do we, once a minute.
    logging.disable(logging.CRITICAL)
    main(sys.argv[1], int(sys.argv[2]))
