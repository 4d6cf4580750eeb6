"""The profiler: what is measured, how functions are decorated, where records go."""

from __future__ import annotations

import contextvars
import functools
import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast, overload
from typing import Literal as Literal  # Named in the signature of `config`, as are the others.

from phanos import config as handler_config
from phanos._arguments.signatures import declares
from phanos._arguments.suggestions import NAMES, nothing_named, prometheus_takes
from phanos._asynchronous.waiting import checked_timeout, is_loop_running, now
from phanos._calls.hooks import HOOKS, Hook
from phanos._calls.wrappers import decorated
from phanos._handlers.delivering import connected_handlers, flush_all, flush_all_async
from phanos._phanos import (
    MethodTreeNode,
    ProfilerCore,
    began_as_root,
    begin_call,
    call_as,
    end_call,
)
from phanos._watching import registry
from phanos._watching.replaced import Originals, in_force
from phanos.metrics import MetricWrapper, MonotonicStart, ResponseSize, TimeProfiler
from phanos.tree import TREE_ORIGINALS, ContextTree
from phanos.types import HandlerLike, MetricLike
from phanos.types import LoggerLike as LoggerLike

from .configuration import (
    RESPONSE_SIZE,
    TIME_PROFILER,
    Settings,
    arguments_of,
    configure,
    handlers_of,
    in_current_form,
)
from .environment import checked_rate
from .handing_over import HandingOver
from .ignored_errors import IgnoredErrors as IgnoredErrors
from .options import USUAL
from .plan import (
    STEPS,
    check_metric,
    checked_handler,
    is_async,
    label_error_raised,
    root_of,
    waiting_in,
)
from .planned import Planned
from .reports import stats_of, warn_of_unknown
from .snapshot import reset
from .steps import AbstractExtProfiler, AsyncExtProfiler, SyncExtProfiler, call_failed

P = ParamSpec("P")
R = TypeVar("R")
H = TypeVar("H")
"""The class of a handler."""

_serials = itertools.count()
_NOTHING: Any = object()
"""The default of an argument that was not given."""


