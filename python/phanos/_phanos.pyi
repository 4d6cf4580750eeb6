"""Native half of `phanos`. Public classes are documented in the modules that export them."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
)
from contextvars import ContextVar
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar, final

from typing_extensions import Self, disjoint_base

from phanos._arguments.connection import ConnectionSettings
from phanos._arguments.host import HostSettings
from phanos._metrics.columns import ColumnIndex
from phanos.types import LoggerLike, Record

__all__ = [
    "CallTree",
    "Context",
    "DeferredCall",
    "Delivery",
    "MethodTreeNode",
    "MetricStore",
    "PendingProbe",
    "PendingResult",
    "Plan",
    "ProfilerCore",
    "__version__",
    "admit_log_line",
    "began_as_root",
    "begin_call",
    "call_as",
    "decorate",
    "delivery_on_host",
    "end_call",
    "end_deliveries",
    "end_runtime",
    "eq_labels_replaced",
    "first_step",
    "monotonic_ns",
    "record_to_str",
    "records_to_json",
    "records_to_str",
    "refuse_deliveries",
    "resume_call",
    "run_command",
    "run_for",
    "sleep",
    "support_functions",
    "suspend_call",
    "waiting_to_json",
]

__version__: str

_P = ParamSpec("_P")
_R = TypeVar("_R")

@disjoint_base
class Context:
    """
    Dotted context of a call: `Owner:root.child.leaf`. `str()` of it is `value`.

    Raises `TypeError` if method is neither None nor callable.
    """

    value: str
    method: Callable[..., Any] | None
    def __new__(cls, method: Callable[..., Any] | None = None) -> Self: ...
    def __init__(self, method: Callable[..., Any] | None = None) -> None: ...
    def prepend_method_class(self) -> None:
        """Put the name of the class that defines the method, or of its module, in front."""

@disjoint_base
class MethodTreeNode:
    """
    A call in the tree.

    Raises `TypeError` if method is neither None nor callable.
    """

    ctx: Context
    logger: LoggerLike
    def __new__(
        cls, method: Callable[..., Any] | None = None, logger: LoggerLike | None = None
    ) -> Self: ...
    def __init__(
        self, method: Callable[..., Any] | None = None, logger: LoggerLike | None = None
    ) -> None: ...
    @property
    def logged_name(self) -> str: ...
    @property
    def parent(self) -> MethodTreeNode | None:
        """
        The live call above this one, or the root of the tree; None outside of a tree.

        Assigning moves the node, with all below it; its path stays as it is.
        """
    @parent.setter
    def parent(self, parent: MethodTreeNode | None) -> None: ...
    @property
    def children(self) -> list[MethodTreeNode]:
        """Live calls under this one, in the order in which they began; a new list."""
    def add_child(self, child: MethodTreeNode) -> MethodTreeNode:
        """
        Hang `child` under this node and return it; its context becomes
        `<this context>.<its context>`, or gets its owner in front under a root.

        Raises `TypeError` if child is this node or above it.
        """
    def _remove(self) -> bool:
        """Take the node out of its tree; its children move up. False if it was in none."""
    def _clear_below(self) -> None:
        """Take all nodes below this one out of the tree."""
    # From `InstanceLoggerMixin`, put there by `phanos.tree`.
    def log(self, level: int, msg: Any, *args: Any, **kwargs: Any) -> None: ...
    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None: ...
    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None: ...
    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None: ...
    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None: ...
    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None: ...
    def critical(self, msg: Any, *args: Any, **kwargs: Any) -> None: ...
    def fatal(self, msg: Any, *args: Any, **kwargs: Any) -> None: ...

@disjoint_base
class MetricStore:
    """Columns, attributes and operations beneath the metric classes."""

    name: str
    job: str
    units: str
    metric: str
    """Prometheus type."""
    @property
    def label_names(self) -> set[str]:
        """Names of the labels that each record has; can be assigned any iterable of them."""
    @label_names.setter
    def label_names(self, names: Iterable[str]) -> None: ...
    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def to_records(self) -> list[Record]: ...
    def cleanup(self) -> None: ...
    def _attach(self, tree: CallTree | None) -> None:
        """Belong to the profiler of `tree` from now on, or to none."""
    def _current_node(self) -> MethodTreeNode: ...
    def _lengths(self) -> tuple[int, int, int]:
        """Return the lengths of the columns, in the order of `ColumnIndex`."""
    def _column(self, column: ColumnIndex) -> list[Any]:
        """Return the items of a column as a new list."""
    def _set_column(self, column: ColumnIndex, items: Iterable[Any]) -> None:
        """Replace the items of a column."""
    def _checkout(self) -> None:
        """Let only this thread or greenlet see the waiting records, until `_restore`."""
    def _restore(self) -> None:
        """End `_checkout`; records that others added meanwhile follow the ones checked out."""
    def _cut(self, lengths: tuple[int, int, int]) -> None:
        """Cut the columns back to former `_lengths`."""
    def _fill(self, labels: dict[str, Any], method: MethodTreeNode | str) -> None:
        """Make labels and methods as many as there are values."""
    def _labels(self, labels: dict[str, Any] | None, operation: str) -> dict[str, Any] | None:
        """Return complete labels for a record; None, and a line in the log, if names are wrong."""
    def _set_operation_defaults(self, method: str | None, labels: dict[str, Any] | None) -> None:
        """Set what operations record that are called without a node or labels."""
    def _log_rate_limited(self, kind: str, message: str) -> None:
        """Log an error about this metric, at most once a minute for each kind."""
    def _forget_inherited(self) -> None:
        """Forget the waiting records in a forked child."""
    def _observe(
        self,
        value: float,
        current_node: MethodTreeNode | dict[str, Any] | None = None,
        label_values: dict[str, Any] | None = None,
    ) -> None:
        """Record a value: any real number, stored as float."""
    def _inc(
        self,
        value: float,
        current_node: MethodTreeNode | dict[str, Any] | None = None,
        label_values: dict[str, Any] | None = None,
    ) -> None:
        """Add a value: a real number >= 0, stored as float."""
    def _dec(
        self,
        value: float,
        current_node: MethodTreeNode | dict[str, Any] | None = None,
        label_values: dict[str, Any] | None = None,
    ) -> None:
        """Subtract a value: a real number >= 0, stored as float."""
    def _set(
        self,
        value: float,
        current_node: MethodTreeNode | dict[str, Any] | None = None,
        label_values: dict[str, Any] | None = None,
    ) -> None:
        """Set to a value: any real number, stored as float."""
    def _info(
        self,
        value: dict[str, Any],
        current_node: MethodTreeNode | dict[str, Any] | None = None,
        label_values: dict[str, Any] | None = None,
    ) -> None:
        """Record facts: a dict, copied."""
    def _state(
        self,
        value: str,
        current_node: MethodTreeNode | dict[str, Any] | None = None,
        label_values: dict[str, Any] | None = None,
    ) -> None:
        """Record a state: one of `states`."""

@final
class CallTree:
    """Root, current node, paths and number of waiting records of one profiler."""

@final
class ProfilerCore:
    """Native half of a `Profiler`."""

    root: MethodTreeNode
    """The node under which root calls hang; can only be set."""
    def __new__(cls, root: MethodTreeNode, name: str) -> ProfilerCore: ...
    @property
    def curr_node(self) -> ContextVar[MethodTreeNode]: ...
    @property
    def call_tree(self) -> CallTree:
        """What metrics of this profiler belong to."""
    @property
    def enabled(self) -> bool:
        """Whether calls are recorded."""
    @property
    def waiting(self) -> int:
        """Records waiting in the metrics."""
    def install(self, plan: Plan, enabled: bool) -> None:
        """Follow `plan` from the next call on."""
    def set_naming(
        self, qualified: bool, by_class: bool, folds: bool, max_depth: int, max_paths: int
    ) -> None:
        """Make paths in another way from now on; 0 for no limit."""
    def path_counts(self) -> tuple[int, int]:
        """Return how many paths there are, and how often one was not made for the limit."""
    def make_default(self) -> None:
        """Be the profiler of metrics that were added to none."""
    def current(self) -> MethodTreeNode:
        """Return the current node."""
    def is_top(self, node: MethodTreeNode) -> bool:
        """Tell whether the call of `node` has no live caller: it hands over when it ends."""
    def hand_over(self) -> list[tuple[Any, list[Record], str]] | None:
        """Serve the handlers; return the batches for asynchronous ones, None if there are none."""
    def hand_over_rest(
        self, metric: MetricStore, overridden: bool
    ) -> list[tuple[Any, list[Record], str]] | None:
        """Do the same with the records of one metric, which may be none of the profiler's."""
    def forget_inherited(self) -> None:
        """Forget, in a forked child, what the parent's threads were doing."""

