"""
Loggers: anything with a method `log`, such as those of the standard library, loguru or structlog.

Loggers of the standard library are given a message and its arguments; what others do with
arguments differs, so they get the finished text.

What a logger raises goes to users who log or configure by themselves. It goes no further where the
package logs by itself: a line that cannot be written is no reason to end a call.
"""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from contextlib import suppress
from typing import Any, cast

from .types import LoggerLike

_LEVEL_METHODS = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
}


def logger_of(given: LoggerLike | str | None, default_name: str) -> LoggerLike:
    """
    Return the logger that an argument names or is, by default the one named `default_name`.

    Raises:
        TypeError: an object without a method `log`.
    """
    if given is None:
        return logging.getLogger(default_name)
    if isinstance(given, str):
        return logging.getLogger(given)
    if not can_log(given):
        raise TypeError(
            f"logger must be a logger or the name of one, got {given!r}, which has no method log"
        )
    return given


def can_log(candidate: object) -> bool:
    """Tell whether `candidate` has what is needed of a logger."""
    return callable(getattr(candidate, "log", None))


def is_of_standard_library(logger: object) -> bool:
    """Tell whether `logger` formats messages as `logging` does."""
    return isinstance(logger, (logging.Logger, logging.LoggerAdapter))


def is_enabled(logger: Any, level: Any) -> bool:
    """Tell whether lines of `level` go anywhere: only a logger that says no has them left out."""
    ask = getattr(logger, "isEnabledFor", None)
    with suppress(Exception):
        return not callable(ask) or ask(level) is not False
    return True


def write(logger: Any, level: int, text: str) -> None:
    """Log a finished line by the method of its level, by `log` if the logger has no such method."""
    with suppress(Exception):
        _tell_if_disabled(logger, level, text)
        method = getattr(logger, _LEVEL_METHODS.get(level, ""), None)
        if callable(method):
            method(text)
        else:
            logger.log(level, text)


def write_message(
    logger: Any, level: int, message: str, args: tuple[Any, ...], options: dict[str, Any]
) -> None:
    """
    Log `message % args`.

    Args:
        logger: the logger.
        level: the level, as in `logging`.
        message: the message, with a `%` for each of the arguments.
        args: its arguments.
        options: keyword arguments as `logging.Logger.log` takes them.
    """
    if is_of_standard_library(logger):
        if level >= logging.WARNING:
            with suppress(Exception):
                _tell_if_disabled(logger, level, message % args if args else message)
        logger.log(level, message, *args, **options)
    else:
        _write_text(logger, level, message, args, options)


_told_of: set[str] = set()
"""Disabled loggers that there was a warning of."""


def _tell_if_disabled(logger: Any, level: int, text: str) -> None:
    """
    Warn of a line that no handler shows, once for each logger.

    `logging.config.dictConfig` and `fileConfig` disable the loggers that they find, unless told not
    to: so a program that configures its logging after it imported this package hears nothing.
    """
    while isinstance(logger, logging.LoggerAdapter):
        logger = cast("Any", logger).logger
    if level < logging.WARNING or getattr(logger, "disabled", False) is not True:
        return
    if logger.name not in _told_of:
        _told_of.add(logger.name)
        warnings.warn(
            f"{text} (logger {logger.name!r} is disabled: give logging.config "
            "disable_existing_loggers=False)",
            UserWarning,
            stacklevel=2,
        )


def _write_text(
    logger: Any, level: int, message: str, args: tuple[Any, ...], options: dict[str, Any]
) -> None:
    if not is_enabled(logger, level):
        return
    try:
        text = message % args if args else message
    except Exception:
        text = f"{message} {args!r}"
    # What only the standard library knows; an exception becomes a part of the text.
    rest = {name: value for name, value in options.items() if name not in _OPTIONS}
    if options.get("exc_info"):
        text = f"{text}\n{_exception_text(options['exc_info'])}"
    logger.log(level, text, **rest)


_OPTIONS = frozenset({"exc_info", "stack_info", "stacklevel", "extra"})


def _exception_text(exc_info: Any) -> str:
    given = exc_info[1] if hasattr(exc_info, "__getitem__") else exc_info
    error = given if isinstance(given, BaseException) else sys.exc_info()[1]
    return "" if error is None else "".join(traceback.format_exception(error)).rstrip()
