"""Native half of `phanos`. Its classes are documented where users import them from."""

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
from typing import Any, ParamSpec, TypeVar, final

from typing_extensions import Self, disjoint_base

from .types import LoggerLike, Record

__all__ = [
    "Answer",
    "CallTree",
    "Context",
    "DeferredCall",
    "Delivery",
    "MethodTreeNode",
    "MetricStore",
    "Plan",
    "ProbeAnswer",
    "ProfilerCore",
    "__version__",
    "began_as_root",
    "call_as",
    "call_in_future",
    "close_node",
    "current_node",
    "decorate",
    "due",
    "end_deliveries",
    "end_runtime",
    "first_step",
    "flush_future",
    "monotonic_ns",
    "open_node",
    "record_to_str",
    "records_to_json",
    "records_to_str",
    "refuse_deliveries",
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
        """The live call above this one, or the root of the tree; None outside of a tree."""
    @property
    def children(self) -> list[MethodTreeNode]:
        """Live calls under this one, in the order in which they began; a new list."""
    def add_child(self, child: MethodTreeNode) -> MethodTreeNode:
        """
        Hang `child` under this node and return it; its context becomes
        `<this context>.<its context>`, or gets its owner in front under a root.

        Raises `TypeError` if child is this node or above it.
        """
    def _remove(self) -> bool: ...
    def _clear_below(self) -> None: ...
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
    def _attach(self, tree: CallTree | None) -> None: ...
    def _column(self, which: int) -> list[Any]: ...
    def _complain(self, kind: str, message: str) -> None: ...
    def _current_node(self) -> MethodTreeNode: ...
    def _cut(self, lengths: tuple[int, int, int]) -> None: ...
    def _forget_inherited(self) -> None: ...
    def _fill(self, labels: dict[str, Any], method: MethodTreeNode | str) -> None: ...
    def _labels(self, labels: dict[str, Any] | None, operation: str) -> dict[str, Any] | None: ...
    def _lend(self) -> None: ...
    def _lengths(self) -> tuple[int, int, int]: ...
    def _reclaim(self) -> None: ...
    def _set_ambient(self, method: str | None, labels: dict[str, Any] | None) -> None: ...
    def _set_column(self, which: int, items: Iterable[Any]) -> None: ...
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
    def install(self, plan: Plan, enabled: bool) -> None: ...
    def make_default(self) -> None: ...
    def current(self) -> MethodTreeNode: ...
    def is_top(self, node: MethodTreeNode) -> bool: ...
    def hand_over(self) -> list[tuple[Any, list[Record], str]] | None: ...
    def hand_over_rest(
        self, metric: MetricStore, overridden: bool
    ) -> list[tuple[Any, list[Record], str]] | None: ...
    def forget_inherited(self) -> None: ...

@final
class Answer:
    """What the network side answers, some time."""

    def poll(self) -> bool | None:
        """Return the answer, or None if there is none yet."""
    def wait(self, timeout_s: float) -> bool | None:
        """Wait for the answer, hearing signals; None if there is none by then."""

@final
class ProbeAnswer:
    """What came of trying a connection out."""

    def poll(self) -> tuple[bool, tuple[bool, str] | None]:
        """Return `(done, failure)`; failure is None or `(the broker said no, text)`."""
    def wait(self) -> tuple[bool, str] | None:
        """Wait until it is done, hearing signals; return the failure."""
    def give_up(self) -> None:
        """End it, if it is under way."""

@final
class Delivery:
    """A handler's way to RabbitMQ. Arguments are checked by `phanos._connection`."""

    def __new__(
        cls,
        *,
        host: str,
        port: int,
        user: str,
        password: str,
        virtual_host: str,
        exchange: str,
        exchange_type: str,
        heartbeat: int,
        blocked_timeout_s: float,
        attempts: int,
        retry_delay_s: float,
        socket_timeout_s: float,
        stack_timeout_s: float,
        channel_max: int | None,
        frame_max: int | None,
        locale: str,
        client_properties: list[tuple[str, str]],
        tcp: tuple[int | None, int | None, int | None, int | None],
        tls: tuple[str | None, str | None, str | None, str | None] | None,
        buffer_bytes: int,
        spool_directory: str | None,
        spool_bytes: int,
        spool_adopt_s: float,
    ) -> Delivery: ...
    @property
    def state(self) -> str:
        """How the connection stands: idle, connecting, connected, blocked or closed."""
    def probe(self) -> ProbeAnswer:
        """Try a connection out, on threads that are gone afterwards."""
    def push(self, name: str, records: list[Record], logger: LoggerLike) -> None:
        """Put records down; `logger` is told what JSON cannot hold."""
    def publish(
        self, records: list[Record], logger: LoggerLike, unsent_s: float, sent_s: float
    ) -> Answer:
        """
        Send the records as one message.

        Args:
            records: at least one.
            logger: is told what JSON cannot hold.
            unsent_s: seconds that they may wait for a connection.
            sent_s: seconds that the broker's answer is waited for.
        """
    def start(self) -> None:
        """Connect, unless connected."""
    def flush(self) -> Answer:
        """True when nothing handed over so far waits any longer."""
    def stop(self) -> Answer:
        """End the network side; True if nothing had to be given up."""
    def stats(self) -> dict[str, Any]:
        """Return what became of the records."""
    def take_notices(self) -> list[tuple[int, str]]:
        """Return lines to log: `(level, text)`."""

def refuse_deliveries() -> None:
    """Start no network side any more: records that come for one are given up and counted."""

def end_deliveries(timeout_s: float) -> None:
    """Wait until no network side is at work, those whose handler is gone included."""

@final
class Plan:
    """One configuration of a profiler, worked out."""

    def __new__(
        cls,
        profiler: Any,
        *,
        metrics: list[tuple[Any, bool]],
        handlers: list[tuple[Any, str, Delivery | None]],
        time: MetricStore | None,
        size: MetricStore | None,
        hooks: tuple[
            Callable[..., Any] | None,
            Callable[..., Any] | None,
            Callable[..., Any] | None,
            Callable[..., Any] | None,
        ],
        limit: int,
        keep: int,
        overridden: bool,
    ) -> Plan: ...

@final
class DeferredCall:
    """One call of a coroutine function or generator, which runs after it."""

    def start(self) -> Any:
        """Begin it; return what the function returns."""
    def finish(self, result: Any, /) -> bool:
        """End it; True if deliveries are to be made, and then `close` to be called."""
    def begin(self) -> None: ...
    def finish_failed(self) -> bool: ...
    def end(self, result: Any, /) -> None: ...
    def fail(self) -> None: ...
    def deliver(self) -> Awaitable[None]: ...
    def close(self) -> None: ...
    def suspend(self) -> None: ...
    def resume(self) -> None: ...

def first_step(generator: AsyncGenerator[_R, Any]) -> Awaitable[_R]: ...
def decorate(
    core: ProfilerCore,
    function: Callable[_P, _R],
    name: str,
    make_wrapper: Callable[[Callable[..., Any]], Callable[..., Any]] | None,
    is_coroutine: bool,
    template: Callable[..., Any],
) -> Callable[_P, _R]: ...
def call_as(failed: bool, function: Callable[..., _R], *args: Any) -> _R: ...
def end_runtime(timeout_s: float) -> None: ...

# Methods of the classes of handlers and of metrics, which tell profilers of changes.
def due(kind: str) -> int | None: ...
def monotonic_ns() -> int: ...
def record_to_str(name: str, record: Record) -> str: ...
def records_to_json(
    records: Iterable[Mapping[str, Any]], logger: LoggerLike | None = None
) -> bytes:
    """
    Write records as they go to a broker: one compact JSON array, UTF-8, the keys of each
    record in its own order, every value as orjson writes it.

    What orjson refuses (ints of more than 64 bits, lone surrogates, other objects) becomes its
    `str()`, keys that are no `str` too. Each kind of that is told to `logger` once a minute at
    most; without one, to the logger `phanos`.

    Raises `TypeError` if records cannot be iterated.
    """

def records_to_str(name: str, records: Iterable[Record]) -> str: ...
def current_node(core: ProfilerCore) -> MethodTreeNode: ...
def flush_future(
    core: ProfilerCore, coroutine: Coroutine[Any, Any, Any], timeout_s: float
) -> asyncio.Future[bool]: ...
def waiting_to_json(metric: MetricStore) -> bytes:
    """Return the records that wait in `metric` as the body of a message."""

def open_node(core: ProfilerCore, callable: Callable[..., Any]) -> MethodTreeNode: ...
def close_node(core: ProfilerCore, node: MethodTreeNode) -> None: ...
def began_as_root(node: MethodTreeNode) -> bool: ...
def call_in_future(core: ProfilerCore, function: Callable[[], _R]) -> asyncio.Future[_R]: ...
