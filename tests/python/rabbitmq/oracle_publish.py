"""
Let phanos 0.3.2 publish; run by an interpreter that has it:

    python oracle_publish.py KIND PORT < batches

`KIND` is `blocking` or `asyncio` (publishers), `handler` or `async-handler`. Every line of the
input is one batch, a JSON array of records. Every line of the output is what came of it:
`{"returned": ...}` or `{"raised": "package.Error", "message": "..."}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from phanos.messaging import AsyncioPublisher, BlockingPublisher
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler

Batch = list[dict[str, Any]]


def batches() -> list[Batch]:
    """Read all batches; values are pairs, which JSON has no form for."""
    found: list[Batch] = [json.loads(line) for line in sys.stdin]
    return [[{**record, "value": tuple(record["value"])} for record in batch] for batch in found]


def report(outcome: dict[str, Any]) -> None:
    """Print what came of one batch."""
    print(json.dumps(outcome), flush=True)


def failure(error: Exception) -> dict[str, str]:
    """Describe what was raised."""
    kind = type(error)
    return {"raised": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}


def publish_all(publish: Callable[[Batch], Any]) -> None:
    """Publish batch by batch."""
    for batch in batches():
        try:
            report({"returned": publish(batch)})
        except Exception as error:
            report(failure(error))


async def publish_all_async(publish: Callable[[Batch], Awaitable[Any]]) -> None:
    """The same with a coroutine function."""
    for batch in batches():
        try:
            report({"returned": await publish(batch)})
        except Exception as error:
            report(failure(error))


async def with_asyncio(kind: str, port: int) -> None:
    """Publish by one of the asynchronous kinds."""
    if kind == "asyncio":
        publisher = AsyncioPublisher(port=port)
        await publish_all_async(publisher.publish)
    else:
        handler = await AsyncImpProfHandler.create("oracle", port=port)
        publisher = handler.publisher
        await publish_all_async(handler.handle)
    await publisher.close()


def with_threads(kind: str, port: int) -> None:
    """Publish by one of the synchronous kinds."""
    if kind == "blocking":
        publisher = BlockingPublisher(port=port)
        publish_all(publisher.publish)
    else:
        handler = ImpProfHandler("oracle", port=port)
        publisher = handler.publisher
        publish_all(handler.handle)
    publisher.close()


def main(kind: str, port: int) -> None:
    """Publish what comes on the standard input."""
    if kind in ("asyncio", "async-handler"):
        asyncio.run(with_asyncio(kind, port))
    else:
        with_threads(kind, port)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
