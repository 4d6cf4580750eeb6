"""
From a profiler's configuration to the plan that the native core follows.

What a call has to do is worked out here when the configuration changes, not in each call. So this
module also knows what users override, how each kind of handler is served, and which parts of a
profiler have to announce their changes.
"""

from __future__ import annotations

import abc
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import _registry
from ._ext import AsyncExtProfiler, SyncExtProfiler
from ._hooks import HOOKS
from ._phanos import Delivery, Plan
from ._protocols import ProfilerProtocol
from .handlers import (
    AsyncBaseHandler,
    AsyncImpProfHandler,
    ImpProfHandler,
    LoggerHandler,
    OutputFormatter,
    StreamHandler,
)
from .metrics import Histogram, MetricWrapper, ResponseSize, TimeProfiler
from .tree import ContextTree

if TYPE_CHECKING:
    from ._phanos import _HandlerKind as HandlerKind

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
"""Steps of a profiled call that subclasses of `Profiler` may override."""

_EXT_STEPS = (
    "handle_records_clear",
    "force_handle_records_clear",
    "sync_inner",
    "async_inner",
    "generator_inner",
    "async_generator_inner",
)
"""Steps of a profiled call that subclasses of the classes of `_ext` may override."""

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
"""Attributes of a metric that the native core bypasses unless one of them is overridden."""

_HOOK_ORDER = ("before_func", "after_func", "before_root_func", "after_root_func")
assert set(_HOOK_ORDER) == set(HOOKS)


def build(profiler: ProfilerProtocol, base: type) -> Plan:
    """
    Work out the plan of `profiler`.

    Args:
        profiler: its metrics, handlers and hooks are read.
        base: the class whose own steps count as not overridden.
    """
    time = profiler.time_profile
    size = profiler.resp_size_profile
    overrides_time = time is not None and (
        not isinstance(time, TimeProfiler)
        or overridden(time, TimeProfiler, ("stop",))
        or overridden(time, Histogram, ("observe",))
    )
    overrides_size = size is not None and (
        not isinstance(size, ResponseSize)
        or overridden(size, ResponseSize, ("rec",))
        or overridden(size, Histogram, ("observe",))
    )
    overrides_steps = (
        overrides_time
        or overrides_size
        or overridden(profiler, base, STEPS)
        or _overrides_ext(profiler.profile_ext)
        or overridden(profiler.tree, ContextTree, ("delete_node", "find_and_delete_node"))
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
        time=None if overrides_time else time,
        size=None if overrides_size else size,
        hooks=tuple(profiler._adapted_hooks.get(name) for name in _HOOK_ORDER),  # type: ignore[arg-type]
        flush_threshold=max(int(profiler.RECORDS_LEN_LIMIT), 1),
        max_unhandled=max(int(profiler.RECORDS_ERR_LIMIT), 0),
        overridden=overrides_steps,
    )


def _overrides_ext(ext: object) -> bool:
    if ext is None:
        return False
    for base in (SyncExtProfiler, AsyncExtProfiler):
        if isinstance(ext, base):
            return overridden(ext, base, _EXT_STEPS)
    return True


def overridden(component: object, base: type, names: Iterable[str]) -> bool:
    """Tell whether `component` has an attribute of `names` that is not the one of `base`."""
    cls = type(component)
    own: Any = getattr(component, "__dict__", ())
    return any(
        name in own or getattr(cls, name, None) is not getattr(base, name, None) for name in names
    )


def checked_handler(handler: Any, may_be_async: bool) -> str:
    """Return the name of a handler that can be added, or raise what `add_handler` says."""
    name = getattr(handler, "handler_name", None)
    if inspect.isclass(handler) or not callable(getattr(handler, "handle", None)):
        raise TypeError(f"add_handler expects a handler with a handle method, got {handler!r}")
    if not isinstance(name, str) or not name:
        raise TypeError(
            f"add_handler expects a handler with a str as handler_name, got {name!r} of {handler!r}"
        )
    if is_async(handler) and not may_be_async:
        raise ValueError(
            f"Handler {name!r} is asynchronous, but profiler is synchronous: configure it with "
            "async_config or async_dict_config"
        )
    return name


def is_async(handler: Any) -> bool:
    """Tell whether batches for `handler` are awaited."""
    return isinstance(handler, AsyncBaseHandler) or inspect.iscoroutinefunction(
        getattr(handler, "handle", None)
    )


def direct_delivery(handler: Any) -> Delivery | None:
    """Return the delivery that the core gives rows to, if nothing in `handler` was replaced."""
    for base in (ImpProfHandler, AsyncImpProfHandler):
        if (
            isinstance(handler, base)
            and not overridden(handler, base, ("handle", "_enqueue", "_write_log_lines"))
            # Not there if a subclass overrides the constructor without calling it.
            and type(getattr(handler, "formatter", None)) is OutputFormatter
            and hasattr(handler, "publisher")
            and not handler._has_own_publisher()
            and not handler.synchronous
        ):
            return handler._delivery
    return None


def handler_kind(handler: Any) -> HandlerKind:
    """Tell how the core serves `handler`; one with overridden methods is `python` or `async`."""
    if direct_delivery(handler) is not None:
        return "rabbitmq"
    if is_async(handler):
        return "async"
    if _writes_text_as(handler, StreamHandler):
        return "stream"
    if _writes_text_as(handler, LoggerHandler):
        return "logger"
    return "python"


def _writes_text_as(handler: Any, base: type) -> bool:
    return (
        isinstance(handler, base)
        and not overridden(handler, base, ("handle", "_text"))
        and type(getattr(handler, "formatter", None)) is OutputFormatter
    )


class Observed(dict[str, Any]):
    """A dict that calls a function after every change."""

    __slots__ = ("_changed",)

    def __init__(self, items: Mapping[str, Any], changed: Callable[[], None]) -> None:
        super().__init__(items)
        self._changed = changed


def _announcing(name: str) -> Callable[..., Any]:
    change = getattr(dict, name)

    @functools.wraps(change)
    def method(self: Observed, *args: Any, **kwargs: Any) -> Any:
        result = change(self, *args, **kwargs)
        self._changed()
        return result

    return method


for _name in (
    "__setitem__",
    "__delitem__",
    "__ior__",
    "clear",
    "pop",
    "popitem",
    "setdefault",
    "update",
):
    setattr(Observed, _name, _announcing(_name))


class ProfilerType(abc.ABCMeta):
    """The class of profiler classes: limits and steps assigned to one change its objects' plans."""

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        for profiler in _registry.profilers():
            if isinstance(profiler, cls):
                profiler._refresh()
