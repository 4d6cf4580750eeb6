"""Bodies of tasks that begin whatever happens before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any


class LateStart(Coroutine[Any, Any, None]):
    """
    A coroutine that is made when its task begins.

    A task that is cancelled before it begins does begin. One whose loop is closed before
    leaves no coroutine behind of which Python says that nobody awaited it.

    Args:
        make: a coroutine function without arguments.
    """

    def __init__(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._make = make
        self._begun: Coroutine[Any, Any, None] | None = None

    def send(self, value: Any) -> Any:
        """Begin or go on."""
        if self._begun is None:
            self._begun = self._make()
        return self._begun.send(value)

    def throw(self, error: Any, *details: Any) -> Any:
        """Begin, or raise `error` where the coroutine waits."""
        if self._begun is not None:
            return self._begun.throw(error, *details)
        if isinstance(error, asyncio.CancelledError):
            return self.send(None)
        raise error

    def close(self) -> None:
        """End the coroutine if it has begun."""
        if self._begun is not None:
            self._begun.close()

    def __await__(self) -> Generator[Any, Any, None]:
        return (yield from self._make().__await__())
