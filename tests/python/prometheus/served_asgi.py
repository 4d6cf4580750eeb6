"""The same as an ASGI application, whose view lets others come in between."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import phanos
from phanos.publisher import PrometheusHandler

phanos.profiler.config(job="JOB")
phanos.profiler.add_handler(
    PrometheusHandler("prometheus", **json.loads(os.environ["HANDLER_ARGUMENTS"]))
)


@phanos.profile
async def load() -> int:
    await asyncio.sleep(0.002)
    return os.getpid()


@phanos.profile
async def view() -> int:
    return await load()


async def live(receive: Any, send: Any) -> None:
    """Deliver at the end: uvicorn then ends its process by the signal that it got."""
    assert (await receive())["type"] == "lifespan.startup"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    assert await phanos.profiler.aflush(10)
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    body = str(await view()).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
