"""The profiler: what is measured, how calls are marked, where records go."""

from __future__ import annotations

import contextvars
import functools
import inspect
import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, ParamSpec, TypeVar

from . import _registry
from ._delivery import Courier, Delivery
from ._ext import AbstractExtProfiler, AsyncExtProfiler, SyncExtProfiler, call_failed
from ._hooks import HOOKS, Hook, adapted
from ._observed import Observed, ProfilerType
from ._phanos import MethodTreeNode, ProfilerCore, call_as, decorate, due, flush_future
from ._plan import STEPS, build
from ._rollback import all_or_nothing
from ._settings import arguments_of, checked_timeout, handlers_of, logger_of, with_old_form
from ._wrappers import coroutine_wrapper, maker_for, template
from .config import create_async_handlers, create_handlers
from .handlers import AsyncBaseHandler, SyncBaseHandler
from .log import InstanceLoggerMixin
from .metrics import MetricWrapper, MonotonicStart, ResponseSize, TimeProfiler
from .tree import ContextTree
from .types import LoggerLike

P = ParamSpec("P")
R = TypeVar("R")

TIME_PROFILER = "time_profiler"
"""Name of the built-in metric of durations."""
RESPONSE_SIZE = "response_size"
"""Name of the built-in metric of response sizes."""

IMPLICITLY_CLASSMETHODS = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})
"""Functions that a class statement binds by itself, which it does for real functions only."""

_serials = itertools.count()
"""Tells profilers apart in what is told once; `id` is used again after one is gone."""


