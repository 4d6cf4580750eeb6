"""Handlers that settings name, and how a profiler is given settings."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from phanos import publisher
from phanos.handlers import AsyncBaseHandler, SyncBaseHandler


class KeepingHandler(SyncBaseHandler):
    """Keeps the arguments it was made with."""

    def __init__(self, handler_name: str, **arguments: Any) -> None:
        super().__init__(handler_name)
        self.arguments = arguments

    def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        pass


class AsyncKeepingHandler(AsyncBaseHandler):
    """Knows whether it was made by its own factory."""

    def __init__(self, handler_name: str, created: bool = False, **arguments: Any) -> None:
        super().__init__(handler_name)
        self.created = created
        self.arguments = arguments

    @classmethod
    async def create(cls, handler_name: str, *args: Any, **kwargs: Any) -> AsyncKeepingHandler:
        await asyncio.sleep(0)
        return cls(handler_name, created=True, **kwargs)

    async def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        pass


def apply(profiler: publisher.Profiler, method: str, settings: Any) -> None:
    outcome = getattr(profiler, method)(settings)
    if method == "async_dict_config":
        assert inspect.iscoroutine(outcome)
        outcome = asyncio.run(outcome)
    assert outcome is None


def with_handler(**description: Any) -> dict[str, Any]:
    return {"job": "JOB", "handlers": {"a_key": description}}
