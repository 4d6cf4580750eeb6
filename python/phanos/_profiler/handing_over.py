"""How records leave a profiler: to handlers, at the end of a process, in a forked child."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

from phanos._asynchronous.waiting import within
from phanos._handlers.base import WatchedHandler
from phanos._phanos import ProfilerCore, admit_log_line, run_for
from phanos.log import InstanceLoggerMixin
from phanos.metrics import MetricWrapper

from .plan import is_native, makes_records_itself

if TYPE_CHECKING:
    from phanos._asynchronous.batches import Dispatch
    from phanos._asynchronous.dispatch import AsyncDispatcher


class HandingOver(InstanceLoggerMixin):
    """The part of a profiler that hands records over, and logs what goes wrong with that."""

    metrics: dict[str, MetricWrapper]
    handlers: dict[str, Any]
    _core: ProfilerCore
    _serial: int
    _unlogged_drops: int
    _dropped_records: int

    async def _flush_dispatcher(self, dispatches: list[Dispatch], timeout_s: float) -> bool:
        """Await asynchronous handlers; return False if they go on after `timeout_s`."""
        dispatcher = self._make_dispatcher() if dispatches else self._dispatcher()
        if dispatcher is None:
            return True
        flush = functools.partial(dispatcher.flush, dispatches)
        return await within(timeout_s, flush, functools.partial(run_for, self._core))

    def _hand_over(self) -> None:
        dispatches = self._core.hand_over()
        if dispatches:
            self._queue_dispatches(dispatches)

    def _hand_over_rest(self, metric: MetricWrapper) -> None:
        """Hand over the records that a replaced or deleted metric got since the last hand-over."""
        if not is_native(metric) or not len(metric.values):
            return
        metric._attach(None)
        dispatches = self._core.hand_over_rest(metric, makes_records_itself(metric))
        if dispatches:
            self._queue_dispatches(dispatches)

    def _is_nothing_waiting(self) -> bool:
        dispatcher = self._dispatcher()
        return self._core.waiting == 0 and (dispatcher is None or dispatcher.waiting == 0)

    def _dispatcher(self) -> AsyncDispatcher | None:
        """Return what dispatches to asynchronous handlers, if anything was dispatched so far."""
        return self.__dict__.get("_made_dispatcher")

    def _make_dispatcher(self) -> AsyncDispatcher:
        """Return what dispatches to asynchronous handlers, made when it is first needed."""
        made = self._dispatcher()
        if made is not None:
            return made
        # Imported here: it takes asyncio, which a program without a loop need not load.
        from phanos._asynchronous.dispatch import AsyncDispatcher

        # Two threads may get here: the first to set it has made the only one.
        new = AsyncDispatcher(self._report_failure, self._report_dropped)
        first: AsyncDispatcher = vars(self).setdefault("_made_dispatcher", new)
        return first

    def _queue_dispatches(self, dispatches: list[Dispatch]) -> None:
        self._make_dispatcher().enqueue(dispatches)

    async def _dispatch(self, dispatches: list[Dispatch]) -> None:
        await self._make_dispatcher().dispatch(dispatches)

    def _abandon_dispatches(self) -> int:
        """Forget the batches for asynchronous handlers; return the number of their records."""
        dispatcher = self._dispatcher()
        return 0 if dispatcher is None else dispatcher.abandon()

    def _hand_over_before_end(self) -> None:
        """Hand over where the process may be about to end; event loops go on dispatching."""
        self._hand_over()
        self._log_drops()

    def _hand_over_at_exit(self) -> None:
        """Hand over at the end of the process; count what no event loop can dispatch any more."""
        self._hand_over_before_end()
        for handler in list(self.handlers.values()):
            if issubclass(type(handler), WatchedHandler):
                with contextlib.suppress(Exception):
                    handler._write_rest()
        abandoned = self._abandon_dispatches()
        if abandoned:
            with contextlib.suppress(Exception):
                self.error(
                    "%d records for asynchronous handlers were never delivered: no event loop ran "
                    "after the calls that made them",
                    abandoned,
                )

    def _forget_inherited(self) -> None:
        """Forget the records that a forked child inherited: the parent hands them over."""
        for metric in self.metrics.values():
            if is_native(metric):
                metric._forget_inherited()
            else:
                self._forget_records_of(metric)
        self._core.forget_inherited()
        self._abandon_dispatches()

    def _forget_records_of(self, metric: Any) -> None:
        try:
            metric.cleanup()
        except Exception as error:
            self._report_failure(f"cleanup of metric {metric!r}", error)

    # The log.

    def _report_failure(self, what: str, error: BaseException) -> None:
        """Log what a handler, hook or override raised: at once, then once a minute."""
        left_out = admit_log_line(f"{self._serial}|{what}|{type(error).__qualname__}")
        if left_out is None:
            return
        more = f" ({left_out} more since the last line)" if left_out else ""
        with contextlib.suppress(Exception):
            self.error(
                "%s raised %s%s",
                what,
                type(error).__name__,
                more,
                exc_info=(type(error), error, error.__traceback__),
            )

    def _report_dropped(self, count: int) -> None:
        """Log how many records were dropped: at once, then once a minute."""
        self._dropped_records += count
        self._unlogged_drops += count
        if admit_log_line(f"{self._serial}|dropped") is not None:
            self._log_drops()

    def _log_drops(self) -> None:
        count, self._unlogged_drops = self._unlogged_drops, 0
        if count:
            with contextlib.suppress(Exception):
                self.error(
                    "%d records dropped, the oldest: no handler takes them and the limit is "
                    "reached",
                    count,
                )
