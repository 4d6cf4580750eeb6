"""What the ASGI servers serve. Runs under 0.3.2 as well, hence only calls that both know."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import phanos
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from phanos.metrics import Counter
from phanos.publisher import StreamHandler

JOB = "SERVERS"

served = Counter("served_async", JOB, "requests", labels={"request"})


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Deliver to the broker, and to a file if there is one, from within the event loop."""
    handlers = {
        "rabbitmq": {
            "class": "phanos.publisher.AsyncImpProfHandler",
            "handler_name": "rabbitmq",
            "port": int(os.environ["BROKER_PORT"]),
        }
    }
    await phanos.profiler.async_dict_config(
        {"job": JOB, "time_profile": True, "handlers": handlers}
    )
    phanos.profiler.add_metric(served)
    lines = os.environ.get("LINES")
    if lines:
        phanos.profiler.add_handler(StreamHandler("lines", open(lines, "a")))  # noqa: SIM115
    yield


app = FastAPI(lifespan=lifespan)


def note(request: str) -> None:
    """Record which request this is, at the current place in the call tree."""
    node = phanos.profiler.curr_node.get()
    served.inc(1.0, current_node=node, label_values={"request": request})


@app.get("/view/{request}")
@phanos.profile
async def view(request: str) -> dict[str, Any]:
    await load(request)
    await store()
    return {"request": request, "pid": os.getpid()}


@app.get("/stream/{request}")
@phanos.profile
async def stream(request: str) -> StreamingResponse:
    return StreamingResponse(produce(request), media_type="text/plain")


@phanos.profile
async def produce(request: str) -> AsyncIterator[bytes]:
    """Never ends by itself: the client goes away."""
    note(request)
    while True:
        yield request.encode() + b"\n"
        await asyncio.sleep(0.005)


@phanos.profile
async def load(request: str) -> None:
    # Other requests come in between.
    await asyncio.sleep(0.002)
    await query(request)


@phanos.profile
async def query(request: str) -> None:
    note(request)
    await asyncio.sleep(0.001)


@phanos.profile
async def store() -> None:
    await asyncio.sleep(0)
