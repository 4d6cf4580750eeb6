"""
A process that records into a spool, to be killed.

Run with the port, the directory and what to do besides: `fork` leaves a child behind, `small`
lets no file grow beyond `SMALL_BYTES`. For each record it prints its number and when it was
handed over (seconds of the monotonic clock); with `small`, in the end, what became of them.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

from phanos._arguments import connection
from phanos._handlers.rabbitmq import AsyncImpProfHandler
from sample_records import record

PAUSE_S = 0.002
FORK_AT = 100
SMALL_BYTES = 2_000_000
METRIC = "time_profiler"


def hand_over(handler: AsyncImpProfHandler, records: list[Any], metric: str = METRIC) -> None:
    """Put a batch down, which takes no event loop."""
    try:
        handler.handle(records, metric).send(None)
    except StopIteration:
        return
    raise AssertionError("handing over waited for something")


def record_until_killed(handler: AsyncImpProfHandler, fork: bool) -> None:
    number = 0
    while True:
        number += 1
        hand_over(handler, [record(number)])
        print(number, time.monotonic(), flush=True)
        if fork and number == FORK_AT and os.fork() == 0:
            sys.stdin.read()
            os._exit(0)
        time.sleep(PAUSE_S)


def record_on_a_small_disk(handler: AsyncImpProfHandler) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_BYTES, SMALL_BYTES))
    number = 0
    while handler.stats()["last_error"] is None or "spool" not in handler.stats()["last_error"]:
        hand_over(handler, [record(number := number + 1) for _ in range(100)])
        time.sleep(PAUSE_S)
    told = handler.stats()["last_error"]
    for _ in range(10):
        hand_over(handler, [record(number := number + 1) for _ in range(100)])
    print(number, time.monotonic(), flush=True)
    sys.stdin.read(1)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        stats = handler.stats()
        if stats["confirmed"] + sum(stats["dropped"].values()) >= number:
            break
        time.sleep(PAUSE_S)
    print(json.dumps({"told": told, **handler.stats()}), flush=True)


def main(port: int, directory: str, what: str) -> None:
    connection.SPOOL_ADOPT_S = 0.1
    # Made directly it does not connect: the broker may be down.
    handler = AsyncImpProfHandler("spooling", port=port, spool_directory=directory)
    if what == "small":
        record_on_a_small_disk(handler)
    else:
        record_until_killed(handler, what == "fork")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
