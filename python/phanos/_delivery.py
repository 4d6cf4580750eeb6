"""
Batches on their way to asynchronous handlers.

Each event loop has a line of batches and, while there are any, one task that works them off
one after the other, so a metric's batches arrive in the order in which they were handed
over. Batches from synchronous calls without a running loop wait for the next one, and so do
those that a loop leaves behind.

Nothing here keeps a loop alive, and no task here is missed when a loop is closed before it
is done: its batch is still in line.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import sys
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ._late_start import LateStart
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

    __slots__ = ("context", "coroutine", "delivery", "done", "error", "settled")

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        # The handler sees the context variables of the call that handed over.
        self.context = contextvars.copy_context()
        # Kept by whoever waits for it. As a task, a future keeps its loop alive.
        self.done: weakref.ref[asyncio.Future[None]] | None = None
        self.settled = False
        # Until it begins: from then on it knows its loop.
        self.coroutine: Coroutine[Any, Any, None] | None = None
        # What the call raised: the handler sees it in `sys.exc_info()`, as others do.
        self.error = sys.exc_info()[1]

    def started(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Return a task in which the handler takes the batch."""
        self.coroutine = self._handle()
        return _without_complaint(self.context.run(loop.create_task, self.coroutine))

    def moves(self) -> None:
        """Take note that the loop is gone: the handler's task and who waits went with it."""
        self.done = None
        if self.coroutine is not None:
            self.coroutine.close()  # Python warns of coroutines that nobody awaited.
            self.coroutine = None

    async def _handle(self) -> None:
        self.coroutine = None
        try:
            await self._give()
        except (asyncio.CancelledError, GeneratorExit):
            raise  # Not taken: it may be given again.
        except BaseException:
            self.settled = True
            raise
        # Here and not when the line goes on, before which the loop may be closed.
        self.settled = True

    async def _give(self) -> None:
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


def _without_complaint(task: asyncio.Task[None]) -> asyncio.Task[None]:
    """Return a task, whose loop may be closed before it is done."""
    with contextlib.suppress(AttributeError):  # Task factories make what they like.
        private: Any = task
        private._log_destroy_pending = False
    return task


class _Line:
    """The batches of one event loop."""

    def __init__(self) -> None:
        self.items: deque[_Item] = deque()
        self.current: _Item | None = None
        self.working = False
        self.task: weakref.ref[asyncio.Task[None]] | None = None

    def left(self) -> list[_Item]:
        """Return what is not delivered, for another line."""
        # At once: the garbage collector may end the line's task at any time, which then puts
        # the current item back to the others.
        current, self.current = self.current, None
        items = [*([] if current is None else [current]), *self.items]
        items = [item for item in items if not item.settled]
        self.items.clear()
        for item in items:
            item.moves()
        return items


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
        self._lines: dict[weakref.ref[asyncio.AbstractEventLoop], _Line] = {}
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
        line = self._lines.get(weakref.ref(asyncio.get_running_loop()))
        task = None if line is None or line.task is None else line.task()
        if task is not None:
            await asyncio.shield(task)

    def abandoned(self) -> int:
        """Forget all batches and return the number of records in them."""
        count = self.waiting
        self._homeless.clear()
        for _, line in self._all_lines():
            line.items.clear()
        self._lines.clear()
        return count

    def _line_up(
        self, deliveries: list[Delivery], done: Sequence[asyncio.Future[None] | None] = ()
    ) -> None:
        items = [_Item(delivery) for delivery in deliveries]
        for item, future in zip(items, done, strict=False):
            item.done = None if future is None else weakref.ref(future)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._adopt_orphans()
            self._homeless.extend(items)
            self._bound(self._homeless)
            return
        line = self._lines.get(weakref.ref(loop))
        if line is None:
            self._adopt_orphans()
            line = self._lines[weakref.ref(loop, self._loop_is_gone)] = _Line()
        try:
            while True:
                line.items.append(self._homeless.popleft())
        except IndexError:
            pass  # No more; another thread's loop may have taken the last one.
        line.items.extend(items)
        self._bound(line.items)
        if line.items and not line.working:
            line.working = True
            # Cancelled or not, it goes on: `asyncio.run` cancels all tasks when it ends, and
            # waits for them.
            body = LateStart(functools.partial(self._work_off, line))
            # In an empty context: the line belongs to no call.
            task = contextvars.Context().run(loop.create_task, body)
            line.task = weakref.ref(_without_complaint(task))

    def _all_lines(self) -> list[tuple[weakref.ref[asyncio.AbstractEventLoop], _Line]]:
        while True:
            try:
                return list(self._lines.items())
            except RuntimeError:  # Another thread's loop came or went meanwhile.
                continue

    def _adopt_orphans(self) -> None:
        """Take over what a loop left that was closed before its line was empty."""
        for reference, _ in self._all_lines():
            loop = reference()
            if loop is None or loop.is_closed():
                self._loop_is_gone(reference)

    def _loop_is_gone(self, loop: weakref.ref[asyncio.AbstractEventLoop]) -> None:
        line = self._lines.pop(loop, None)
        if line is not None:
            self._homeless.extend(line.left())

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
        done = None if item.done is None else item.done()
        if done is not None and not done.done() and not done.get_loop().is_closed():
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    async def _work_off(self, line: _Line) -> None:
        loop = asyncio.get_running_loop()
        try:
            while line.items:
                line.current = item = line.items.popleft()
                await self._hand_to_handler(item, loop)
                line.current = None
        finally:
            line.working = False
            unfinished, line.current = line.current, None
            if unfinished is not None and not unfinished.settled:
                # Collected together with a handler that nothing would ever have resumed.
                line.items.appendleft(unfinished)

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
        task = item.started(loop)
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
