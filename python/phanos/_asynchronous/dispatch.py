"""
Batches of records on their way to asynchronous handlers.

Each event loop has a queue of batches and, while there are any, one task that dispatches them one
after the other, so a metric's batches arrive in the order in which they were handed over.
Batches from synchronous calls without a running loop are taken by a loop that runs in another
thread, if one is known; else they wait for the next coroutine that has a batch, and so do those
that a closed loop leaves behind.

Where a coroutine is not run by a task of asyncio, but by trio, Twisted, or by hand, its batches
are dispatched in the coroutine itself: nothing else could resume a handler there.

Nothing here keeps a loop alive. If a loop is closed before its task is done, no batch is lost:
the one that the task was about to dispatch is still in the queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import weakref
from collections import deque
from collections.abc import Callable, Sequence

from .batches import (
    Batch,
    Caller,
    Dispatch,
    LoopQueue,
    in_handler,
    without_destroy_warning,
)
from .lazy_coroutine import LazyCoroutine
from .waiting import is_asyncio_running

QUEUE_MAX_BATCHES = 10_000
"""Batches that may wait in a queue, of up to 100 records each; beyond it the oldest are dropped."""


AT_END_S = 2.0
"""Seconds that a loop which is about to close waits for a handler that it has cancelled."""


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
        self._unassigned: deque[Batch] = deque()
        """Batches without a loop so far."""
        self._in_place: list[Batch] = []
        """Batches that coroutines dispatch themselves, and have not yet."""

    @property
    def waiting(self) -> int:
        """Records that are not dispatched yet."""
        # Counted each time: loops run in threads of their own, which share no counter.
        batches = [*self._unassigned, *self._in_place]
        for _, queue in self._all_queues():
            batches += queue.waiting()
        return sum(len(batch.dispatch[1]) for batch in batches if not batch.is_finished)

    def note_loop(self) -> None:
        """Have the running loop, if there is one, dispatch what other threads hand over."""
        with contextlib.suppress(RuntimeError):
            self._queue_of(asyncio.get_running_loop())

    def enqueue(self, dispatches: list[Dispatch]) -> None:
        """Queue batches without waiting; a running loop, if any is known, dispatches them."""
        self._add([Batch(dispatch) for dispatch in dispatches])

    async def dispatch(self, dispatches: list[Dispatch]) -> None:
        """
        Queue batches and wait until they and all before them are dispatched.

        Cancelling the caller ends the waiting, not the dispatching. A call made by a handler
        does not wait: the queue goes on only when that handler is done.
        """
        if not is_asyncio_running():
            self._unassigned.extend(map(Batch, dispatches))
            self._drop_excess(self._unassigned)
            if not in_handler.get():
                await self._dispatch_in_place()
            return
        if in_handler.get():
            self.enqueue(dispatches)
            return
        loop = asyncio.get_running_loop()
        # Made before the batches are queued: an eager task may dispatch them at once.
        callers = [Caller(loop) for _ in dispatches]
        self._add(list(map(Batch, dispatches, callers)))
        futures = [caller.done for caller in callers if caller.done is not None]
        raised: BaseException | None = None
        try:
            for future in futures:
                try:
                    await asyncio.shield(future)
                except BaseException as error:
                    if not future.done():
                        raise  # The caller was cancelled.
                    raised = raised or error
            if raised is not None:
                raise raised
        finally:
            # The traceback of what is raised refers to this frame: its batches do not keep the
            # call any more.
            callers.clear()
            del raised

    async def flush(self, dispatches: list[Dispatch]) -> None:
        """
        Dispatch batches, and before them what waits for this loop or for none.

        Returns when that is done; unlike `dispatch` it raises nothing that a handler raised.
        """
        if not is_asyncio_running():
            self._unassigned.extend(map(Batch, dispatches))
            self._drop_excess(self._unassigned)
            await self._dispatch_in_place()
            return
        self._release_closed_loops()
        callers = [Caller(None) for _ in dispatches]
        self._add(list(map(Batch, dispatches, callers)))
        queue = self._queues.get(weakref.ref(asyncio.get_running_loop()))
        task = None if queue is None or queue.task is None else queue.task()
        try:
            if task is not None:
                await asyncio.shield(task)
        finally:
            callers.clear()

    def abandon(self) -> int:
        """
        Forget all batches and return the number of records in them.

        Calls that wait for one go on: whatever ends this process may not end their loop first.
        """
        count = self.waiting
        self._unassigned.clear()
        self._in_place.clear()
        for _, queue in self._all_queues():
            batches = queue.waiting()
            queue.batches.clear()
            for batch in batches:
                self._give_up(batch)
        self._queues.clear()
        return count

    def _give_up(self, batch: Batch) -> None:
        """Finish a batch in the loop that its call waits in, which may run in another thread."""
        caller = batch.caller
        if caller is None or caller.done is None:
            batch.is_finished = True
            return
        with contextlib.suppress(RuntimeError):  # The loop is closed.
            caller.done.get_loop().call_soon_threadsafe(
                self._finish, batch, context=contextvars.Context()
            )

    def _add(self, batches: Sequence[Batch]) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._release_closed_loops()
            self._unassigned.extend(batches)
            self._drop_excess(self._unassigned)
            self._call_loop()
            return
        queue = self._queue_of(loop)
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
            queue.task = weakref.ref(without_destroy_warning(task))

    def _queue_of(self, loop: asyncio.AbstractEventLoop) -> LoopQueue:
        queue = self._queues.get(weakref.ref(loop))
        if queue is None:
            self._release_closed_loops()
            queue = self._queues[weakref.ref(loop, self._release_loop)] = LoopQueue()
        return queue

    def pass_on(self) -> None:
        """Have a loop that runs take what waits for none, and what closed ones have left."""
        self._release_closed_loops()
        self._call_loop()

    def _call_loop(self) -> None:
        """Have a loop that runs in another thread take the batches without a loop."""
        if not self._unassigned:
            return
        # Always the first that runs, so that the batches of one metric stay in order.
        for reference, queue in self._all_queues():
            loop = reference()
            if loop is None or not loop.is_running():
                continue
            if not queue.is_called:
                queue.is_called = True
                answer = functools.partial(self._answer_call, queue)
                try:
                    # In an empty context: the loop would keep that of the caller until then.
                    loop.call_soon_threadsafe(answer, context=contextvars.Context())
                except RuntimeError:  # It was closed just now.
                    queue.is_called = False
                    continue
            return

    def _answer_call(self, queue: LoopQueue) -> None:
        queue.is_called = False
        self._add([])

    def _all_queues(self) -> list[tuple[weakref.ref[asyncio.AbstractEventLoop], LoopQueue]]:
        while True:
            try:
                return list(self._queues.items())
            except RuntimeError:  # Another thread added or removed a loop meanwhile.
                continue

    def _release_closed_loops(self) -> None:
        """Pass on the batches of loops that were closed before their queue was empty."""
        for reference, _ in self._all_queues():
            loop = reference()
            if loop is None or loop.is_closed():
                self._release_loop(reference)

    def _release_loop(self, loop: weakref.ref[asyncio.AbstractEventLoop]) -> None:
        queue = self._queues.pop(loop, None)
        if queue is not None:
            self._unassigned.extend(queue.take_all())
            self._call_loop()

    def _drop_excess(self, batches: deque[Batch]) -> None:
        if len(batches) < QUEUE_MAX_BATCHES:
            return
        dropped = 0
        while len(batches) > QUEUE_MAX_BATCHES:
            batch = batches.popleft()
            self._finish(batch)
            dropped += len(batch.dispatch[1])
        if dropped:
            with contextlib.suppress(Exception):
                self._report_dropped(dropped)

    def _finish(self, batch: Batch, error: BaseException | None = None) -> None:
        batch.is_finished = True
        caller = batch.caller
        done = None if caller is None else caller.done
        if done is not None and not done.done() and not done.get_loop().is_closed():
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    async def _dispatch_in_place(self) -> None:
        """Dispatch what waits for no loop in the coroutine that awaits this."""
        while True:
            try:
                batch = self._unassigned.popleft()
            except IndexError:
                return  # Nothing is left, or another coroutine has taken the last one.
            self._in_place.append(batch)
            try:
                await batch.run_in_place()
            except Exception as error:
                if not batch.is_finished:
                    raise  # The driver raised it in the coroutine, to end that.
                self._report(batch, error)
            finally:
                self._in_place = [each for each in self._in_place if each is not batch]
                if not batch.is_finished:  # Cancelled or closed: the next coroutine dispatches it.
                    self._unassigned.appendleft(batch)

    async def _run_queue(self, queue: LoopQueue) -> None:
        loop = asyncio.get_running_loop()
        try:
            while queue.batches:
                queue.current = batch = queue.batches.popleft()
                if not await self._dispatch_batch(batch, loop):
                    return
                queue.current = None
        finally:
            queue.is_running = False
            unfinished, queue.current = queue.current, None
            if unfinished is not None and not unfinished.is_finished:
                # The task was collected, with a handler that nothing would ever have resumed, or
                # that does not end with its loop.
                queue.batches.appendleft(unfinished)

    async def _dispatch_batch(self, batch: Batch, loop: asyncio.AbstractEventLoop) -> bool:
        """Return False if the loop is about to close and the handler does not end."""
        task, cancelled = await self._run_handler(batch, loop)
        if task.cancelled() and cancelled:
            # The loop is about to close and cancelled the handler's and the queue's task: once
            # more, as the loop waits for the latter; but not for ever.
            task, _ = await self._run_handler(batch, loop, AT_END_S)
            if not task.done():
                task.cancel()
                return False
        if task.cancelled():
            self._finish(batch, _HandlerCancelled())
        elif (raised := task.exception()) is None:
            self._finish(batch)
        elif isinstance(raised, Exception):
            self._finish(batch)
            self._report(batch, raised)
        else:
            self._finish(batch, raised)
        return True

    def _report(self, batch: Batch, error: Exception) -> None:
        # Batches after this one wait: nothing that goes wrong here may end their task.
        with contextlib.suppress(Exception):
            self._report_failure(f"handler {batch.dispatch[0].handler_name!r}", error)

    async def _run_handler(
        self, batch: Batch, loop: asyncio.AbstractEventLoop, timeout_s: float | None = None
    ) -> tuple[asyncio.Task[None], bool]:
        """
        Return the handler's task, and whether the queue's was cancelled meanwhile.

        The handler's task is done, or has not been for `timeout_s` seconds.
        """
        cancelled = False
        task = batch.start_task(loop)
        while not task.done():
            try:
                await asyncio.wait((task,), timeout=timeout_s)
            except asyncio.CancelledError:
                cancelled = True
            else:
                break
        return task, cancelled


class _HandlerCancelled(asyncio.CancelledError):
    """A handler's own cancellation, handed on to the call that waits for it."""
