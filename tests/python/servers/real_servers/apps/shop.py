"""
What is profiled. Runs under 0.3.2 as well, hence only calls that both know.

Every call records at its place which request it belongs to, so that none can be mistaken.
"""

from __future__ import annotations

import os
import time
from typing import Any

import phanos
from phanos.metrics import Counter
from phanos.publisher import ImpProfHandler, StreamHandler

JOB = "SERVERS"

served = Counter("served", JOB, "requests", labels={"request"})


def configure() -> None:
    """Deliver to the broker, and to a file if there is one."""
    phanos.profiler.config(job=JOB)
    phanos.profiler.add_metric(served)
    broker = ImpProfHandler("rabbitmq", port=int(os.environ["BROKER_PORT"]))
    phanos.profiler.add_handler(broker)
    lines = os.environ.get("LINES")
    if lines:
        phanos.profiler.add_handler(StreamHandler("lines", open(lines, "a")))  # noqa: SIM115


def note(request: str) -> None:
    """Record which request this is, at the current place in the call tree."""
    node = phanos.profiler.curr_node.get()
    served.inc(1.0, current_node=node, label_values={"request": request})


@phanos.profile
def view(request: str) -> dict[str, Any]:
    load(request)
    store()
    return {"request": request, "pid": os.getpid()}


@phanos.profile
def slow(request: str, seconds: float) -> dict[str, Any]:
    """Takes longer than servers like."""
    note(request)
    time.sleep(seconds)
    return {"request": request, "pid": os.getpid()}


@phanos.profile
def load(request: str) -> None:
    # Other requests come in between.
    time.sleep(0.002)
    query(request)


@phanos.profile
def query(request: str) -> None:
    note(request)
    time.sleep(0.001)


@phanos.profile
def store() -> None:
    time.sleep(0)


def tell(request: str) -> None:
    """Note that a request is done, where no HTTP answer tells it."""
    line = f"{request} {os.getpid()} {time.monotonic()}\n"
    file = os.open(os.environ["ANSWERS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
