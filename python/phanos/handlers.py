"""
Handlers: where records go when they are handed over.

A handler of your own subclasses `SyncBaseHandler` or `AsyncBaseHandler` and implements
`handle(records, profiler_name)`.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from ._base_handlers import (
    AsyncBaseHandler,
    BaseHandler,
    OutputFormatter,
    SyncBaseHandler,
    WatchedHandler,
    log_error_profiling,
)
from ._phanos import records_to_str
from ._rabbitmq import AsyncImpProfHandler, ImpProfHandler
from .types import LoggerLike, Record

__all__ = [
    "AsyncBaseHandler",
    "AsyncImpProfHandler",
    "BaseHandler",
    "ImpProfHandler",
    "LoggerHandler",
    "NamedLoggerHandler",
    "OutputFormatter",
    "StreamHandler",
    "SyncBaseHandler",
    "log_error_profiling",
]


class _TextHandler(WatchedHandler, SyncBaseHandler):
    """A handler that writes text, which the native core does unless a method is overridden."""

    formatter: OutputFormatter

    def __init__(self, handler_name: str) -> None:
        super().__init__(handler_name)
        self.formatter = OutputFormatter()

    def _text(self, records: list[Record], profiler_name: str) -> str:
        if type(self.formatter) is OutputFormatter:
            return records_to_str(profiler_name, records)
        return "\n".join(self.formatter.record_to_str(profiler_name, record) for record in records)


class StreamHandler(_TextHandler):
    """
    Writes one line per record to a stream and flushes it.

    Args:
        handler_name: name of the handler.
        output: a text stream; by default `sys.stdout` as it is at this moment.

    Raises:
        TypeError: output has no `write`.
    """

    output: TextIO

    def __init__(self, handler_name: str, output: TextIO | None = None) -> None:
        super().__init__(handler_name)
        stream = sys.stdout if output is None else output
        if not callable(getattr(stream, "write", None)):
            raise TypeError(
                f"StreamHandler {handler_name!r} expects a text stream as output, got {output!r}"
            )
        self.output = stream

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Write the batch with one call of `write`, so that lines of threads do not mix."""
        if not records:
            return
        self.output.write(self._text(records, profiler_name) + "\n")
        flush = getattr(self.output, "flush", None)
        if flush is not None:
            flush()


class LoggerHandler(_TextHandler):
    """
    Logs each batch as one message, lines joined by line breaks.

    Args:
        handler_name: name of the handler.
        logger: where messages go; by default the logger `PHANOS`, at DEBUG, on stdout.
        level: level of the messages.

    Raises:
        TypeError: logger has no `log`, or level is not an int.
    """

    logger: LoggerLike
    level: int

    def __init__(
        self,
        handler_name: str,
        logger: LoggerLike | None = None,
        level: int = logging.DEBUG,
    ) -> None:
        super().__init__(handler_name)
        if logger is not None and not callable(getattr(logger, "log", None)):
            raise TypeError(
                f"{type(self).__name__} {handler_name!r} expects a logger, got {logger!r}"
            )
        if isinstance(level, bool) or not isinstance(level, int):
            raise TypeError(
                f"{type(self).__name__} {handler_name!r} expects an int as level, got {level!r}"
            )
        self.logger = _default_logger() if logger is None else logger
        self.level = level

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Log the batch."""
        if self.logger.isEnabledFor(self.level):
            self.logger.log(self.level, "%s", self._text(records, profiler_name))


def _default_logger() -> logging.Logger:
    logger = logging.getLogger("PHANOS")
    logger.setLevel(logging.DEBUG)
    if not any(getattr(handler, "stream", None) is sys.stdout for handler in logger.handlers):
        handler = logging.StreamHandler(sys.stdout)
        handler.setLevel(logging.DEBUG)
        logger.addHandler(handler)
    return logger


class NamedLoggerHandler(LoggerHandler):
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
