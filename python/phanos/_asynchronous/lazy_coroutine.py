"""A coroutine that is made only when its task first runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any


class LazyCoroutine(Coroutine[Any, Any, None]):
    """
    The body of a task, made when the task first runs.

    If the task is cancelled before that, the body runs nevertheless. If the loop is closed
    before that, there is no coroutine of which Python could warn that it was never awaited.

    Args:
        make: a coroutine function without arguments.
    """

    def __init__(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._make = make
        self._made: Coroutine[Any, Any, None] | None = None

    def send(self, value: Any) -> Any:
        """Begin the coroutine or resume it."""
        if self._made is None:
            self._made = self._make()
        return self._made.send(value)

    def throw(self, error: Any, *details: Any) -> Any:
        """Raise `error` where the coroutine waits; a cancellation before it began begins it."""
        if self._made is not None:
            return self._made.throw(error, *details)
        if isinstance(error, asyncio.CancelledError):
            return self.send(None)
        raise error

    def close(self) -> None:
        """Close the coroutine if it was made."""
        if self._made is not None:
            self._made.close()

    def __await__(self) -> Generator[Any, Any, None]:
        return (yield from self._make().__await__())