@final
class PendingResult:
    """A boolean that the network side will set."""

    def poll(self) -> bool | None:
        """Return the result, or None if there is none yet."""
    def wait(self, timeout_s: float) -> bool | None:
        """Wait for the result, with signals handled; return None if there is none by then."""
    def wait_async(self, timeout_s: float) -> asyncio.Future[bool | None]:
        """Return an awaitable of what `wait` returns; to be used once, under asyncio."""

@final
class PendingProbe:
    """The result of a trial connection, which the network side will set."""

    def poll(self) -> tuple[bool, tuple[bool, str] | None]:
        """Return `(done, failure)`; failure is None or `(the broker said no, text)`."""
    def wait(self) -> tuple[bool, str] | None:
        """Wait until it is done, with signals handled; return the failure."""
    def wait_async(self) -> asyncio.Future[tuple[bool, str] | None]:
        """Return an awaitable of what `wait` returns; to be used once, under asyncio."""
    def give_up(self) -> None:
        """End the trial connection if it is still under way."""

@final
class Delivery:
    """Delivery to a receiver: buffer, connection and spool of a handler or publisher."""

    def __new__(cls, settings: ConnectionSettings, password: str) -> Delivery: ...
    @property
    def state(self) -> str:
        """How the connection stands: idle, connecting, connected, blocked or closed."""
    def probe(self) -> PendingProbe:
        """Make a trial connection, on threads that are gone afterwards."""
    def push(self, name: str, records: list[Record], logger: LoggerLike) -> None:
        """Put records into the buffer; values that JSON cannot hold are logged to `logger`."""
    def publish(
        self, records: list[Record], logger: LoggerLike, unsent_s: float, sent_s: float
    ) -> PendingResult:
        """
        Send the records as one message.

        Args:
            records: at least one.
            logger: where values that JSON cannot hold are logged.
            unsent_s: seconds that the records may wait for a connection.
            sent_s: seconds that they may wait for the broker's confirmation.
        """
    def connect(self) -> PendingResult:
        """Start the network side; the result is whether it could connect."""
    def flush(self) -> PendingResult:
        """Have everything delivered; the result is True when no record handed over so far waits."""
    def stop(self) -> PendingResult:
        """End the network side; the result is True if no record had to be given up."""
    def give_up(self) -> None:
        """Count and log, at the end of a process, what a network side left that did not end."""
    def stats(self) -> dict[str, Any]:
        """Return how many records were confirmed, dropped and so on; see `ImpProfHandler.stats`."""
    def take_log_lines(self) -> list[tuple[int, str]]:
        """Return lines to log: `(level, text)`."""

