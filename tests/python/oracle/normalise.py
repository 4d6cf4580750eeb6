"""
Turns what a program saw into plain data that is equal whenever the behaviour is.

Measured times become a marker once they are checked to be floats >= 0 with two decimals; objects
are named by their type, exceptions by type, arguments and chain.
"""

from __future__ import annotations

import re
from typing import Any

TIME = "<time>"
TIME_UNITS = "mS"
PLAIN_TYPES = (type(None), bool, int, float, complex, str, bytes)
TIME_IN_TEXT = re.compile(r"value: (\S+) mS")


def clean(value: Any) -> Any:
    """JSON-able form of `value`, the same in every process."""
    if isinstance(value, BaseException):
        return describe_exception(value)
    if isinstance(value, PLAIN_TYPES):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return [type(value).__name__, *(clean(member) for member in value)]
    if isinstance(value, dict):
        return ["dict", *([clean(key), clean(member)] for key, member in value.items())]
    if isinstance(value, (set, frozenset)):
        return ["set", *sorted(repr(member) for member in value)]
    if isinstance(value, type):
        return f"<class {value.__qualname__}>"
    return f"<{type(value).__qualname__} object>"


def describe_exception(error: BaseException) -> list[Any]:
    """Type, arguments, members of a group, and the types of the chain behind it."""
    chain = []
    behind = error.__cause__ or error.__context__
    while behind is not None and len(chain) < 5:
        chain.append(type(behind).__name__)
        behind = behind.__cause__ or behind.__context__
    members = [describe_exception(member) for member in getattr(error, "exceptions", ())]
    arguments = [] if members else [clean(argument) for argument in error.args]
    return [type(error).__name__, arguments, members, chain, error.__suppress_context__]


def clean_record(record: dict[str, Any]) -> list[Any]:
    """A record as a list of [key, value]: the order of its keys and labels counts."""
    cleaned = []
    for key, value in record.items():
        if key == "value" and record["units"] == TIME_UNITS:
            cleaned.append([key, [type(value).__name__, value[0], checked_time(value[1])]])
        else:
            cleaned.append([key, clean(value)])
    return cleaned


def checked_time(value: Any) -> str:
    """The marker, or what is wrong with `value` as a measured time."""
    if type(value) is not float or not value >= 0 or round(value, 2) != value:
        return f"not a time: {value!r}"
    return TIME


def clean_text(text: str) -> str:
    """Text output with each measured time checked and masked."""

    def mask(match: re.Match[str]) -> str:
        try:
            value: Any = float(match.group(1))
        except ValueError:
            value = match.group(1)
        canonical = type(value) is float and repr(value) == match.group(1)
        return f"value: {checked_time(value) if canonical else match.group(0)} {TIME_UNITS}"

    return TIME_IN_TEXT.sub(mask, text)
