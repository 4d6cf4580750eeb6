"""
Batches of records on their way to asynchronous handlers.

Each event loop has a queue of batches and, while there are any, one task that dispatches them one
after the other, so a metric's batches arrive in the order in which they were handed over.
Batches from synchronous calls without a running loop are assigned to the next loop that has a
batch, and so are those that a closed loop leaves behind.

Nothing here keeps a loop alive. If a loop is closed before its task is done, no batch is lost:
the one that the task was about to dispatch is still in the queue.
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

from ._lazy_coroutine import LazyCoroutine
from .types import Record

Dispatch = tuple[Any, list[Record], str]
"""Handler, records and the metric's name: what one call of `handle` gets."""

QUEUE_MAX_BATCHES = 10_000
"""Batches that may wait in a queue, of up to 100 records each; beyond it the oldest are dropped."""


_in_handler: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "phanos_in_handler", default=False
)
"""True in the task in which a handler runs, and in tasks started from it."""


class _Batch:
    """One dispatch in a queue, with what it takes to make it."""

    __slots__ = ("context", "coroutine", "dispatch", "error", "is_finished", "waiter")

    def __init__(self, dispatch: Dispatch) -> None:
        self.dispatch = dispatch
        # The handler sees the context variables of the call that handed over.
        self.context = contextvars.copy_context()
        # The future that a call waits for. Only the call keeps it: a future keeps its loop alive.
        self.waiter: weakref.ref[asyncio.Future[None]] | None = None
        # The handler has taken the batch, has failed, or the batch was dropped.
        self.is_finished = False
        # Kept until it begins: from then on it refers to its loop.
        self.coroutine: Coroutine[Any, Any, None] | None = None
        # What the call raised: the handler sees it in `sys.exc_info()`, as synchronous ones do.
        self.error = sys.exc_info()[1]

    def start_task(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Return a task in which the handler takes the batch."""
        self.coroutine = self._run()
        return _without_destroy_warning(self.context.run(loop.create_task, self.coroutine))

    def leave_loop(self) -> None:
        """Forget a loop that is gone, and with it the handler's task and the waiting call."""
        self.waiter = None
        if self.coroutine is not None:
            self.coroutine.close()  # Python warns of coroutines that were never awaited.
            self.coroutine = None

    async def _run(self) -> None:
        self.coroutine = None
        try:
            await self._call_handler()
        except (asyncio.CancelledError, GeneratorExit):
            raise  # Not taken: the batch may be dispatched once more.
        except BaseException:
            self.is_finished = True
            raise
        # Noted here and not in the queue's task: the loop may be closed before that resumes.
        self.is_finished = True

    async def _call_handler(self) -> None:
        handler, records, name = self.dispatch
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


def _without_destroy_warning(task: asyncio.Task[None]) -> asyncio.Task[None]:
    """Let the loop of `task` be closed before the task is done, without a line in the log."""
    with contextlib.suppress(AttributeError):  # A task factory may make objects of its own.
        private: Any = task
        private._log_destroy_pending = False
    return task


class LoopQueue:
    """The batches of one event loop."""

    def __init__(self) -> None:
        self.batches: deque[_Batch] = deque()
        self.current: _Batch | None = None
        self.is_running = False
        self.task: weakref.ref[asyncio.Task[None]] | None = None

    def waiting(self) -> list[_Batch]:
        """Return the batches that are not dispatched yet, the current one included."""
        # In this order: a batch that becomes the current one meanwhile is not missed.
        batches = list(self.batches)
        current = self.current
        return batches if current is None else [*batches, current]

    def take_all(self) -> list[_Batch]:
        """Empty the queue of a loop that is gone; return what another loop has to dispatch."""
        # `current` is taken at once: the garbage collector may end the queue's task at any time,
        # which then puts the current batch back.
        current, self.current = self.current, None
        batches = [*([] if current is None else [current]), *self.batches]
        batches = [batch for batch in batches if not batch.is_finished]
        self.batches.clear()
        for batch in batches:
            batch.leave_loop()
        return batches


class AsyncDispatcher:
    """
    Dispatches batches to asynchronous handlers.

    Args:
        report_failure: called with the name of a handler and the exception that it raised.
        report_dropped: called with the number of records that did not fit.
    """

    def __init__(
        self,
        report_failure: Callable[[str, BaseException], None],
        report_dropped: Callable[[int], None],
    ) -> None:
        self._report_failure = report_failure
        self._report_dropped = report_dropped
        self._queues: dict[weakref.ref[asyncio.AbstractEventLoop], LoopQueue] = {}
        self._unassigned: deque[_Batch] = deque()
        """Batches without a loop so far."""

    @property
    def waiting(self) -> int:
        """Records that are not dispatched yet."""
        # Counted each time: loops run in threads of their own, which share no counter.
        batches = list(self._unassigned)
        for _, queue in self._all_queues():
            batches += queue.waiting()
        return sum(len(batch.dispatch[1]) for batch in batches if not batch.is_finished)

    def enqueue(self, dispatches: list[Dispatch]) -> None:
        """Queue batches without waiting; the running loop, if any, dispatches them."""
        self._add(dispatches)

    async def dispatch(self, dispatches: list[Dispatch]) -> None:
        """
        Queue batches and wait until they and all before them are dispatched.

        Cancelling the caller ends the waiting, not the dispatching. A call made by a handler
        does not wait: the queue goes on only when that handler is done.
        """
        if _in_handler.get():
            self._add(dispatches)
            return
        loop = asyncio.get_running_loop()
        # Made before the batches are queued: an eager task may dispatch them at once.
        waiters = [loop.create_future() for _ in dispatches]
        self._add(dispatches, waiters)
        raised: BaseException | None = None
        for future in waiters:
            try:
                await asyncio.shield(future)
            except BaseException as error:
                if not future.done():
                    raise  # The caller was cancelled.
                raised = raised or error
        if raised is not None:
            raise raised

    async def flush(self) -> None:
        """Dispatch what waits for this loop or for none; returns when that is done."""
        self._add([])
        queue = self._queues.get(weakref.ref(asyncio.get_running_loop()))
        task = None if queue is None or queue.task is None else queue.task()
        if task is not None:
            await asyncio.shield(task)

    def abandon(self) -> int:
        """Forget all batches and return the number of records in them."""
        count = self.waiting
        self._unassigned.clear()
        for _, queue in self._all_queues():
            queue.batches.clear()
        self._queues.clear()
        return count

    def _add(
        self, dispatches: list[Dispatch], waiters: Sequence[asyncio.Future[None] | None] = ()
    ) -> None:
        batches = [_Batch(dispatch) for dispatch in dispatches]
        for batch, waiter in zip(batches, waiters, strict=False):
            batch.waiter = None if waiter is None else weakref.ref(waiter)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._release_closed_loops()
            self._unassigned.extend(batches)
            self._drop_excess(self._unassigned)
            return
        queue = self._queues.get(weakref.ref(loop))
        if queue is None:
            self._release_closed_loops()
            queue = self._queues[weakref.ref(loop, self._release_loop)] = LoopQueue()
        try:
            while True:
                queue.batches.append(self._unassigned.popleft())
        except IndexError:
            pass  # No more; another thread's loop may have taken the last one.
        queue.batches.extend(batches)
        self._drop_excess(queue.batches)
        if queue.batches and not queue.is_running:
            queue.is_running = True
            # It runs even if it is cancelled: `asyncio.run` cancels all tasks when it ends, and
            # waits for them.
            body = LazyCoroutine(functools.partial(self._run_queue, queue))
            # In an empty context: the queue belongs to no call.
            task = contextvars.Context().run(loop.create_task, body)
            queue.task = weakref.ref(_without_destroy_warning(task))

    def _all_queues(self) -> list[tuple[weakref.ref[asyncio.AbstractEventLoop], LoopQueue]]:
        while True:
            try:
                return list(self._queues.items())
            except RuntimeError:  # Another thread added or removed a loop meanwhile.
                continue

    def _release_closed_loops(self) -> None:
        """Take back the batches of loops that were closed before their queue was empty."""
        for reference, _ in self._all_queues():
            loop = reference()
            if loop is None or loop.is_closed():
                self._release_loop(reference)

    def _release_loop(self, loop: weakref.ref[asyncio.AbstractEventLoop]) -> None:
        queue = self._queues.pop(loop, None)
        if queue is not None:
            self._unassigned.extend(queue.take_all())

    def _drop_excess(self, batches: deque[_Batch]) -> None:
        if len(batches) < QUEUE_MAX_BATCHES:
            return
        dropped = 0
        while len(batches) > QUEUE_MAX_BATCHES:
            batch = batches.popleft()
            self._finish(batch)
            dropped += len(batch.dispatch[1])
        if dropped:
            self._report_dropped(dropped)

    def _finish(self, batch: _Batch, error: BaseException | None = None) -> None:
        batch.is_finished = True
        waiter = None if batch.waiter is None else batch.waiter()
        if waiter is not None and not waiter.done() and not waiter.get_loop().is_closed():
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

    async def _run_queue(self, queue: LoopQueue) -> None:
        loop = asyncio.get_running_loop()
        try:
            while queue.batches:
                queue.current = batch = queue.batches.popleft()
                await self._dispatch_batch(batch, loop)
                queue.current = None
        finally:
            queue.is_running = False
            unfinished, queue.current = queue.current, None
            if unfinished is not None and not unfinished.is_finished:
                # The task was collected, with a handler that nothing would ever have resumed.
                queue.batches.appendleft(unfinished)

    async def _dispatch_batch(self, batch: _Batch, loop: asyncio.AbstractEventLoop) -> None:
        handler = batch.dispatch[0]
        task, cancelled = await self._run_handler(batch, loop)
        if task.cancelled() and cancelled:
            # The loop is about to close and cancelled the handler's and the queue's task: once
            # more, as the loop waits for the latter.
            task, _ = await self._run_handler(batch, loop)
        if task.cancelled():
            self._finish(batch, _HandlerCancelled())
        elif (raised := task.exception()) is None:
            self._finish(batch)
        elif isinstance(raised, Exception):
            self._report_failure(f"handler {handler.handler_name!r}", raised)
            self._finish(batch)
        else:
            self._finish(batch, raised)

    async def _run_handler(
        self, batch: _Batch, loop: asyncio.AbstractEventLoop
    ) -> tuple[asyncio.Task[None], bool]:
        """Return the handler's task, done, and whether the queue's was cancelled meanwhile."""
        cancelled = False
        task = batch.start_task(loop)
        while not task.done():
            try:
                await asyncio.wait((task,))
            except asyncio.CancelledError:
                cancelled = True
        return task, cancelled


class _HandlerCancelled(asyncio.CancelledError):
    """A handler's own cancellation, handed on to the call that waits for it."""