def delivery_on_host(settings: HostSettings) -> Delivery:
    """Return a delivery to the process that serves Prometheus on this machine."""

def run_command(arguments: list[str]) -> int:
    """
    Run the command `phanos` until it ends; return its exit code.

    Args:
        arguments: the first is its name.
    """

def refuse_deliveries() -> None:
    """Start no network side any more: records that come for one are given up and counted."""

def end_deliveries(timeout_s: float) -> None:
    """Wait until no network side is at work, not even one whose handler is gone."""

_HandlerKind: TypeAlias = Literal["stream", "logger", "delivery", "python", "async"]
"""
How a handler is served. `stream`, `logger`: the core writes the text; `delivery`: the core passes
rows to its `Delivery`; `python`: its `handle` gets dicts; `async`: its `handle` is awaited.
"""

@final
class Plan:
    """
    One configuration of a profiler, worked out.

    Args:
        profiler: reports failures and runs the steps that users override.
        metrics: each with whether an attribute that its records are made from is overridden.
        handlers: each with its kind, and for `delivery` that.
        time: the metric of durations, if the core records them.
        size: the metric of response sizes, if the core records them.
        hooks: `before_func`, `after_func`, `before_root_func`, `after_root_func`, which take three
            positional arguments.
        flush_threshold: records that may wait until any call that ends hands over.
        max_unhandled: records that may wait while there is no handler; the oldest are dropped.
        overridden: a step is overridden: `profile_ext` runs the calls.
        sampling: the share of trees that are recorded, if not all are; the plan of the calls of all
            others; whether those have nodes, for the paths of what metrics of users record.
        time_decimals: decimals of the milliseconds that are recorded, from 0 to 6.
        measure_size: returns the size of what a root call returned, in bytes, or None; by default
            `sys.getsizeof`.
        ignores: tells whether the exception that is being handled is no error.
    """

    def __new__(
        cls,
        profiler: Any,
        *,
        metrics: list[tuple[Any, bool]],
        handlers: list[tuple[Any, _HandlerKind, Delivery | None]],
        time: MetricStore | None,
        size: MetricStore | None,
        hooks: tuple[
            Callable[..., Any] | None,
            Callable[..., Any] | None,
            Callable[..., Any] | None,
            Callable[..., Any] | None,
        ],
        flush_threshold: int,
        max_unhandled: int,
        overridden: bool,
        sampling: tuple[float, Plan, bool] | None = None,
        time_decimals: int = 2,
        measure_size: Callable[[Any], float | None] | None = None,
        ignores: Callable[[], bool] | None = None,
    ) -> Plan: ...

