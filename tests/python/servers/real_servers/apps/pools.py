"""The shop in threads and event loops of one process, at work until SIGTERM."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asgi
import phanos
import shop

WORKERS = 8
stopping = threading.Event()


@phanos.profile
async def view(request: str) -> dict[str, Any]:
    """The root is in the loop's thread, what it calls in others."""
    await asyncio.to_thread(shop.load, request)
    await asyncio.to_thread(shop.store)
    return {"request": request, "pid": os.getpid()}


def in_turn(worker: int) -> None:
    """Serve one request after the other."""
    for number in itertools.count():
        if stopping.is_set():
            return
        request = f"{worker}-{number}"
        shop.view(request)
        shop.tell(request)


async def side_by_side(name: str, serve: Callable[[str], Awaitable[Any]]) -> None:
    """Serve several requests at the same time, in tasks of one loop."""

    async def work(worker: int) -> None:
        for number in itertools.count():
            if stopping.is_set():
                return
            request = f"{name}-{worker}-{number}"
            await serve(request)
            shop.tell(request)

    await asyncio.gather(*(work(worker) for worker in range(WORKERS)))


def threads() -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(in_turn, range(WORKERS)))


def to_thread() -> None:
    asyncio.run(side_by_side("loop", view))


def loops() -> None:
    """Several event loops, each in a thread of its own."""
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: asyncio.run(side_by_side(name, asgi.view)), "abc"))


def uvloop() -> None:
    import uvloop

    uvloop.run(side_by_side("uvloop", asgi.view))


def main(how: Callable[[], None]) -> None:
    """Work until SIGTERM, then end as programs do."""
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    shop.configure()
    phanos.profiler.add_metric(asgi.served)
    worker = threading.Thread(target=how)
    worker.start()
    # A signal is heard by the main thread, between two waits.
    while worker.is_alive():
        worker.join(0.05)
