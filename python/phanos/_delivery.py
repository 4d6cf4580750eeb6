"""
Batches on their way to asynchronous handlers.

Each event loop has a line of batches and, while there are any, one task that works them off
one after the other, so a metric's batches arrive in the order in which they were handed
over. Batches from synchronous calls without a running loop wait for the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from .types import Record

Delivery = tuple[Any, list[Record], str]
"""Handler, records and the metric's name."""

QUEUE_MAX_BATCHES = 10_000
"""Batches that may wait in a line, of up to 100 records each; beyond it the oldest go."""


_in_handler: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "phanos_in_handler", default=False
)
"""True in the task in which a handler takes a batch, and in tasks started from it."""


class _Item:
    """One batch in a line."""

    __slots__ = ("context", "delivery", "done", "error", "settled")

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        # The handler sees the context variables of the call that handed over.
        self.context = contextvars.copy_context()
        self.done: asyncio.Future[None] | None = None
        self.settled = False
        # What the call raised: the handler sees it in `sys.exc_info()`, as others do.
        self.error = sys.exc_info()[1]

    async def handle(self) -> None:
        """Let the handler take the batch."""
        handler, records, name = self.delivery
        _in_handler.set(True)
        if self.error is None:
            await handler.handle(records, name)
            return
        error, traceback = self.error, self.error.__traceback__
        try:
            raise error
        except BaseException:
            error.__traceback__ = traceback
            await handler.handle(records, name)
        finally:
            del error, traceback


class _Line:
    """The batches of one event loop."""

    def __init__(self) -> None:
        self.items: deque[_Item] = deque()
        self.current: _Item | None = None
        self.working = False
        self.task: asyncio.Task[None] | None = None
        self.last_chance: AsyncGenerator[None, None] | None = None


