"""
Batches for asynchronous handlers, one by one: what each knows, and how its handler runs.

A batch that waits holds nothing of the call that handed it over: no context, exception, traceback
or frame, which would keep alive whatever that call had, for as long as no event loop runs. Only
a call that waits for its batch itself lends these to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from phanos.types import Record

from .waiting import is_in_trio

Dispatch = tuple[Any, list[Record], str]
"""Handler, records and the metric's name: what one call of `handle` gets."""

in_handler: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "phanos_in_handler", default=False
)
"""True where a handler runs, and in tasks started from it."""


class Caller:
    """
    A call that waits for its batch; what its handler sees of it. A batch refers to it weakly.

    Args:
        loop: makes the future of which the call is told the outcome; None if it is not to be told.
    """

    __slots__ = ("__weakref__", "context", "done", "error")

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self.done = None if loop is None else loop.create_future()
        # The handler sees the context variables of the call, below whose node its own calls hang.
        self.context = contextvars.copy_context()
        # And what the call raised, in `sys.exc_info()`, as synchronous ones do.
        self.error = sys.exc_info()[1]


class Batch:
    """One dispatch, with what it takes to make it."""

    __slots__ = ("_caller", "coroutine", "dispatch", "is_finished")

    def __init__(self, dispatch: Dispatch, caller: Caller | None = None) -> None:
        self.dispatch = dispatch
        # Only the call keeps it: its future keeps its loop alive.
        self._caller = None if caller is None else weakref.ref(caller)
        # The handler has taken the batch, has failed, or the batch was dropped.
        self.is_finished = False
        # Kept until it begins: from then on it refers to its loop.
        self.coroutine: Coroutine[Any, Any, None] | None = None

    @property
    def caller(self) -> Caller | None:
        """The call that waits for the batch, if one does."""
        return None if self._caller is None else self._caller()

    def start_task(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Return a task in which the handler takes the batch."""
        caller = self.caller
        context = contextvars.Context() if caller is None else caller.context
        self.coroutine = self._run(None if caller is None else caller.error)
        return without_destroy_warning(context.run(loop.create_task, self.coroutine))

    def leave_loop(self) -> None:
        """Forget a loop that is gone, and with it the handler's task and the waiting call."""
        self._caller = None
        if self.coroutine is not None:
            self.coroutine.close()  # Python warns of coroutines that were never awaited.
            self.coroutine = None

    async def _run(self, error: BaseException | None) -> None:
        self.coroutine = None
        try:
            await self._call_handler(error)
        except (asyncio.CancelledError, GeneratorExit):
            raise  # Not taken: the batch may be dispatched once more.
        except BaseException:
            self.is_finished = True
            raise
        # Noted here and not in the queue's task: the loop may be closed before that resumes.
        self.is_finished = True

    async def _call_handler(self, error: BaseException | None) -> None:
        in_handler.set(True)
        if error is None:
            await self._handle()
            return
        traceback = error.__traceback__
        try:
            raise error
        except BaseException:
            error.__traceback__ = traceback
            await self._handle()
        finally:
            del error, traceback

    async def run_in_place(self) -> None:
        """Have the handler take the batch in the coroutine that awaits this, whatever drives it."""
        # In a context of its own: coroutines that are driven by turns may share one.
        await self._stepped(contextvars.copy_context(), self._handle_in_place())

    async def _handle_in_place(self) -> None:
        in_handler.set(True)
        await self._handle()

    @types.coroutine
    def _stepped(
        self, context: contextvars.Context, coroutine: Coroutine[Any, Any, None]
    ) -> Generator[Any, Any, None]:
        """Run `coroutine` in `context`; what it yields goes to whatever drives this one."""
        step: Callable[[], Any] = functools.partial(coroutine.send, None)
        was_interrupted = False
        try:
            while True:
                try:
                    item = context.run(step)
                except StopIteration:
                    self.is_finished = True
                    return
                try:
                    sent = yield item
                except BaseException as error:
                    was_interrupted = True
                    step = functools.partial(coroutine.throw, error)
                else:
                    step = functools.partial(coroutine.send, sent)
        except BaseException:
            # Ended by its driver and not by itself: the batch may be dispatched once more.
            self.is_finished = not (was_interrupted or _is_cancelled_by_trio())
            raise
        finally:
            del step  # May hold an exception, whose traceback refers to this frame.

    async def _handle(self) -> None:
        handler, records, name = self.dispatch
        await handler.handle(records, name)


def _is_cancelled_by_trio() -> bool:
    """Tell whether what is being handled is a cancellation; trio throws nothing in for that."""
    is_own = isinstance(sys.exc_info()[1], (Exception, KeyboardInterrupt, SystemExit))
    return not is_own and is_in_trio()


def without_destroy_warning(task: asyncio.Task[None]) -> asyncio.Task[None]:
    """Let the loop of `task` be closed before the task is done, without a line in the log."""
    with contextlib.suppress(AttributeError):  # A task factory may make objects of its own.
        private: Any = task
        private._log_destroy_pending = False
    return task


class LoopQueue:
    """The batches of one event loop."""

    def __init__(self) -> None:
        self.batches: deque[Batch] = deque()
        self.current: Batch | None = None
        self.is_running = False
        self.is_called = False
        """Another thread has asked the loop to take what waits for one, and it has not yet."""
        self.task: weakref.ref[asyncio.Task[None]] | None = None

    def waiting(self) -> list[Batch]:
        """Return the batches that are not dispatched yet, the current one included."""
        # In this order: a batch that becomes the current one meanwhile is not missed.
        batches = list(self.batches)
        current = self.current
        return batches if current is None else [*batches, current]

    def take_all(self) -> list[Batch]:
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
