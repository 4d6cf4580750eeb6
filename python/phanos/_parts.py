"""What every room of a profiler knows: its parts, and how failures in them are told."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any

from ._ext import AbstractExtProfiler
from ._hooks import Hook
from ._phanos import MethodTreeNode, ProfilerCore, due
from .log import InstanceLoggerMixin
from .metrics import MetricWrapper, ResponseSize, TimeProfiler
from .tree import ContextTree

if TYPE_CHECKING:
    from ._delivery import Courier


class ProfilerParts(InstanceLoggerMixin):
    """The parts of a `Profiler`, which alone makes them."""

    tree: ContextTree
    metrics: dict[str, MetricWrapper]
    handlers: dict[str, Any]
    job: str
    handle_records: bool
    time_profile: TimeProfiler | None
    resp_size_profile: ResponseSize | None
    profile_ext: AbstractExtProfiler | None
    before_func: Hook | None
    after_func: Hook | None
    before_root_func: Hook | None
    after_root_func: Hook | None

    _ready: bool
    """False while parts change that belong together: there is no plan for them yet."""
    _core: ProfilerCore
    _adapted_hooks: dict[str, Hook | None]
    _error_raised_label: bool
    _untold_drops: int
    """Records that were dropped since a log line said so."""
    _serial: int
    """Tells profilers apart in what is told once; `id` is used again after one is gone."""

    @property
    def curr_node(self) -> contextvars.ContextVar[MethodTreeNode]:
        """The node of the profiled call under way here; the root of the tree outside of any."""
        return self._core.curr_node

    def _courier(self) -> Courier:
        """Return what brings batches to asynchronous handlers; made when first asked for."""
        made = self._courier_made()
        if made is not None:
            return made
        # Not before: it takes asyncio, which a program without a loop need not load.
        from ._delivery import Courier

        # Whichever thread comes first, there is one.
        new = Courier(self._report_failure, self._report_dropped)
        first: Courier = self.__dict__.setdefault("_made_courier", new)
        return first

    def _courier_made(self) -> Courier | None:
        """Return the courier if there is one: without it nothing waits for a loop."""
        return self.__dict__.get("_made_courier")

    def _report_failure(self, what: str, error: BaseException) -> None:
        """Log what a handler, hook or override raised: at once, then once a minute."""
        left_out = due(f"{self._serial}|{what}|{type(error).__qualname__}")
        if left_out is None:
            return
        more = f" ({left_out} more since the last line)" if left_out else ""
        self.error(
            "%s raised %s%s",
            what,
            type(error).__name__,
            more,
            exc_info=(type(error), error, error.__traceback__),
        )

    def _report_dropped(self, count: int) -> None:
        """Log how many records went since the last such line: at once, then once a minute."""
        self._untold_drops += count
        if due(f"{self._serial}|dropped") is not None:
            self._tell_drops()

    def _tell_drops(self) -> None:
        count, self._untold_drops = self._untold_drops, 0
        if count:
            self.error(
                "%d records dropped, the oldest: no handler takes them and the limit is reached",
                count,
            )