class Courier:
    """
    Brings batches to asynchronous handlers.

    Args:
        report_failure: called with what failed and the exception of a handler.
        report_dropped: called with the number of records that did not fit.
    """

    def __init__(
        self,
        report_failure: Callable[[str, BaseException], None],
        report_dropped: Callable[[int], None],
    ) -> None:
        self._report_failure = report_failure
        self._report_dropped = report_dropped
        self._lines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = (
            weakref.WeakKeyDictionary()
        )
        self._homeless: deque[_Item] = deque()

    @property
    def waiting(self) -> int:
        """Records that are not delivered yet."""
        # Counted anew: lines belong to threads of their own, which share no counter.
        items = list(self._homeless)
        for _, line in self._all_lines():
            items += [*line.items, *([] if line.current is None else [line.current])]
        return sum(len(item.delivery[1]) for item in items if not item.settled)

    def queue(self, deliveries: list[Delivery]) -> None:
        """Line batches up without waiting; the running loop, if any, delivers them."""
        self._line_up(deliveries)

    async def deliver(self, deliveries: list[Delivery]) -> None:
        """
        Line batches up and wait until they and all before them are delivered.

        Cancelling the caller ends the waiting, not the delivering. A call made by a handler
        does not wait: the line goes on only when that handler is done.
        """
        if _in_handler.get():
            self._line_up(deliveries)
            return
        loop = asyncio.get_running_loop()
        # Before they are lined up: an eager task may deliver them at once.
        done = [loop.create_future() for _ in deliveries]
        self._line_up(deliveries, done)
        raised: BaseException | None = None
        for future in done:
            try:
                await asyncio.shield(future)
            except BaseException as error:
                if not future.done():
                    raise  # The caller was cancelled.
                raised = raised or error
        if raised is not None:
            raise raised

    async def flush(self) -> None:
        """Deliver what waits on this loop or on none; returns when that is done."""
        self._line_up([])
        line = self._lines.get(asyncio.get_running_loop())
        if line is not None and line.working and line.task is not None:
            await asyncio.shield(line.task)

    def abandoned(self) -> int:
        """Forget all batches and return the number of records in them."""
        count = self.waiting
        self._homeless.clear()
        self._lines.clear()
        return count

    def _line_up(
        self, deliveries: list[Delivery], done: Sequence[asyncio.Future[None] | None] = ()
    ) -> None:
        items = [_Item(delivery) for delivery in deliveries]
        for item, future in zip(items, done, strict=False):
            item.done = future
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._adopt_orphans()
            self._homeless.extend(items)
            self._bound(self._homeless)
            return
        line = self._lines.get(loop)
        if line is None:
            self._adopt_orphans()
            line = self._lines[loop] = _Line()
            line.last_chance = self._drain_when_loop_ends(line)
            # Runs to its `yield` at once, and so makes itself known to the loop.
            with contextlib.suppress(StopIteration):
                line.last_chance.__anext__().send(None)
        while self._homeless:
            line.items.append(self._homeless.popleft())
        line.items.extend(items)
        self._bound(line.items)
        if line.items and not line.working:
            line.working = True
            # In an empty context: the line belongs to no call.
            line.task = contextvars.Context().run(loop.create_task, self._work_off(line))

    async def _drain_when_loop_ends(self, line: _Line) -> AsyncGenerator[None, None]:
        """
        Deliver what is left when the loop shuts down.

        `asyncio.run` cancels all tasks, those that have not begun included; afterwards it
        closes the asynchronous generators, and waits for that.
        """
        try:
            yield
        finally:
            line.working = True
            await self._work_off(line)

    def _all_lines(self) -> list[tuple[asyncio.AbstractEventLoop, _Line]]:
        while True:
            try:
                return list(self._lines.items())
            except RuntimeError:  # Another thread's loop came or went meanwhile.
                continue

    def _adopt_orphans(self) -> None:
        """Take over what a loop left that was closed before its line was empty."""
        for loop, line in self._all_lines():
            if loop.is_closed():
                if line.current is not None and not line.current.settled:
                    line.items.appendleft(line.current)
                for item in line.items:
                    item.done = None  # Nobody waits on a closed loop.
                self._homeless.extend(line.items)
                line.items.clear()
                del self._lines[loop]

    def _bound(self, items: deque[_Item]) -> None:
        if len(items) < QUEUE_MAX_BATCHES:
            return
        dropped = 0
        while len(items) > QUEUE_MAX_BATCHES:
            item = items.popleft()
            self._settle(item)
            dropped += len(item.delivery[1])
        if dropped:
            self._report_dropped(dropped)

    def _settle(self, item: _Item, error: BaseException | None = None) -> None:
        item.settled = True
        if item.done is not None and not item.done.done() and not item.done.get_loop().is_closed():
            if error is None:
                item.done.set_result(None)
            else:
                item.done.set_exception(error)

    async def _work_off(self, line: _Line) -> None:
        loop = asyncio.get_running_loop()
        try:
            while line.items:
                line.current = item = line.items.popleft()
                await self._hand_to_handler(item, loop)
                line.current = None
        finally:
            line.working = False
            line.task = None  # It holds the loop, which would never be collected.

    async def _hand_to_handler(self, item: _Item, loop: asyncio.AbstractEventLoop) -> None:
        handler = item.delivery[0]
        task, cancelled = await self._run_handler(item, loop)
        if task.cancelled() and cancelled:
            # The loop is about to close and cancelled handler and line alike: once more, as
            # the loop waits for the line.
            task, _ = await self._run_handler(item, loop)
        if task.cancelled():
            self._settle(item, _HandlerCancelled())
        elif (raised := task.exception()) is None:
            self._settle(item)
        else:
            self._failed(item, handler, raised)

    async def _run_handler(
        self, item: _Item, loop: asyncio.AbstractEventLoop
    ) -> tuple[asyncio.Task[None], bool]:
        """Return the handler's task, done, and whether this one was cancelled meanwhile."""
        cancelled = False
        task = item.context.run(loop.create_task, item.handle())
        while not task.done():
            try:
                await asyncio.wait((task,))
            except asyncio.CancelledError:
                cancelled = True
        return task, cancelled

    def _failed(self, item: _Item, handler: Any, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._report_failure(f"handler {handler.handler_name!r}", error)
            self._settle(item)
        else:
            self._settle(item, error)


class _HandlerCancelled(asyncio.CancelledError):
    """A handler's own cancellation, handed on to the call that waits for it."""