class Profiler(HandingOver, Planned):
    """
    Measures decorated functions and hands the records to handlers.

    A profiled call makes a node in a call tree; when a root call ends, all waiting records
    go to the handlers. Before it is configured, or without a handler or metric, decorated
    functions just run.

    `before_func`, `before_root_func`: called with `(func, args, kwargs)` before a profiled
    call, or before one that is a root. `after_func`, `after_root_func`: called with
    `(result, args, kwargs)` after it; `result` is None after an exception, which
    `sys.exc_info()` then shows. Arguments are packed. An `Exception` in a hook is logged.
    """

    RECORDS_LEN_LIMIT: int = 100
    """With that many records waiting, any profiled call that ends hands them over."""
    RECORDS_ERR_LIMIT: int = 3000
    """Records that may wait while no handler is attached; beyond it the oldest are dropped."""

    tree: ContextTree
    metrics: dict[str, MetricWrapper]
    handlers: dict[str, HandlerLike]
    job: str
    handle_records: bool
    time_profile: TimeProfiler | None
    resp_size_profile: ResponseSize | None
    profile_ext: AbstractExtProfiler | None
    before_func: Hook | None
    after_func: Hook | None
    before_root_func: Hook | None
    after_root_func: Hook | None

    def __init__(self) -> None:
        super().__init__(logged_name="phanos", logger_name="phanos.publisher")
        self._is_plan_deferred = True
        """While parts change that belong together: there is one new plan after the last change."""
        self._plan_revision = 0
        self._serial = next(_serials)
        """Tells profilers apart where log lines are counted; unlike an `id` it is never reused."""
        self._unlogged_drops = 0
        """Records that were dropped since a log line told how many."""
        self._dropped_records = 0
        self._is_paused = False
        self._options = USUAL
        self._adapted_hooks: dict[str, Hook | None] = {}
        self._error_raised_label = True
        self._attached_metrics: list[MetricWrapper] = []
        tree = in_force("ContextTree", ContextTree)()
        self._core = ProfilerCore(root_of(tree), "curr_node")
        self.tree = tree
        self.metrics = {}
        self.handlers = {}
        self.job = ""
        self.handle_records = False
        self.time_profile = None
        self.resp_size_profile = None
        self.profile_ext = None
        for hook in HOOKS:
            setattr(self, hook, None)
        self._is_plan_deferred = False
        registry.add_profiler(self)

    # Configuration.

    @declares(Settings)
    def config(self, /, *args: Any, **kwargs: Any) -> None:
        """
        Configure for synchronous handlers; handlers that are attached stay.

        Args:
            logger: for what the profiler itself has to say: a logger, any object with a method
                `log`, or the name of one; by default `phanos.publisher`.
            job: Prometheus job label, usually the application's name. A bool here means the
                arguments of phanos 0.1: `config(logger, time_profile, resp_size_profile,
                handle_records)`.
            time_profile: measure durations: the metric `time_profiler`.
            request_size_profile: old name of response_size_profile, deprecated.
            response_size_profile: measure the size of what root calls return: the metric
                `response_size`.
            handle_records: False turns the profiler off.
            error_raised_label: give every record the label `error_raised`.
            sample_rate: share of the trees that are recorded, from 0 to 1.
            time_decimals: decimals of the milliseconds in records, from 0 to 6. With 2, a thousand
                calls of 4 us add up to nothing; with 6 they are nanoseconds, as they always are
                where all handlers are a `PrometheusHandler`.
            response_size_of: `object` measures what a root call returns as `sys.getsizeof` does;
                `body` the bytes of a text, or of a response of Flask, Starlette or Django. A
                stream, a dict or None has no such size, and no record.
            names: `qualified` puts the class that defines each method into paths:
                `Orders.get > Stock.reserve`; `qualified-by-object` the class of the object that it
                is called on.
            fold_recursion: calls of a function within itself share one path, `walk*`; by default
                only with qualified names.
            max_depth: deeper calls share one path, `(deeper)`; 0 for no limit, which is the
                default; with qualified names it is 50.
            max_paths: calls whose paths would be more share one, `(overflow)`; 0 for no limit,
                which is the default; with qualified names it is 10,000.
            ignored_errors: exceptions that are no errors, such as
                `werkzeug.exceptions.HTTPException` for `abort(404)`: classes, or a function that
                tells of one. The built-in metrics do not label them `error_raised`.
            **kwargs: ignored; a warning names them.

        Raises:
            TypeError: an argument of the wrong type.
            ValueError: an asynchronous handler is attached.

        If it raises, nothing has changed. `PHANOS_ENABLED`, `PHANOS_SAMPLE_RATE` and `PHANOS_JOB`
        of the environment count more than `handle_records`, `sample_rate` and `job`.
        """
        args, kwargs = in_current_form(args, kwargs)
        configure(self, SyncExtProfiler, Settings(*args, **kwargs))

    @declares(Settings)
    def async_config(self, /, *args: Any, **kwargs: Any) -> None:
        """Configure for synchronous and asynchronous handlers; arguments as for `config`."""
        args, kwargs = in_current_form(args, kwargs)
        configure(self, AsyncExtProfiler, Settings(*args, **kwargs))

    def dict_config(self, settings: Mapping[str, Any]) -> None:
        """
        Configure by a dict, for synchronous handlers.

        Args:
            settings: the arguments of `config` by name, `job` being required, and
                `handlers`: `{key: {"class": class or dotted name, **arguments}}`. Values of
                arguments that start `ext://` are imported. The dict is not changed.

        Raises:
            KeyError: `job` is missing, or `class` of a handler.
            ValueError: a handler is asynchronous.
            ImportError, AttributeError: a class or an `ext://` value cannot be imported.
            TypeError: a value of the wrong type, or wrong arguments for a handler.

        If it raises, nothing has changed.
        """
        checked = Settings(**arguments_of(settings))
        handlers = handler_config.create_handlers(handlers_of(settings))
        configure(self, SyncExtProfiler, checked, handlers, time_first=True)

    async def async_dict_config(self, settings: Mapping[str, Any]) -> None:
        """Configure by a dict, for handlers of both kinds; see `dict_config`."""
        checked = Settings(**arguments_of(settings))
        handlers = await handler_config.create_async_handlers(handlers_of(settings))
        configure(self, AsyncExtProfiler, checked, handlers, time_first=True)

    @property
    def error_raised_label(self) -> bool:
        """Whether every record gets the label `error_raised`; can be set."""
        return self._error_raised_label

    @error_raised_label.setter
    def error_raised_label(self, value: bool) -> None:
        self._error_raised_label = bool(value)
        for metric in self.metrics.values():
            label_error_raised(metric, self._error_raised_label)

    # Switches, and how it is.

    def pause(self) -> None:
        """Record no calls until `resume`; those that run are still recorded when they end."""
        self._is_paused = True

    def resume(self) -> None:
        """Record calls again after `pause`."""
        self._is_paused = False

    @property
    def sample_rate(self) -> float:
        """
        Share of the trees that are recorded, from 0 to 1; can be set.

        Where a root call begins it is chosen, once, whether it and all that it calls are recorded;
        of a tree that is not, hooks are not called either. Operations of metrics are recorded in
        any case. It does not apply while steps of a call are overridden.
        """
        return self._options.sample_rate

    @sample_rate.setter
    def sample_rate(self, rate: float) -> None:
        self._options = self._options._replace(sample_rate=checked_rate("sample_rate", rate))

    def stats(self) -> dict[str, Any]:
        """
        Return how the profiler and its handlers are, as what `json.dumps` takes.

        `enabled`: whether calls are recorded now; `paused`, `sample_rate`, `job`; `waiting`:
        records in the metrics; `dropped`: records that no handler took in time; `paths`: paths
        that were made, `paths_refused`: how often one was not, because of `max_paths`; `handlers`:
        by name, the `class` of each, and what its own `stats()` says, if it has one. A handler that
        cannot say has an `error` instead.
        """
        paths, refused = self._core.path_counts()
        return {
            "enabled": self._core.enabled,
            "paused": self._is_paused,
            "sample_rate": self.sample_rate,
            "job": self.job,
            "waiting": self._core.waiting,
            "dropped": self._dropped_records,
            "paths": paths,
            "paths_refused": refused,
            "handlers": {
                str(name): {"class": type(handler).__name__, **stats_of(handler)}
                for name, handler in list(self.handlers.items())
            },
        }

    def __repr__(self) -> str:
        state = "paused" if self._is_paused else "enabled" if self._core.enabled else "disabled"
        handlers = ", ".join(map(repr, self.handlers.values()))
        return (
            f"<{type(self).__name__} {state}, job={self.job!r}, metrics={list(self.metrics)}, "
            f"handlers=[{handlers}]>"
        )

    # Decorated functions.

    @overload
    def profile(self, func: Callable[P, R], *, name: str | None = None) -> Callable[P, R]: ...
    @overload
    def profile(self, *, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def profile(self, func: Any = _NOTHING, *, name: str | None = None) -> Any:
        """
        Decorate a function, coroutine function, generator or asynchronous generator.

        Put it right above the definition, below `@classmethod`, `@staticmethod`, routes and
        the like.

        Args:
            func: the function.
            name: what the function is called in paths, as in `@profile(name="checkout")`; its own
                name by default.

        Raises:
            TypeError: func is not callable, or name is no text.
        """
        if name is not None and not (isinstance(name, str) and name):
            raise TypeError(f"profile expects a non-empty str as name, got {name!r}")
        if func is not _NOTHING:
            return decorated(self._core, func, name)
        if name is None:
            raise TypeError("profile expects a function: write @profile, or @profile(name=...)")

        def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
            return decorated(self._core, func, name)

        return decorate

    # Metrics.

    def create_time_profiler(self) -> None:
        """Add the built-in metric of durations."""
        make = in_force("TimeProfiler", TimeProfiler)
        name = in_force("TIME_PROFILER", TIME_PROFILER)
        self.time_profile = make(name, job=self.job, logger=self.logger)
        self.time_profile.decimals = self._options.time_decimals
        self.add_metric(self.time_profile)
        self.debug("Phanos - time profiler created")

    def create_response_size_profiler(self) -> None:
        """Add the built-in metric of response sizes."""
        make = in_force("ResponseSize", ResponseSize)
        name = in_force("RESPONSE_SIZE", RESPONSE_SIZE)
        self.resp_size_profile = make(name, job=self.job, logger=self.logger)
        self.resp_size_profile.size_of = self._options.response_size_of
        self.add_metric(self.resp_size_profile)
        self.debug("Phanos - response size profiler created")

    def add_metric(self, metric: MetricLike) -> None:
        """
        Add a metric; one of the same name is replaced, after its records are handed over.

        Args:
            metric: one of `phanos.metrics`, or anything else that has `name`, `label_names`,
                `to_records()` and `cleanup()`; what `to_records` returns goes to the handlers.

        Raises:
            TypeError: not a metric.
        """
        check_metric(metric)
        is_built_in = metric is self.time_profile or metric is self.resp_size_profile
        known = self.metrics.get(metric.name)
        if known is not None and known is not metric and not is_built_in:
            self.warning("add_metric: metric %r already exists and is replaced", metric.name)
        if not prometheus_takes(metric.name):
            self.warning(
                "add_metric: Prometheus does not take %r as a name: %s", metric.name, NAMES
            )
        before = self.metrics.get(metric.name)
        if before is not None and before is not metric:
            self._hand_over()
        if self._error_raised_label:
            label_error_raised(metric, True)
        self.metrics[metric.name] = cast("MetricWrapper", metric)
        if before is not None and before is not metric:
            self._hand_over_rest(before)
        self.debug("Metric %r added to phanos profiler", metric.name)

    def delete_metric(self, item: str) -> None:
        """Delete the metric named `item`, after handing over; unknown names are a warning."""
        metric = self.metrics.get(item)
        if metric is None:
            self.warning("delete_metric: %s", nothing_named("metric", item, self.metrics))
            return
        self._hand_over()
        self.metrics.pop(item, None)
        self._hand_over_rest(metric)
        if metric is self.time_profile:
            self.time_profile = None
        if metric is self.resp_size_profile:
            self.resp_size_profile = None
        self.debug("metric %s deleted", item)

    def delete_metrics(
        self, rm_time_profile: bool = False, rm_resp_size_profile: bool = False
    ) -> None:
        """Delete all metrics; the built-in ones only if asked to."""
        for name in list(self.metrics):
            if (name == TIME_PROFILER and not rm_time_profile) or (
                name == RESPONSE_SIZE and not rm_resp_size_profile
            ):
                continue
            self.delete_metric(name)

    def get_records_count(self) -> int:
        """Return the number of records waiting in all metrics."""
        return sum(waiting_in(metric) for metric in self.metrics.values())

    # Handlers.

    def add_handler(self, handler: HandlerLike) -> None:
        """
        Add a handler; one of the same name is replaced, after records are handed over.

        Args:
            handler: one of `phanos.handlers`, or anything else that has `handler_name` and
                `handle(records, profiler_name)`.

        Raises:
            RuntimeError: the profiler is not configured yet.
            TypeError: no handler, or one without a name.
            ValueError: an asynchronous handler for a profiler configured by `config`.
        """
        if self.profile_ext is None:
            raise RuntimeError("Profiler not configured yet")
        # One of users' own is taken to await what is asynchronous.
        is_sync = isinstance(self.profile_ext, SyncExtProfiler)
        name = checked_handler(handler, may_be_async=not is_sync)
        if name in self.handlers:
            self.warning("add_handler: handler %r already exists and is replaced", name)
            self._hand_over()
        self.handlers[name] = handler
        if is_async(handler) and is_loop_running():
            self._make_dispatcher().note_loop()
        self.debug("Handler %r added to phanos profiler", name)

    addHandler = add_handler

    @overload
    def get_handler(self, handler_name: str) -> HandlerLike: ...
    @overload
    def get_handler(self, handler_name: str, kind: type[H]) -> H: ...
    def get_handler(self, handler_name: str, kind: type[Any] = object) -> Any:
        """
        Return the handler of that name as what was put in: it has the type `kind`.

        Raises:
            KeyError: there is none of that name.
            TypeError: it is none of `kind`.
        """
        handler = self.handlers.get(handler_name)
        if handler is None:
            raise KeyError(nothing_named("handler", handler_name, self.handlers))
        if not isinstance(handler, kind):
            raise TypeError(f"handler {handler_name!r} is no {kind.__name__}: {handler!r}")
        return handler

    def delete_handler(self, handler_name: str) -> None:
        """Delete a handler, after handing over; unknown names are a warning."""
        if handler_name not in self.handlers:
            self.warning(
                "delete_handler: %s", nothing_named("handler", handler_name, self.handlers)
            )
            return
        self._hand_over()
        self.handlers.pop(handler_name, None)
        self.debug("handler %r deleted", handler_name)

    deleteHandler = delete_handler

    def delete_handlers(self) -> None:
        """Delete all handlers, after handing over."""
        self._hand_over()
        self.handlers.clear()
        self.debug("all handlers deleted")

    def reset(self) -> None:
        """
        Take metrics, handlers, hooks and settings away, as if the profiler had just been made.

        Records that wait are handed over first.
        """
        reset(self)

    def clear(self) -> None:
        """Forget all waiting records and all live calls; the configuration stays."""
        for metric in self.metrics.values():
            metric.cleanup()
        self.tree.clear()
        self.curr_node.set(root_of(self.tree))

    # Profiled calls, and their steps, which subclasses may override.

    def needs_profiling(self) -> bool:
        """Tell whether decorated functions are measured at all."""
        is_on = self.handle_records and not self._is_paused
        return bool(self.metrics and self.handlers and is_on)

    @property
    def curr_node(self) -> contextvars.ContextVar[MethodTreeNode]:
        """The node of the profiled call under way here; the root of the tree outside of any."""
        return self._core.curr_node

    def set_curr_node(self, func: Callable[..., Any]) -> MethodTreeNode:
        """Make a node for a call of `func` under the current one, and make it current."""
        make = in_force("MethodTreeNode", MethodTreeNode)
        if make is not MethodTreeNode:
            node = make(func, self.logger)
            if issubclass(type(node), MethodTreeNode):
                self.curr_node.get().add_child(node)
                self.curr_node.set(node)
                return node
        return begin_call(self._core, func)

    def delete_curr_node(self, current_node: MethodTreeNode) -> None:
        """Take `current_node` out of the tree; its caller's node is current again."""
        if type(self.tree) is not ContextTree or TREE_ORIGINALS.are_replaced_in(self.tree):
            self.tree.find_and_delete_node(current_node)
        end_call(self._core, current_node)

    def measure_execution_start(self) -> MonotonicStart | None:
        """Return the start for `TimeProfiler.stop`; None if durations are not measured."""
        return MonotonicStart.take() if self.time_profile is not None else None

    def before_func_profiling(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> MonotonicStart | None:
        """Run the hooks before a call of the current node and return its start."""
        if began_as_root(self.curr_node.get()):
            self._run_hook("before_root_func", func, args, kwargs)
        self._run_hook("before_func", func, args, kwargs)
        return self.measure_execution_start()

    def after_function_profiling(
        self,
        result: Any,
        start_ts: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """Measure the call of the current node and run the hooks after it."""
        node = self.curr_node.get()
        if self.time_profile is not None and start_ts is not None:
            self._measure(
                self.time_profile.stop, start=start_ts, current_node=node, label_values={}
            )
        self._run_hook("after_func", result, args, kwargs)
        if began_as_root(node):
            if self.resp_size_profile is not None:
                self._measure(
                    self.resp_size_profile.rec, value=result, current_node=node, label_values={}
                )
            self._run_hook("after_root_func", result, args, kwargs)

    def _measure(self, operation: Callable[..., None], **arguments: Any) -> None:
        # By name, as in 0.3.2, which those who replace the operation rely on.
        failed = call_failed.get()
        try:
            if failed is None:
                operation(**arguments)
            else:
                # `error_raised` says how this call ended, not which exception its caller handles.
                call_as(failed, functools.partial(operation, **arguments))
        except Exception as error:
            self._report_failure(f"metric operation {operation!r}", error)

    def _run_hook(self, name: str, *args: Any) -> None:
        hook = self._adapted_hooks.get(name)
        if hook is None:
            return
        try:
            hook(*args)
        except Exception as error:
            self._report_failure(name, error)

    # Records on their way to the handlers.

    def handle_records_clear(self) -> Any:
        """Hand all waiting records to the handlers; to be awaited after `async_config`."""
        return None if self.profile_ext is None else self.profile_ext.handle_records_clear()

    def force_handle_records_clear(self) -> Any:
        """Hand all waiting records over; to be awaited after `async_config`."""
        return None if self.profile_ext is None else self.profile_ext.force_handle_records_clear()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """
        Hand all waiting records to the handlers.

        Args:
            timeout_s: seconds to wait for handlers that deliver in the background.

        Returns True if nothing is left; batches for asynchronous handlers are left if no
        event loop has dispatched them yet (see `aflush`), and records for RabbitMQ if the broker
        has not confirmed them.
        """
        checked_timeout(timeout_s)
        end = now() + timeout_s
        self._hand_over()
        dispatcher = self._dispatcher()
        if dispatcher is not None:
            dispatcher.pass_on()
        delivered = flush_all(connected_handlers(self.handlers.values()), end)
        return delivered and self._is_nothing_waiting()

    async def aflush(self, timeout_s: float = 5.0) -> bool:
        """
        Hand all waiting records to the handlers and await the asynchronous ones.

        Args:
            timeout_s: seconds to wait; what is not done by then goes on in the background.

        Returns True if nothing is left.
        """
        checked_timeout(timeout_s)
        end = now() + timeout_s
        dispatched = await self._flush_dispatcher(self._core.hand_over() or [], timeout_s)
        delivered = await flush_all_async(connected_handlers(self.handlers.values()), end)
        return dispatched and delivered and self._is_nothing_waiting()

    def __setattr__(self, name: str, value: Any) -> None:
        if (
            type(self) is Profiler
            and name[0] != "_"
            and not (name in _KNOWN or name in vars(self) or hasattr(Profiler, name))
        ):
            warn_of_unknown(name, _KNOWN)
        super().__setattr__(name, value)


_KNOWN = frozenset(
    name
    for kind in (*Profiler.__mro__[:-1],)
    for name in (*inspect.get_annotations(kind), *vars(kind))
    if not name.startswith("_")
)
"""Attributes that a profiler has."""

Profiler._own_steps = Originals(Profiler, STEPS)
Profiler._own_check = Originals(Profiler, ("needs_profiling",))


def _shown(self: Profiler, func: Callable[..., Any], *, name: str | None = None) -> Any:
    """Show the parameters of `profile`: its first is one that must be given, or else a name."""


Profiler.profile.__signature__ = inspect.signature(_shown)  # type: ignore[attr-defined]