@final
class DeferredCall:
    """A call of a coroutine function or generator, whose body runs after the call returned."""

    def begin_coroutine(self) -> Any:
        """
        Begin the call; return the coroutine that the function returns.

        Raises `TypeError` if the call has begun already.
        """
    def begin(self) -> None:
        """Begin the call of a generator; raises as `begin_coroutine`."""
    def suspend(self) -> None:
        """At a `yield`: make the node current that was so before the body was last resumed."""
    def resume(self) -> None:
        """After a `yield`: make the call's node current again."""
    def end(self, result: Any, /) -> bool:
        """
        End the call, which returned `result`.

        Returns True if asynchronous handlers have to be awaited: `dispatch` has to be awaited
        then, and `end_dispatched` to be called.
        """
    def end_failed(self) -> bool:
        """
        End the call, which raised the exception that is being handled; returns as `end`.

        Dispatches of a call that was closed, cancelled or interrupted are queued: it waits for
        nothing more.
        """
    def end_generator(self, result: Any, /) -> None:
        """End the call where nothing can be awaited: dispatches are queued."""
    def dispatch(self) -> Awaitable[None]:
        """Return an awaitable that dispatches the records of the call to asynchronous handlers."""
    def end_dispatched(self) -> None:
        """Take the node of the call out of the tree, once `dispatch` was awaited."""
    def ensure_ended(self) -> None:
        """End whatever of the call has not ended when an exception leaves its wrapper."""

def first_step(generator: AsyncGenerator[_R, Any]) -> Awaitable[_R]:
    """Return what `__anext__` does; the loop's hooks get to know the wrapper, not `generator`."""

