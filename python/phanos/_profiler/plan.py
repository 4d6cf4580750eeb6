"""
From a profiler's configuration to the plan that the native core follows.

What a call has to do is worked out here when the configuration changes, not in each call. So this
module also knows what users override, how each kind of handler is served, and which parts of a
profiler have to announce their changes.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from phanos._calls.hooks import HOOKS
from phanos._calls.kinds import is_coroutine_function
from phanos._handlers import prometheus, rabbitmq
from phanos._metrics.body_size import body_size
from phanos._phanos import Delivery, MethodTreeNode, Plan
from phanos._watching import registry
from phanos._watching.replaced import Originals, WatchedType, in_force
from phanos.handlers import (
    AsyncBaseHandler,
    PrometheusHandler,
    writes_to_logger,
    writes_to_stream,
)
from phanos.metrics import MetricWrapper, ResponseSize, TimeProfiler
from phanos.tree import TREE_ORIGINALS

from .protocols import ProfilerProtocol
from .steps import runs_as_usual

if TYPE_CHECKING:
    from phanos._phanos import _HandlerKind as HandlerKind

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
"""Attributes of a metric that the native core bypasses unless one of them was replaced."""

_RECORDS = Originals(MetricWrapper, RECORD_METHODS)
_NANOSECONDS = 6
"""Decimals of milliseconds."""

_DURATIONS = Originals(TimeProfiler, ("stop", "observe"))
_SIZES = Originals(ResponseSize, ("rec", "observe"))

_HOOK_ORDER = ("before_func", "after_func", "before_root_func", "after_root_func")
assert set(_HOOK_ORDER) == set(HOOKS)


def build(profiler: ProfilerProtocol, steps: Originals) -> Plan:
    """
    Work out the plan of `profiler`.

    Args:
        profiler: its metrics, handlers and hooks are read.
        steps: the steps of a profiler that the native core can take.
    """
    time, size = profiler.time_profile, profiler.resp_size_profile
    is_usual = (
        _measures_as(time, TimeProfiler, _DURATIONS)
        and _measures_as(size, ResponseSize, _SIZES)
        and not steps.are_replaced_in(profiler)
        and runs_as_usual(profiler.profile_ext)
        and not TREE_ORIGINALS.are_replaced_in(profiler.tree)
        and in_force("MethodTreeNode", MethodTreeNode) is MethodTreeNode
    )
    options = profiler._options
    rate = options.sample_rate
    return Plan(
        profiler,
        sampling=None if rate == 1 else (rate, _silent_plan(profiler), _has_own(profiler)),
        metrics=[
            (metric, makes_records_itself(metric)) for metric in list(profiler.metrics.values())
        ],
        handlers=[
            (handler, handler_kind(handler), direct_delivery(handler))
            for handler in list(profiler.handlers.values())
        ],
        time=time if _measures_as(time, TimeProfiler, _DURATIONS) else None,
        size=size if _measures_as(size, ResponseSize, _SIZES) else None,
        hooks=tuple(profiler._adapted_hooks.get(name) for name in _HOOK_ORDER),  # type: ignore[arg-type]
        flush_threshold=max(int(profiler.RECORDS_LEN_LIMIT), 1),
        max_unhandled=max(int(profiler.RECORDS_ERR_LIMIT), 0),
        overridden=not is_usual,
        time_decimals=_time_decimals(profiler, time),
        measure_size=body_size if getattr(size, "size_of", "") == "body" else None,
        ignores=options.ignores,
    )


def _time_decimals(profiler: ProfilerProtocol, time: Any) -> int:
    """
    Return how many decimals of milliseconds are recorded.

    Prometheus gets nanoseconds, unless other handlers get the same records: sums of short calls
    would be nothing. Nothing of 0.3.2 is there to compare with.
    """
    handlers = list(profiler.handlers.values())
    if handlers and all(type(handler) is PrometheusHandler for handler in handlers):
        return _NANOSECONDS
    return getattr(time, "decimals", TimeProfiler.decimals)


def _silent_plan(profiler: ProfilerProtocol) -> Plan:
    """Return the plan of calls that `sample_rate` leaves out."""
    return Plan(
        profiler,
        metrics=[],
        handlers=[],
        time=None,
        size=None,
        hooks=(None, None, None, None),
        flush_threshold=1,
        max_unhandled=0,
        overridden=False,
    )


def _has_own(profiler: ProfilerProtocol) -> bool:
    """Tell whether `profiler` has metrics beside the built-in ones, whose records have paths."""
    built_in = (profiler.time_profile, profiler.resp_size_profile)
    return any(all(metric is not one for one in built_in) for metric in profiler.metrics.values())


def _measures_as(metric: object, kind: type, originals: Originals) -> bool:
    """Tell whether the native core can store what `metric`, built in as `kind`, would measure."""
    if metric is None:
        return True
    return issubclass(type(metric), kind) and not originals.are_replaced_in(metric)


def is_native(metric: object) -> bool:
    """Tell whether `metric` has waiting records of the native core, by its true class."""
    return issubclass(type(metric), MetricWrapper)


def makes_records_itself(metric: object) -> bool:
    """Tell whether the records of `metric` have to be asked for by its methods."""
    return not is_native(metric) or _RECORDS.are_replaced_in(metric)


_PARTS_OF_METRIC = ("name", "label_names", "to_records", "cleanup")


def check_metric(metric: Any) -> None:
    """Raise TypeError if `metric` lacks something that a profiler needs of a metric."""
    if inspect.isclass(metric) or not all(hasattr(metric, part) for part in _PARTS_OF_METRIC):
        raise TypeError(
            f"add_metric expects a metric of phanos.metrics, or an object with "
            f"{', '.join(_PARTS_OF_METRIC)}, got {metric!r}"
        )


def label_error_raised(metric: Any, is_labelled: bool) -> None:
    """Give `metric` the label `error_raised`, or take it away, if its labels can be changed."""
    names = getattr(metric, "label_names", None)
    change = getattr(names, "add" if is_labelled else "discard", None)
    if callable(change):
        change("error_raised")


def waiting_in(metric: Any) -> int:
    """Return the number of records that wait in `metric`; 0 if it does not tell."""
    try:
        return len(metric.values)
    except (AttributeError, TypeError):
        return 0


def root_of(tree: Any) -> MethodTreeNode:
    """Return the root of `tree`, or a node of its own if users put in a tree without nodes."""
    root = tree.root
    return root if issubclass(type(root), MethodTreeNode) else MethodTreeNode()


def checked_handler(handler: Any, may_be_async: bool) -> Any:
    """Return the name of a handler that can be added, or raise what `add_handler` says."""
    if inspect.iscoroutine(handler):
        handler.close()
        raise TypeError(
            "add_handler expects a handler, got a coroutine that nobody awaited: write "
            f"add_handler(await ...), as of {handler.__qualname__}"
        )
    if inspect.isclass(handler) or not callable(getattr(handler, "handle", None)):
        raise TypeError(f"add_handler expects a handler with a handle method, got {handler!r}")
    name: Any = getattr(handler, "handler_name", None)
    # Anything that can be a key, as the attribute of a mock.
    if name is None or name == "" or not isinstance(name, Hashable):
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
    return isinstance(handler, AsyncBaseHandler) or is_coroutine_function(
        getattr(handler, "handle", None)
    )


def direct_delivery(handler: Any) -> Delivery | None:
    """Return the delivery that the core gives rows to, if nothing in `handler` was replaced."""
    return rabbitmq.direct_delivery(handler) or prometheus.direct_delivery(handler)


def handler_kind(handler: Any) -> HandlerKind:
    """Tell how the core serves `handler`; one with overridden methods is `python` or `async`."""
    if direct_delivery(handler) is not None:
        return "delivery"
    if is_async(handler):
        return "async"
    if writes_to_stream(handler):
        return "stream"
    if writes_to_logger(handler):
        return "logger"
    return "python"


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


class ProfilerType(WatchedType):
    """The class of profiler classes: limits and steps assigned to one change its objects' plans."""

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        cls._refresh_profilers()

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        cls._refresh_profilers()

    def _refresh_profilers(cls) -> None:
        for profiler in registry.profilers():
            if isinstance(profiler, cls):
                profiler._refresh()
