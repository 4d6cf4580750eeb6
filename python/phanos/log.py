"""Logging for objects that carry a logger and a name to log under."""

from __future__ import annotations

import logging
from typing import Any

from ._loggers import write_message
from ._watching.declared import declared
from .types import LoggerLike


class InstanceLoggerMixin:
    """
    Gives an object logging methods; each message is prefixed `<logged_name> - `.

    Args:
        logged_name: prefix of messages; by default the name of the class.
        logger: where messages go, any object with a method `log`; by default the logger named
            `logger_name`.
        logger_name: name of that logger; by default `logged_name`.
    """

    logger: LoggerLike = declared()
    logged_name: str = declared()

    def __init__(
        self,
        *args: Any,
        logged_name: str | None = None,
        logger: LoggerLike | None = None,
        logger_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.logged_name = logged_name or type(self).__name__
        if logger is None:
            logger = logging.getLogger(logger_name or self.logged_name)
        self.logger = logger

    def log(self, level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log `msg % args` at `level`."""
        write_message(self.logger, level, f"%s - {msg}", (self.logged_name, *args), kwargs)

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at DEBUG."""
        self.log(logging.DEBUG, msg, *args, **kwargs)

    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at INFO."""
        self.log(logging.INFO, msg, *args, **kwargs)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at WARNING."""
        self.log(logging.WARNING, msg, *args, **kwargs)

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at ERROR."""
        self.log(logging.ERROR, msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at ERROR, with the traceback of the exception being handled."""
        kwargs.setdefault("exc_info", True)
        self.log(logging.ERROR, msg, *args, **kwargs)

    def critical(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at CRITICAL."""
        self.log(logging.CRITICAL, msg, *args, **kwargs)

    def fatal(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at CRITICAL."""
        self.critical(msg, *args, **kwargs)


LOGGING_METHODS = (
    "log",
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "critical",
    "fatal",
)
"""What `InstanceLoggerMixin` provides, for native classes that cannot inherit from it."""