def support_functions(
    wrap: Callable[[Callable[..., Any]], tuple[Callable[..., Any] | None, bool]],
    template: Callable[..., Any],
    qualify: Callable[[Any], str],
    qualify_on: Callable[[Any, type], str | None],
) -> None:
    """
    Set what `decorate` needs, once.

    Args:
        wrap: returns the last two arguments of `decorate` for a function whose code was replaced.
        template: provides attributes of functions that what is decorated lacks.
        qualify: returns the name of a function with its class.
        qualify_on: returns that of a method with the class that it is called on; None for what is
            no method.
    """

def decorate(
    core: ProfilerCore,
    function: Callable[_P, _R],
    name: str,
    wrapper: Callable[..., Any] | None,
    is_coroutine: bool,
    is_chosen: bool = False,
) -> Callable[_P, _R]:
    """
    Return a callable that runs `function` as a profiled call.

    Args:
        core: the profiler's.
        function: any callable.
        name: its part of a context.
        wrapper: what runs the body, if that runs after the call; see `_wrappers`.
        is_coroutine: `function` is a coroutine function.
        is_chosen: `name` was chosen for it: it is the same among qualified names.
    """

def call_as(failed: bool, function: Callable[..., _R], *args: Any) -> _R:
    """Call `function`, whose operations record `failed` as `error_raised`."""

def end_runtime(timeout_s: float) -> None:
    """End the runtime of awaited futures; wait that long for what its tasks are doing."""

def admit_log_line(kind: str) -> int | None:
    """
    Tell whether a line of this kind may be logged, which it may once a minute.

    Returns the number of lines left out since the last one, None if this one is to be left out.
    """

def eq_labels_replaced(original: Callable[..., bool]) -> None:
    """Note that a metric, or a class of them, may have another `eq_labels` than `original`."""

def monotonic_ns() -> int:
    """Return nanoseconds of the system's monotonic clock, counted from the first call."""

def sleep(seconds: float) -> None:
    """Stop this thread, whatever has become of `time.sleep`."""

def record_to_str(name: str, record: Record) -> str:
    """Write a record as `OutputFormatter.record_to_str` describes."""

def records_to_json(
    records: Iterable[Mapping[str, Any]], logger: LoggerLike | None = None
) -> bytes:
    """
    Write records as they go to a broker: one compact JSON array, UTF-8, the keys of each
    record in its own order, every value as orjson writes it.

    What orjson refuses (ints of more than 64 bits, lone surrogates, other objects) becomes its
    `str()`, keys that are no `str` too. Each kind of that is logged once a minute at most,
    to `logger` or else to the logger `phanos`.

    Raises `TypeError` if records cannot be iterated.
    """

def records_to_str(name: str, records: Iterable[Record]) -> str:
    """Write records like `record_to_str`, joined by line breaks."""

def run_for(
    core: ProfilerCore, coroutine: Coroutine[Any, Any, Any], timeout_s: float
) -> asyncio.Future[bool]:
    """Run `coroutine` for at most `timeout_s`; True if it ended. It goes on if it did not."""

def waiting_to_json(metric: MetricStore) -> bytes:
    """Return the records that wait in `metric` as the body of a message."""

def begin_call(core: ProfilerCore, callable: Callable[..., Any]) -> MethodTreeNode:
    """Begin a call of `callable`: return a new node under the current one, and make it current."""

def end_call(core: ProfilerCore, node: MethodTreeNode) -> None:
    """End a call: take its node out of the tree, and make its caller's node current."""

def suspend_call(core: ProfilerCore, node: MethodTreeNode, outside: MethodTreeNode) -> None:
    """At a `yield` of the generator that `node` is of: make `outside` current."""

def resume_call(core: ProfilerCore, node: MethodTreeNode) -> MethodTreeNode:
    """After a `yield`: make `node` current again; return what was so outside."""

def began_as_root(node: MethodTreeNode) -> bool:
    """Tell whether the call of `node` had no caller when it began: root hooks are for it."""