class Profiler(InstanceLoggerMixin, metaclass=ProfilerType):
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

    RECORDS_LEN_LIMIT = 100
    """With that many records waiting, any profiled call hands over when it ends."""
    RECORDS_ERR_LIMIT = 3000
    """Records that may wait while no handler is attached; beyond it the oldest go."""

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

    _PARTS: ClassVar[frozenset[str]] = frozenset(
        {
            "metrics",
            "handlers",
            "handle_records",
            "time_profile",
            "resp_size_profile",
            "profile_ext",
            "tree",
            "RECORDS_LEN_LIMIT",
            "RECORDS_ERR_LIMIT",
            *HOOKS,
            *STEPS,
        }
    )
    """Attributes that the plan is made from."""

    def __init__(self) -> None:
        super().__init__(logged_name="phanos", logger_name="phanos.publisher")
        self._ready = False
        self._serial = next(_serials)
        self._revision = 0
        self._owned: list[MetricWrapper] = []
        self._adapted_hooks: dict[str, Hook | None] = {}
        self._error_raised_label = True
        tree = ContextTree()
        self._core = ProfilerCore(tree.root, "curr_node")
        self._courier = Courier(self._report_failure, self._report_dropped)
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
        self._ready = True
        _registry.add(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in HOOKS:
            self._adapted_hooks[name] = adapted(name, value)
        elif name in ("metrics", "handlers"):
            value = Observed(value, self._refresh)
        super().__setattr__(name, value)
        if name == "tree":
            self._core.root = value.root
        if name in self._PARTS:
            self._refresh()

    @property
    def curr_node(self) -> contextvars.ContextVar[MethodTreeNode]:
        """The node of the profiled call under way here; the root of the tree outside of any."""
        return self._core.curr_node

    # -- configuration -----------------------------------------------------------------

    @with_old_form
    def config(
        self,
        /,
        logger: LoggerLike | str | None = None,
        job: str | bool = "",
        time_profile: bool = True,
        request_size_profile: bool = False,
        response_size_profile: bool = False,
        handle_records: bool = True,
        error_raised_label: bool = True,
        **kwargs: Any,
    ) -> None:
        """
        Configure for synchronous handlers; handlers that are attached stay.

        Args:
            logger: a logger or the name of one; by default `phanos.publisher`.
            job: Prometheus job label. A bool here means the arguments of phanos 0.1:
                `config(logger, time_profile, resp_size_profile, handle_records)`.
            time_profile: measure durations.
            request_size_profile: old name of response_size_profile, deprecated.
            response_size_profile: measure the size of what root calls return.
            handle_records: False turns the profiler off.
            error_raised_label: give every record the label `error_raised`.
            **kwargs: ignored; a warning names them.

        Raises:
            TypeError: an argument of the wrong type.
            ValueError: an asynchronous handler is attached.

        If it raises, nothing has changed.
        """
        self._configure(
            SyncExtProfiler,
            {},
            logger=logger,
            job=job,
            time_profile=time_profile,
            request_size_profile=request_size_profile,
            response_size_profile=response_size_profile,
            handle_records=handle_records,
            error_raised_label=error_raised_label,
            **kwargs,
        )

    @with_old_form
    def async_config(
        self,
        /,
        logger: LoggerLike | str | None = None,
        job: str | bool = "",
        time_profile: bool = True,
        request_size_profile: bool = False,
        response_size_profile: bool = False,
        handle_records: bool = True,
        error_raised_label: bool = True,
        **kwargs: Any,
    ) -> None:
        """Configure for synchronous and asynchronous handlers; arguments as for `config`."""
        self._configure(
            AsyncExtProfiler,
            {},
            logger=logger,
            job=job,
            time_profile=time_profile,
            request_size_profile=request_size_profile,
            response_size_profile=response_size_profile,
            handle_records=handle_records,
            error_raised_label=error_raised_label,
            **kwargs,
        )

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
        arguments = arguments_of(settings)
        handlers = create_handlers(handlers_of(settings))
        self._configure(SyncExtProfiler, handlers, time_first=True, **arguments)

    async def async_dict_config(self, settings: Mapping[str, Any]) -> None:
        """Configure by a dict, for handlers of both kinds; see `dict_config`."""
        arguments = arguments_of(settings)
        handlers = await create_async_handlers(handlers_of(settings))
        self._configure(AsyncExtProfiler, handlers, time_first=True, **arguments)

    @all_or_nothing
    def _configure(
        self,
        /,
        steps: type[SyncExtProfiler] | type[AsyncExtProfiler],
        handlers: Mapping[str, Any],
        *,
        time_first: bool = False,
        logger: LoggerLike | str | None = None,
        job: str | bool = "",
        time_profile: bool = True,
        request_size_profile: bool = False,
        response_size_profile: bool = False,
        handle_records: bool = True,
        error_raised_label: bool = True,
        **unknown: Any,
    ) -> None:
        if not isinstance(job, str):
            raise TypeError(f"job must be a str, got {job!r}")
        for name, flag in (
            ("time_profile", time_profile),
            ("request_size_profile", request_size_profile),
            ("response_size_profile", response_size_profile),
            ("handle_records", handle_records),
            ("error_raised_label", error_raised_label),
        ):
            if flag not in (True, False, None):
                raise TypeError(f"{name} must be a bool, got {flag!r}")
        new_logger = logger_of(logger)
        for handler in (*self.handlers.values(), *handlers.values()):
            _checked_handler(handler, may_be_async=steps is AsyncExtProfiler)
        if request_size_profile:
            warnings.warn(
                "request_size_profile is deprecated: use response_size_profile",
                DeprecationWarning,
                stacklevel=5,
            )
        self._hand_over()
        self.logger = new_logger
        self.tree.logger = new_logger
        self.tree.root.logger = new_logger
        if unknown:
            self.warning("configuration has unknown keys, ignored: %s", ", ".join(sorted(unknown)))
        self.job = job
        self.error_raised_label = bool(error_raised_label)
        size_profile = response_size_profile or request_size_profile
        builtins = [
            (RESPONSE_SIZE, size_profile, self.create_response_size_profiler),
            (TIME_PROFILER, time_profile, self.create_time_profiler),
        ]
        for name, wanted, create in reversed(builtins) if time_first else builtins:
            if wanted:
                create()
            elif name in self.metrics:
                self.delete_metric(name)
        self.profile_ext = steps(self)
        for new in handlers.values():
            self.add_handler(new)
        self.handle_records = bool(handle_records)
        self.debug("Profiler configured successfully")

    @property
    def error_raised_label(self) -> bool:
        """Whether every record gets the label `error_raised`; can be set."""
        return self._error_raised_label

    @error_raised_label.setter
    def error_raised_label(self, value: bool) -> None:
        self._error_raised_label = bool(value)
        for metric in self.metrics.values():
            self._set_error_label(metric)

    def _set_error_label(self, metric: MetricWrapper) -> None:
        if self._error_raised_label:
            metric.label_names.add("error_raised")
        else:
            metric.label_names.discard("error_raised")

    def needs_profiling(self) -> bool:
        """Tell whether decorated functions are measured at all."""
        return bool(self.metrics and self.handlers and self.handle_records)

    def _refresh(self) -> None:
        """Make the plan anew and put it in force."""
        if not self.__dict__.get("_ready"):
            return
        while True:
            # Without a lock, which a fork could leave locked: whoever finds that the
            # configuration changed meanwhile makes the plan once more.
            self._revision += 1
            revision = self._revision
            self._adopt_metrics()
            plan = build(self, Profiler)
            own = type(self).needs_profiling is not Profiler.needs_profiling
            own = own or "needs_profiling" in self.__dict__
            enabled = self.profile_ext is not None and (own or Profiler.needs_profiling(self))
            if revision == self._revision:
                self._core.install(plan, enabled)
                return

    def _adopt_metrics(self) -> None:
        """Own the metrics that are in `metrics`, however they got there, and no others."""
        metrics = list(self.metrics.values())
        for metric in metrics:
            if not any(metric is known for known in self._owned):
                metric._attach(self._core)
        for metric in self._owned:
            if not any(metric is kept for kept in metrics):
                metric._attach(None)
        self._owned = metrics

    def _component_changed(self, component: object) -> None:
        parts: Iterable[Any] = (*self.handlers.values(), *self.metrics.values())
        if any(component is part for part in parts):
            self._refresh()

    # -- metrics -----------------------------------------------------------------------

    def create_time_profiler(self) -> None:
        """Add the built-in metric of durations."""
        self.time_profile = TimeProfiler(TIME_PROFILER, job=self.job, logger=self.logger)
        self._put_metric(self.time_profile)
        self.debug("Phanos - time profiler created")

    def create_response_size_profiler(self) -> None:
        """Add the built-in metric of response sizes."""
        self.resp_size_profile = ResponseSize(RESPONSE_SIZE, job=self.job, logger=self.logger)
        self._put_metric(self.resp_size_profile)
        self.debug("Phanos - response size profiler created")

    def add_metric(self, metric: MetricWrapper) -> None:
        """
        Add a metric; one of the same name is replaced, after its records are handed over.

        Raises:
            TypeError: not a metric.
        """
        if not isinstance(metric, MetricWrapper):
            raise TypeError(f"add_metric expects a metric of phanos.metrics, got {metric!r}")
        if metric.name in self.metrics and self.metrics[metric.name] is not metric:
            self.warning(
                "'Profiler.add_metric': Metric %r already exist. Overwriting with new metric",
                metric.name,
            )
        self._put_metric(metric)

    def _put_metric(self, metric: MetricWrapper) -> None:
        before = self.metrics.get(metric.name)
        if before is not None and before is not metric:
            self._hand_over()
        if self._error_raised_label:
            metric.label_names.add("error_raised")
        self.metrics[metric.name] = metric
        if before is not None and before is not metric:
            self._hand_over_rest(before)
        self.debug("Metric %r added to phanos profiler", metric.name)

    def delete_metric(self, item: str) -> None:
        """Delete the metric named `item`, after handing over; unknown names are a warning."""
        metric = self.metrics.get(item)
        if metric is None:
            self.warning("Profiler.delete_metric: metric %s do not exist", item)
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
        return sum(len(metric.values) for metric in self.metrics.values())

    # -- handlers ----------------------------------------------------------------------

    def add_handler(self, handler: SyncBaseHandler | AsyncBaseHandler) -> None:
        """
        Add a handler; one of the same name is replaced, after records are handed over.

        Raises:
            RuntimeError: the profiler is not configured yet.
            TypeError: no handler, or one without a name.
            ValueError: an asynchronous handler for a profiler configured by `config`.
        """
        if self.profile_ext is None:
            raise RuntimeError("Profiler not configured yet")
        name = _checked_handler(handler, isinstance(self.profile_ext, AsyncExtProfiler))
        if name in self.handlers:
            self.warning(
                "'Profiler.add_handler': Handler %r already exist. Overwriting with new handler",
                name,
            )
            self._hand_over()
        self.handlers[name] = handler
        self.debug("Handler %r added to phanos profiler", name)

    addHandler = add_handler

    def delete_handler(self, handler_name: str) -> None:
        """Delete a handler, after handing over; unknown names are a warning."""
        if handler_name not in self.handlers:
            self.warning("'Profiler.delete_handler': handler %r do not exist", handler_name)
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

    def clear(self) -> None:
        """Forget all waiting records and all live calls; the configuration stays."""
        for metric in self.metrics.values():
            metric.cleanup()
        self.tree.clear()
        self.curr_node.set(self.tree.root)

    # -- handing over ------------------------------------------------------------------

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
        event loop has delivered them yet (see `aflush`).
        """
        checked_timeout(timeout_s)
        self._hand_over()
        return self._core.waiting == 0 and self._courier.waiting == 0

    async def aflush(self, timeout_s: float = 5.0) -> bool:
        """
        Hand all waiting records to the handlers and await the asynchronous ones.

        Args:
            timeout_s: seconds to wait; what is not done by then goes on being delivered.

        Returns True if nothing is left.
        """
        checked_timeout(timeout_s)
        done: bool = await flush_future(self._core, self._aflush(), timeout_s)
        return done and self._core.waiting == 0 and self._courier.waiting == 0

    async def _aflush(self) -> None:
        self._hand_over()
        await self._courier.flush()

    def _hand_over(self) -> None:
        deliveries = self._core.hand_over()
        if deliveries:
            self._courier.queue(deliveries)

    def _hand_over_rest(self, metric: MetricWrapper) -> None:
        """Hand over what came into a metric while handlers ran that got the rest of it."""
        if not len(metric.values):
            return
        metric._attach(None)
        records = metric.to_records()
        metric.cleanup()
        for handler in list(self.handlers.values()):
            try:
                if _is_async(handler):
                    self._courier.queue([(handler, records, metric.name)])
                else:
                    handler.handle(records, metric.name)
            except Exception as error:
                self._report_failure(f"handler {handler.handler_name!r}", error)

    def _queue_deliveries(self, deliveries: list[Delivery]) -> None:
        self._courier.queue(deliveries)

    async def _deliver(self, deliveries: list[Delivery]) -> None:
        await self._courier.deliver(deliveries)

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
        left_out = due(f"{self._serial}|dropped")
        if left_out is not None:
            self.error(
                "%d records dropped, the oldest: no handler takes them and the limit is reached",
                count,
            )

    def _exit(self) -> None:
        """Hand over at the end of the interpreter; what no loop can deliver is counted."""
        self._hand_over()
        abandoned = self._courier.abandoned()
        if abandoned:
            self.error(
                "%d records for asynchronous handlers were never delivered: no event loop ran "
                "after the calls that made them",
                abandoned,
            )

    def _forget_inherited(self) -> None:
        """Drop what a forked child inherited: the parent hands it over."""
        for metric in self.metrics.values():
            metric._cut((0, 0, 0))
        self._courier.abandoned()

    # -- profiled calls ----------------------------------------------------------------

    def profile(self, func: Callable[P, R]) -> Callable[P, R]:
        """
        Decorate a function, coroutine function, generator or asynchronous generator.

        Put it right above the definition, below `@classmethod`, `@staticmethod`, routes and
        the like.

        Raises:
            TypeError: func is not callable.
        """
        if isinstance(func, classmethod):
            raise TypeError(
                f"profile expects a function, got {func!r}: put @profile below @classmethod"
            )
        if not callable(func):
            raise TypeError(f"profile expects a callable, got {func!r}")
        name = _name_of(func)
        make_wrapper = maker_for(func)
        is_coroutine = make_wrapper is coroutine_wrapper
        decorated = decorate(self._core, func, name, make_wrapper, is_coroutine, template)
        if name in IMPLICITLY_CLASSMETHODS and inspect.isfunction(func):

            @functools.wraps(func)
            def function(*args: Any, **kwargs: Any) -> Any:
                return decorated(*args, **kwargs)

            return function
        return decorated

    def set_curr_node(self, func: Callable[..., Any]) -> MethodTreeNode:
        """Make a node for a call of `func` under the current one, and make it current."""
        return self._core.open_node(func)

    def delete_curr_node(self, current_node: MethodTreeNode) -> None:
        """Take `current_node` out of the tree; its caller's node is current again."""
        if type(self.tree) is not ContextTree:
            self.tree.find_and_delete_node(current_node)
        self._core.close_node(current_node)

    def measure_execution_start(self) -> MonotonicStart | None:
        """Return the start for `TimeProfiler.stop`; None if durations are not measured."""
        return MonotonicStart.take() if self.time_profile is not None else None

    def before_func_profiling(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> MonotonicStart | None:
        """Run the hooks before a call of the current node and return its start."""
        if self._core.began_as_root(self.curr_node.get()):
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
            self._measure(self.time_profile.stop, start_ts, node, {})
        self._run_hook("after_func", result, args, kwargs)
        if self._core.began_as_root(node):
            if self.resp_size_profile is not None:
                self._measure(self.resp_size_profile.rec, result, node, {})
            self._run_hook("after_root_func", result, args, kwargs)

    def _measure(self, store: Callable[..., None], *args: Any) -> None:
        failed = call_failed.get()
        try:
            if failed is None:
                store(*args)
            else:
                # `error_raised` says how this call ended, not what its caller handles.
                call_as(failed, store, *args)
        except Exception as error:
            self._report_failure(f"metric operation {store!r}", error)

    def _run_hook(self, name: str, *args: Any) -> None:
        hook = self._adapted_hooks.get(name)
        if hook is None:
            return
        try:
            hook(*args)
        except Exception as error:
            self._report_failure(name, error)


def _checked_handler(handler: Any, may_be_async: bool) -> str:
    """Return the name of a handler that can be added, or raise what `add_handler` says."""
    name = getattr(handler, "handler_name", None)
    if inspect.isclass(handler) or not callable(getattr(handler, "handle", None)):
        raise TypeError(f"add_handler expects a handler with a handle method, got {handler!r}")
    if not isinstance(name, str) or not name:
        raise TypeError(
            f"add_handler expects a handler with a str as handler_name, got {name!r} of {handler!r}"
        )
    if _is_async(handler) and not may_be_async:
        raise ValueError(
            f"Handler {name!r} is asynchronous, but profiler is synchronous: configure it with "
            "async_config or async_dict_config"
        )
    return name


def _is_async(handler: Any) -> bool:
    return isinstance(handler, AsyncBaseHandler) or inspect.iscoroutinefunction(
        getattr(handler, "handle", None)
    )


def _name_of(func: Callable[..., Any]) -> str:
    name = getattr(func, "__name__", None)
    if isinstance(name, str):
        return name
    return _name_of(func.func) if isinstance(func, functools.partial) else type(func).__name__
