"""
Metric classes: Prometheus types, and the two that the profiler measures with.

Operations record a value for the current call. They can be called as `op(value)`,
`op(value, label_values)`, `op(value, current_node, label_values)` and with these names as
keywords. A wrong value or wrong label names are logged (first occurrence at once, then at
most one line a minute), nothing is stored and nothing is raised.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import sys
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, SupportsIndex, cast

from ._metrics.arguments import checked_labels, hint_at_form
from ._metrics.body_size import body_size
from ._metrics.columns import Column, ColumnIndex
from ._phanos import MethodTreeNode, MetricStore, eq_labels_replaced, monotonic_ns
from ._watching import registry
from ._watching.replaced import WatchedType
from .log import InstanceLoggerMixin
from .types import LoggerLike, Record, ValueTypes

__all__ = [
    "Counter",
    "Enum",
    "Gauge",
    "Histogram",
    "Info",
    "InvalidValueError",
    "MetricWrapper",
    "OperationCallable",
    "ResponseSize",
    "StoreOperationDecorator",
    "Summary",
    "TimeProfiler",
    "ValueTypes",
]


_COLUMNS = ("values", "label_values", "method")


class InvalidValueError(Exception):
    """Raised by operations that users write, to refuse a value: logged, nothing stored."""


class _MetricType(WatchedType):
    """Notices where `eq_labels` is replaced: without that, operations do not ask for it."""

    def __init__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> None:
        super().__init__(name, bases, namespace, **options)
        if MetricStore not in bases:  # The first of them has the original.
            cls._look_at_eq_labels()

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "eq_labels":
            cls._look_at_eq_labels()

    def _look_at_eq_labels(cls) -> None:
        if cls.eq_labels is not _EQ_LABELS:  # type: ignore[attr-defined]
            eq_labels_replaced(_EQ_LABELS)


class MetricWrapper(MetricStore, InstanceLoggerMixin, metaclass=_MetricType):
    """
    Base of all metrics: waiting records in three columns, and the attributes that they share.

    Args:
        name: name under which handlers get the records.
        job: Prometheus job label.
        units: unit of the values.
        labels: names of the labels that each operation must be given.
        logger: where errors are logged, any object with a method `log`; by default the logger
            `phanos.metrics`.

    Raises:
        TypeError: name, job or units is not a string, or labels is not a set (or other
            iterable, but not a string) of strings.
    """

    KIND: ClassVar[str] = ""
    """Prometheus type; what `metric` is at first."""

    operations: dict[str, Callable[..., Any]]
    """Operations of a subclass for `store_operation`, by name."""
    default_operation: str
    """Name of the operation that `store_operation` runs by default."""

    def __init__(
        self,
        name: str,
        job: str,
        units: str,
        labels: Iterable[str] | None = None,
        logger: LoggerLike | None = None,
    ) -> None:
        InstanceLoggerMixin.__init__(
            self, logged_name="phanos", logger=logger, logger_name="phanos.metrics"
        )
        for argument, given in (("name", name), ("job", job), ("units", units)):
            if not isinstance(given, str):
                raise TypeError(
                    f"metric {argument} must be a str, got {given!r}{hint_at_form(units)}"
                )
        self.name = name
        self.job = job
        self.units = units
        self.metric = self.KIND
        self.label_names = checked_labels(name, labels)
        self.operations = {}
        self.default_operation = ""
        registry.add_metric(self)

    def __repr__(self) -> str:
        try:
            shown = f"{self.name!r}, job={self.job!r}, units={self.units!r}"
            return f"{type(self).__name__}({shown}, {self._lengths()[0]} waiting)"
        except AttributeError:  # A subclass has not initialised it.
            return object.__repr__(self)

    def _warn_if_never_added(self) -> None:
        """Say at the end of the process that records were made which no profiler takes."""
        count = self._lengths()[0]
        if count:
            with contextlib.suppress(Exception):
                self.warning(
                    "%d records of metric %r were never taken: it belongs to no profiler, see "
                    "Profiler.add_metric",
                    count,
                    self.name,
                )

    def __setattr__(self, attribute: str, value: Any) -> None:
        super().__setattr__(attribute, value)
        # It may replace a method, and plans depend on which are replaced.
        if callable(value) or attribute in ("decimals", "size_of"):
            registry.component_changed(self)
        if attribute == "eq_labels":
            eq_labels_replaced(_EQ_LABELS)

    def __delattr__(self, attribute: str) -> None:
        super().__delattr__(attribute)
        registry.component_changed(self)

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> tuple[Any, ...]:
        """Copy or pickle the metric and its waiting records; a copy belongs to no profiler."""
        state = dict(vars(self), label_names=set(self.label_names))
        state.update({name: getattr(self, name) for name in ("name", "job", "units", "metric")})
        state.update({name: list(getattr(self, name)) for name in _COLUMNS})
        return _without_init, (type(self),), state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    @property
    def values(self) -> Any:
        """Waiting `(operation, value)` pairs, a list-like view; can be assigned."""
        return Column(self, ColumnIndex.VALUES)

    @values.setter
    def values(self, items: Iterable[Any]) -> None:
        self._set_column(ColumnIndex.VALUES, items)

    @property
    def label_values(self) -> Any:
        """Waiting label dicts, a list-like view; can be assigned."""
        return Column(self, ColumnIndex.LABELS)

    @label_values.setter
    def label_values(self, items: Iterable[Any]) -> None:
        self._set_column(ColumnIndex.LABELS, items)

    @property
    def method(self) -> Any:
        """Waiting contexts (`Owner:root.leaf`), a list-like view; can be assigned."""
        return Column(self, ColumnIndex.METHODS)

    @method.setter
    def method(self, items: Iterable[Any]) -> None:
        self._set_column(ColumnIndex.METHODS, items)

    def to_records(self) -> list[Record]:
        """Return the waiting records; they go on waiting until `cleanup`."""
        return super().to_records()

    def cleanup(self) -> None:
        """
        Forget the waiting records.

        Called after `to_records` and before any handler runs. A subclass that resets state
        of its own here calls `super().cleanup()`.
        """
        super().cleanup()

    def eq_labels(self, labels: Iterable[str]) -> bool:
        """Tell whether `labels` are exactly the label names of this metric."""
        return bool(self.label_names == set(labels))

    def store_operation(
        self,
        operation: str | None = None,
        method: str | None = None,
        value: Any = None,
        label_values: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """
        Run an operation by name, with the calling form of phanos 0.1.

        Args:
            operation: a key of `operations`, or the wire name of a built-in operation
                (`observe`, `inc`, `dec`, `set`, `info`, `state`); by default
                `default_operation`.
            method: context to record under; by default the current call's.
            value: passed to the operation, as are further keyword arguments.
            label_values: labels of the record.

        An unknown operation is logged, nothing is stored.
        """
        name = operation or self.default_operation
        run = self.operations.get(name)
        if run is None:
            run = getattr(self, _BUILTIN_OPERATIONS.get(name, ""), None)
        if run is None:
            known = ", ".join(sorted({*self.operations, *_BUILTIN_OPERATIONS}))
            self._log_rate_limited("operation", f"has no operation {name!r}; known are: {known}")
            return
        # An operation that calls `inc` or its like takes method and labels from the defaults
        # set below; one that appends to `values` itself gets them filled in afterwards.
        node: Any = self._current_node() if method is None else method
        # The operation changes column by column: no other thread may add a record meanwhile.
        self._checkout()
        try:
            before = self._lengths()
            self._set_operation_defaults(method, label_values)
            try:
                run(value, **kwargs)
            finally:
                self._set_operation_defaults(None, None)
            lengths = self._lengths()
            if lengths[ColumnIndex.VALUES] > lengths[ColumnIndex.LABELS]:
                labels = self._labels(label_values, name)
                if labels is None:
                    self._cut(before)
                else:
                    self._fill(labels, node)
        finally:
            self._restore()


_EQ_LABELS = MetricWrapper.eq_labels


def _without_init(kind: type[MetricWrapper]) -> MetricWrapper:
    """Make an empty metric for a copy or a pickle; a function, so that pickles find it by name."""
    return kind.__new__(kind)


_BUILTIN_OPERATIONS = {
    "observe": "observe",
    "inc": "inc",
    "dec": "dec",
    "set": "set",
    "info": "info_",
    "state": "state",
}
"""Methods of the built-in operations by wire name."""


OperationCallable = Callable[
    [MetricWrapper, ValueTypes, MethodTreeNode, dict[str, Any] | None], None
]
"""What `StoreOperationDecorator` makes an operation of."""


class StoreOperationDecorator:
    """
    Makes a method an operation: `@StoreOperationDecorator def op(self, value, current_node,
    label_values)`.

    The method appends `(operation, value)` to `self.values`; labels and context are checked
    and filled in around it. If it raises `InvalidValueError`, that is logged and nothing is
    stored; other exceptions pass, with nothing stored.
    """

    operation: Callable[..., Any]

    def __init__(self, operation: Callable[..., Any]) -> None:
        self.operation = operation
        functools.update_wrapper(self, operation)  # type: ignore[arg-type]

    def __get__(self, instance: MetricWrapper | None, owner: type[MetricWrapper]) -> Any:
        if instance is None:
            return self
        return functools.partial(self.wrapper, instance)

    def wrapper(
        self,
        instance: MetricWrapper,
        value: Any,
        current_node: Any = None,
        label_values: dict[str, Any] | None = None,
    ) -> None:
        """Run the operation for `instance` and complete what it stored."""
        name = getattr(self.operation, "__name__", "operation")
        if label_values is None and isinstance(current_node, dict):
            return self.wrapper(instance, value, None, cast("dict[str, Any]", current_node))
        labels = instance._labels(label_values, name)
        if labels is None:
            return
        node = instance._current_node() if current_node is None else current_node
        # The operation changes column by column: no other thread may add a record meanwhile.
        instance._checkout()
        try:
            before = instance._lengths()
            try:
                self.operation(instance, value, node, label_values)
            except InvalidValueError as error:
                instance._cut(before)
                instance._log_rate_limited(
                    f"value of {name}", f"operation {name!r} accepts only values {error}"
                )
                return
            except BaseException:
                instance._cut(before)
                raise
            if instance._lengths()[ColumnIndex.VALUES] <= before[ColumnIndex.VALUES]:
                instance._cut(before)
                with contextlib.suppress(Exception):
                    instance.warning("%r: metric %r did not store any value", name, instance.name)
                return
            instance._fill(labels, node)
        finally:
            instance._restore()


class Histogram(MetricWrapper):
    """Values counted in buckets: `observe(value)`, any real number."""

    KIND = "histogram"

    observe = MetricStore._observe


class Summary(MetricWrapper):
    """Count and sum of values: `observe(value)`, any real number."""

    KIND = "summary"

    observe = MetricStore._observe


class Counter(MetricWrapper):
    """A number that only grows: `inc(value)`, a real number >= 0."""

    KIND = "counter"

    inc = MetricStore._inc


class Info(MetricWrapper):
    """Facts as key-value pairs: `info_(value)`, a dict, copied at the call."""

    KIND = "info"

    def __init__(
        self,
        name: str,
        job: str,
        units: str | None = None,
        labels: Iterable[str] | None = None,
        logger: LoggerLike | None = None,
    ) -> None:
        super().__init__(name, job, "info" if units is None else units, labels, logger)

    info_ = MetricStore._info


class Gauge(MetricWrapper):
    """A number that goes up and down: `inc` and `dec` by a real number >= 0, `set` to any."""

    KIND = "gauge"

    inc = MetricStore._inc
    dec = MetricStore._dec
    set = MetricStore._set


class Enum(MetricWrapper):
    """
    One of several states: `state(value)`.

    Args:
        states: the values that `state` accepts.

    Raises:
        TypeError: states is not an iterable of strings.
    """

    KIND = "enum"

    states: set[str]

    def __init__(
        self,
        name: str,
        job: str,
        states: Iterable[str],
        units: str | None = None,
        labels: Iterable[str] | None = None,
        logger: LoggerLike | None = None,
    ) -> None:
        super().__init__(name, job, "enum" if units is None else units, labels, logger)
        if isinstance(states, (str, bytes)) or not isinstance(states, Iterable):
            raise TypeError(f"states of metric {name!r} must be a set of str, got {states!r}")
        self.states = {*states}

    state = MetricStore._state


class MonotonicStart(datetime.datetime):
    """A start time that also holds the time of the monotonic clock, which is never set."""

    monotonic_ns: int

    @classmethod
    def take(cls) -> MonotonicStart:
        """Return this moment."""
        now = datetime.datetime.now()
        start = cls(now.year, now.month, now.day, now.hour, now.minute, now.second, now.microsecond)
        start.monotonic_ns = monotonic_ns()
        return start


class TimeProfiler(Histogram):
    """Durations in milliseconds (`mS`): `stop(start)` records the time since `start`."""

    decimals: int = 2
    """Decimals of the milliseconds in records, from 0 to 6; can be set."""

    def __init__(
        self,
        name: str,
        job: str,
        labels: Iterable[str] | None = None,
        logger: LoggerLike | None = None,
    ) -> None:
        super().__init__(name, job, "mS", labels, logger)

    def stop(
        self,
        start: datetime.datetime,
        current_node: MethodTreeNode | dict[str, Any] | None = None,
        label_values: dict[str, Any] | None = None,
    ) -> None:
        """
        Record the time since `start`.

        Args:
            start: a `datetime`, naive ones in local time; those that
                `Profiler.measure_execution_start` returns are timed by the monotonic clock.
            current_node: node to record under; by default the current one.
            label_values: `{label: value}`; keys must equal `label_names`
                (`error_raised` is filled in).

        Stores `("observe", float)`: milliseconds, with as many decimals as `decimals` says.
        """
        if isinstance(start, MonotonicStart):
            milliseconds = (monotonic_ns() - start.monotonic_ns) / 1e6
        elif isinstance(start, datetime.datetime):
            milliseconds = (datetime.datetime.now(start.tzinfo) - start) / datetime.timedelta(
                milliseconds=1
            )
        else:
            self._log_rate_limited(
                "start", f"operation 'stop' accepts only a datetime as start, got {start!r}"
            )
            return
        self.observe(float(round(milliseconds, self.decimals)), current_node, label_values)


class ResponseSize(Histogram):
    """Sizes in bytes (`B`): `rec(value)` records `sys.getsizeof(value)`."""

    size_of: str = "object"
    """`body`: the size of the body of a response is recorded, where it is known; can be set."""

    def __init__(
        self,
        name: str,
        job: str,
        labels: Iterable[str] | None = None,
        logger: LoggerLike | None = None,
    ) -> None:
        super().__init__(name, job, "B", labels, logger)

    def rec(
        self,
        value: Any,
        current_node: MethodTreeNode | dict[str, Any] | None = None,
        label_values: dict[str, Any] | None = None,
    ) -> None:
        """
        Record the size of `value`, any object, as `sys.getsizeof` gives it, or as `size_of` says.

        Args:
            value: the object measured.
            current_node: node to record under; by default the current one.
            label_values: as for `TimeProfiler.stop`.

        Stores `("observe", float)`: bytes.
        """
        size = body_size(value) if self.size_of == "body" else float(sys.getsizeof(value))
        if size is not None:
            self.observe(size, current_node, label_values)
