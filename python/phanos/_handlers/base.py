"""The base classes of all handlers, and how records are written as text."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Any

from phanos._loggers import is_enabled, write
from phanos._phanos import record_to_str
from phanos._watching import registry
from phanos._watching.replaced import Originals, WatchedType
from phanos.types import LoggerLike, Record


class OutputFormatter(metaclass=WatchedType):
    """Writes records as text."""

    def __setattr__(self, attribute: str, value: Any) -> None:
        super().__setattr__(attribute, value)
        if attribute == "record_to_str":
            registry.component_changed(self)

    def __delattr__(self, attribute: str) -> None:
        super().__delattr__(attribute)
        if attribute == "record_to_str":
            registry.component_changed(self)

    @staticmethod
    def record_to_str(name: str, record: Record) -> str:
        """
        Return `record` as one line without a line break.

        `profiler: {name}, method: {method}, value: {value} {units}`, then, if there are
        labels, `, labels: k=v, k2=v2`. Line breaks inside are escaped.

        Raises:
            KeyError: the record lacks a key.
        """
        return record_to_str(name, record)


_FORMATTING = Originals(OutputFormatter, ("record_to_str",))


def formats_as_usual(formatter: object) -> bool:
    """Tell whether `formatter` writes what the native core writes for it."""
    return type(formatter) is OutputFormatter and not _FORMATTING.are_replaced_in(formatter)


class BaseHandler(ABC):
    """
    Base of all handlers.

    Args:
        handler_name: name under which a profiler knows the handler and deletes it.

    Raises:
        TypeError: handler_name is not a string, or is empty.
    """

    handler_name: str

    def __init__(self, handler_name: str) -> None:
        # No `super().__init__()`: in 0.3, subclasses initialise their further bases themselves.
        if not isinstance(handler_name, str) or not handler_name:
            raise TypeError(
                f"{type(self).__name__} expects a non-empty str as handler_name, "
                f"got {handler_name!r}"
            )
        self.handler_name = handler_name


_PARTS = frozenset({"handle", "format", "formatter", "publisher", "synchronous"})


class WatchedHandler(BaseHandler, metaclass=WatchedType):
    """
    Base of this package's handlers, which tells their profilers when a part is assigned.

    The native core does the work of these handlers without calling them, unless a method or part
    was replaced. Handlers of users are called by name in any case: they need not announce
    anything, and setting an attribute, perhaps in every batch, costs them nothing.
    """

    def __setattr__(self, attribute: str, value: Any) -> None:
        super().__setattr__(attribute, value)
        if attribute in _PARTS:
            registry.component_changed(self)

    def __delattr__(self, attribute: str) -> None:
        super().__delattr__(attribute)
        if attribute in _PARTS:
            registry.component_changed(self)

    def __repr__(self) -> str:
        try:
            return f"{type(self).__name__}({self.handler_name!r}, {self._target()})"
        except Exception:  # A subclass overrides the constructor without calling it.
            return object.__repr__(self)

    def _write_rest(self) -> None:
        """Write, at the end of the process, what a handler has kept."""

    @abstractmethod
    def _target(self) -> str:
        """Return where records go, and how that stands, for the text form."""


class SyncBaseHandler(BaseHandler):
    """Base of handlers that do their work in the call."""

    @abstractmethod
    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """
        Take a batch of one metric's records.

        Args:
            records: at least one record; the list is shared with the other handlers.
            profiler_name: name of the metric.

        An `Exception` raised here is logged and does not reach the profiled program.
        """


class AsyncBaseHandler(BaseHandler):
    """Base of handlers that are awaited; for profilers configured by `async_config`."""

    @classmethod
    @abstractmethod
    async def create(cls, handler_name: str, *args: Any, **kwargs: Any) -> AsyncBaseHandler:
        """Make a handler, awaiting what it needs; called by `async_dict_config`."""

    @abstractmethod
    async def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Take a batch of one metric's records; see `SyncBaseHandler.handle`."""


def log_error_profiling(
    name: str, formatter: OutputFormatter, logger: LoggerLike, records: list[Record]
) -> None:
    """
    Log the batch as text, at DEBUG, if a record in it has `error_raised` true.

    Args:
        name: name of the metric.
        formatter: writes each record.
        logger: where the text goes, by `debug` or else by `log`.
        records: the batch.
    """
    if formats_as_usual(formatter) and not is_enabled(logger, logging.DEBUG):
        return
    if any(_raised(record) for record in records):
        lines = (formatter.record_to_str(name, record) for record in records)
        write(logger, logging.DEBUG, "\n".join(lines))


def _raised(record: Record) -> bool:
    # Users' own records may lack labels.
    labels: Any = record.get("labels") or {}
    return labels.get("error_raised") in (True, "True")
