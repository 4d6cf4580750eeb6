"""
Handlers: where records go when they are handed over.

A handler of your own subclasses `SyncBaseHandler` or `AsyncBaseHandler` and implements
`handle(records, profiler_name)`.
"""

from __future__ import annotations

import itertools
import logging
import sys
from typing import Any, Literal, TextIO

from ._handlers.base import (
    AsyncBaseHandler,
    BaseHandler,
    OutputFormatter,
    SyncBaseHandler,
    WatchedHandler,
    formats_as_usual,
    log_error_profiling,
)
from ._handlers.json_lines import json_lines
from ._handlers.prometheus import PrometheusHandler
from ._handlers.rabbitmq import AsyncImpProfHandler, ImpProfHandler
from ._handlers.tree import TreeHandler
from ._loggers import can_log, is_enabled, is_of_standard_library
from ._phanos import records_to_str
from ._watching.replaced import Originals, in_force
from .types import LoggerLike, Record

__all__ = [
    "AsyncBaseHandler",
    "AsyncImpProfHandler",
    "BaseHandler",
    "ImpProfHandler",
    "LoggerHandler",
    "NamedLoggerHandler",
    "OutputFormatter",
    "PrometheusHandler",
    "StreamHandler",
    "SyncBaseHandler",
    "TreeHandler",
    "log_error_profiling",
]


class _TextHandler(WatchedHandler, SyncBaseHandler):
    """A handler that writes text, which the native core does unless a method is overridden."""

    formatter: OutputFormatter

    def __init__(self, handler_name: str) -> None:
        super().__init__(handler_name)
        self.formatter = in_force("OutputFormatter", OutputFormatter)()

    def _text(self, records: list[Record], profiler_name: str) -> str:
        if formats_as_usual(self.formatter):
            return records_to_str(profiler_name, records)
        return "\n".join(self.formatter.record_to_str(profiler_name, record) for record in records)


class StreamHandler(_TextHandler):
    """
    Writes one line per record to a stream and flushes it.

    Args:
        handler_name: name of the handler.
        output: a text stream; by default `sys.stdout` as it is at this moment. A process without
            one, such as a daemon, writes to the `sys.stdout` of the time, or else nothing.
        format: `text`, or `json`: one object per line, with the keys of a record and before them
            `time` (UTC), `process` (its id), `batch` (a number that grows; records that were handed
            over together have one) and `name` (of the metric).

    Raises:
        TypeError: output has no `write`.
        ValueError: another format.
    """

    output: TextIO | None
    format: str

    def __init__(
        self,
        handler_name: str,
        output: TextIO | None = None,
        *,
        format: Literal["text", "json"] = "text",
    ) -> None:
        super().__init__(handler_name)
        if format not in ("text", "json"):
            raise ValueError(
                f"StreamHandler {handler_name!r} expects 'text' or 'json' as format, got {format!r}"
            )
        self.format = format
        self._batches = itertools.count(1)
        stream = sys.stdout if output is None else output
        if stream is not None and not callable(getattr(stream, "write", None)):
            raise TypeError(
                f"StreamHandler {handler_name!r} expects a text stream as output, got {output!r}"
            )
        self.output = stream

    def _target(self) -> str:
        return f"output={getattr(self.output, 'name', self.output)!r}"

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Write the batch with one call of `write`, so that lines of threads do not mix."""
        output = sys.stdout if self.output is None else self.output
        if not records or output is None:
            return
        if getattr(self, "format", "text") == "json":
            text = json_lines(records, profiler_name, next(self._batches))
        else:
            text = self._text(records, profiler_name)
        output.write(f"{text}\n")
        flush = getattr(output, "flush", None)
        if flush is not None:
            flush()


class _LogsBatches(_TextHandler):
    """What both handlers that log have: as in 0.3.2, neither inherits from the other."""

    logger: LoggerLike
    level: int

    def __init__(
        self,
        handler_name: str,
        logger: LoggerLike | None = None,
        level: int = logging.DEBUG,
    ) -> None:
        super().__init__(handler_name)
        if logger is not None and not can_log(logger):
            raise TypeError(
                f"{type(self).__name__} {handler_name!r} expects a logger, got {logger!r}, "
                f"which has no method log"
            )
        takes_int = logger is None or is_of_standard_library(logger)
        if takes_int and (isinstance(level, bool) or not isinstance(level, int)):
            raise TypeError(
                f"{type(self).__name__} {handler_name!r} expects an int as level, got {level!r}"
            )
        self.logger = _default_logger() if logger is None else logger
        self.level = level

    def _target(self) -> str:
        logger = getattr(self.logger, "name", self.logger)
        level = logging.getLevelName(self.level) if isinstance(self.level, int) else self.level
        return f"logger={logger!r}, level={level}"

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Log the batch."""
        # A formatter of users' own sees each record, as in 0.3.2, even if nothing is logged.
        if is_enabled(self.logger, self.level) or not formats_as_usual(self.formatter):
            self.logger.log(self.level, self._text(records, profiler_name))


def _default_logger() -> logging.Logger:
    logger = logging.getLogger("PHANOS")
    logger.setLevel(logging.DEBUG)
    if sys.stdout is None:
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    elif not any(getattr(handler, "stream", None) is sys.stdout for handler in logger.handlers):
        handler = logging.StreamHandler(sys.stdout)
        handler.setLevel(logging.DEBUG)
        logger.addHandler(handler)
    return logger


class LoggerHandler(_LogsBatches):
    """
    Logs each batch as one message, lines joined by line breaks.

    Args:
        handler_name: name of the handler.
        logger: where messages go, any object with a method `log`; by default the logger `PHANOS`,
            at DEBUG, on stdout, or nowhere if the process has none.
        level: level of the messages; an int, or what the logger takes if it is none of the
            standard library.

    Raises:
        TypeError: logger has no `log`, or level is not an int.
    """


class NamedLoggerHandler(_LogsBatches):
    """
    A `LoggerHandler` whose logger is found by name.

    Args:
        handler_name: name of the handler.
        logger_name: name for `logging.getLogger`.
        level: level of the messages.

    Raises:
        TypeError: logger_name is not a string, or level is not an int.
    """

    def __init__(self, handler_name: str, logger_name: str, level: int = logging.DEBUG) -> None:
        if not isinstance(logger_name, str):
            raise TypeError(
                f"NamedLoggerHandler {handler_name!r} expects a str as logger_name, "
                f"got {logger_name!r}"
            )
        super().__init__(handler_name, logging.getLogger(logger_name), level)


_STREAM = Originals(StreamHandler, ("handle", "_text"))
_LOGGER = Originals(_LogsBatches, ("handle", "_text"))


def writes_to_stream(handler: Any) -> bool:
    """Tell whether the native core can write what `handler` would write to its stream."""
    return (
        isinstance(handler, StreamHandler)
        and getattr(handler, "format", "text") == "text"
        and _writes_as(handler, _STREAM)
    )


def writes_to_logger(handler: Any) -> bool:
    """Tell whether the native core can log what `handler` would log."""
    return isinstance(handler, _LogsBatches) and _writes_as(handler, _LOGGER)


def _writes_as(handler: Any, originals: Originals) -> bool:
    return not originals.are_replaced_in(handler) and formats_as_usual(
        getattr(handler, "formatter", None)
    )
