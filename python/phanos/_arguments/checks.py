"""Checks of arguments: each returns the value as it is used, or says what was expected."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping
from typing import Any, cast

LONGEST_S = 10.0 * 365 * 24 * 3600
"""Seconds that stand for no limit."""


def directory(name: str, value: Any) -> str | None:
    """Return an absolute path, None if none is given."""
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a path, got {value!r}")
    return os.path.abspath(os.fspath(value))


def text_without_nul(name: str, value: Any) -> str:
    """Return a str that can be sent."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {value!r}")
    if not is_sendable(value):
        raise ValueError(f"{name} must be without NUL and lone surrogates, got {value!r}")
    return str(value)


def is_sendable(text: str) -> bool:
    """Tell whether a text is without NUL and lone surrogates."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def whole(name: str, value: Any, most: int, least: int = 0) -> int:
    """Return an int within limits."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an int, got {value!r}")
    number = operator.index(value)
    if not least <= number <= most:
        raise ValueError(f"{name} must be from {least} to {most}, got {value}")
    return number


def seconds_of(name: str, value: Any) -> float:
    """Return a number of seconds >= 0."""
    # Any real number, such as a Fraction, a Decimal or one of numpy.
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number of seconds, got {value!r}")
    seconds = float(value)
    if not 0 <= seconds <= LONGEST_S:
        raise ValueError(f"{name} must be from 0 to {LONGEST_S} seconds, got {value}")
    return seconds


def mapping(name: str, value: Any) -> Mapping[Any, Any]:
    """Return a mapping."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, got {value!r}")
    return cast("dict[Any, Any]", value)


def port_of(value: Any, least: int = 0) -> int:
    """Return a port, which may be given as text."""
    is_text = isinstance(value, str) and value.isascii() and value.strip().isdecimal()
    if is_text or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    return whole("port", value, 65535, least)
