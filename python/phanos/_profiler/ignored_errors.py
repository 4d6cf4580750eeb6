"""Exceptions that are no errors, such as the one by which Flask's `abort(404)` answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

IgnoredErrors: TypeAlias = (
    type[BaseException] | Iterable[type[BaseException]] | Callable[[BaseException], bool] | None
)
"""Classes of exceptions, or a function that tells of one whether it is no error."""


def handled_is_ignored(given: IgnoredErrors) -> Callable[[], bool] | None:
    """
    Return what tells whether the exception that is being handled is no error; None: none ever is.

    Raises:
        TypeError: neither classes of exceptions nor a function.
    """
    if given is None or given == ():
        return None
    asked: Any = given
    if isinstance(asked, type) or (isinstance(asked, Iterable) and not isinstance(asked, str)):
        several: Any = (asked,) if isinstance(asked, type) else asked  # pyright: ignore[reportUnknownVariableType]
        kinds: tuple[Any, ...] = tuple(several)
        if all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
            return lambda: isinstance(sys.exc_info()[1], kinds)
    elif callable(asked):

        def ask() -> bool:
            error = sys.exc_info()[1]
            return error is not None and bool(asked(error))

        return ask
    raise TypeError(
        f"ignored_errors must be classes of exceptions, or a function of one, got {given!r}"
    )
