"""From a profiler's configuration to the plan that the native core follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._ext import AsyncExtProfiler, SyncExtProfiler
from ._handler_kind import direct_delivery, handler_kind
from ._hooks import HOOKS
from ._overridden import overridden
from ._phanos import Plan
from .metrics import Histogram, MetricWrapper, ResponseSize, TimeProfiler
from .tree import ContextTree

if TYPE_CHECKING:
    from ._profiler import Profiler

STEPS = (
    "needs_profiling",
    "get_records_count",
    "set_curr_node",
    "delete_curr_node",
    "measure_execution_start",
    "before_func_profiling",
    "after_function_profiling",
    "handle_records_clear",
    "force_handle_records_clear",
)
"""Steps of a profiled call that a subclass of `Profiler` may override."""

EXT_STEPS = (
    "handle_records_clear",
    "force_handle_records_clear",
    "sync_inner",
    "async_inner",
    "generator_inner",
    "async_generator_inner",
)

RECORD_METHODS = (
    "to_records",
    "cleanup",
    "name",
    "units",
    "job",
    "metric",
    "values",
    "label_values",
    "method",
)
"""What the core does by itself for metrics that override none of it."""


def build(profiler: Profiler, base: type) -> Plan:
    """
    Work out the plan for `profiler`.

    Args:
        profiler: its metrics, handlers and hooks are read.
        base: the class whose own steps count as not overridden.
    """
    time = profiler.time_profile
    size = profiler.resp_size_profile
    own_time = time is not None and (
        not isinstance(time, TimeProfiler)
        or overridden(time, TimeProfiler, ("stop",))
        or overridden(time, Histogram, ("observe",))
    )
    own_size = size is not None and (
        not isinstance(size, ResponseSize)
        or overridden(size, ResponseSize, ("rec",))
        or overridden(size, Histogram, ("observe",))
    )
    own_steps = overridden(profiler, base, STEPS) or own_time or own_size or _own_ext(profiler)
    own_steps = own_steps or overridden(
        profiler.tree, ContextTree, ("delete_node", "find_and_delete_node")
    )
    return Plan(
        profiler,
        metrics=[
            (metric, overridden(metric, MetricWrapper, RECORD_METHODS))
            for metric in list(profiler.metrics.values())
        ],
        handlers=[
            (handler, handler_kind(handler), direct_delivery(handler))
            for handler in list(profiler.handlers.values())
        ],
        time=None if own_time else time,
        size=None if own_size else size,
        hooks=tuple(profiler._adapted_hooks.get(name) for name in _HOOK_ORDER),  # type: ignore[arg-type]
        limit=max(int(profiler.RECORDS_LEN_LIMIT), 1),
        keep=max(int(profiler.RECORDS_ERR_LIMIT), 0),
        overridden=own_steps,
    )


_HOOK_ORDER = ("before_func", "after_func", "before_root_func", "after_root_func")
assert set(_HOOK_ORDER) == set(HOOKS)


def _own_ext(profiler: Profiler) -> bool:
    ext = profiler.profile_ext
    if ext is None:
        return False
    for base in (SyncExtProfiler, AsyncExtProfiler):
        if isinstance(ext, base):
            return overridden(ext, base, EXT_STEPS)
    return True
