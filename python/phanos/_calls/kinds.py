"""Kinds of functions, told by flags of their code, which mocks of functions claim to have."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, cast


def is_coroutine_function(function: Any) -> bool:
    """Tell whether calling `function` makes a coroutine."""
    return _is(inspect.iscoroutinefunction, function)


def is_async_generator_function(function: Any) -> bool:
    """Tell whether calling `function` makes an asynchronous generator."""
    return _is(inspect.isasyncgenfunction, function)


def is_generator_function(function: Any) -> bool:
    """Tell whether calling `function` makes a generator."""
    return _is(inspect.isgeneratorfunction, function)


def makes_awaitables(function: Any) -> bool:
    """Tell whether `types.coroutine` changed generator function `function`."""
    flags: Any = getattr(getattr(_underlying(function), "__code__", None), "co_flags", 0)
    return issubclass(type(flags), int) and bool(flags & inspect.CO_ITERABLE_COROUTINE)


def _is(is_kind: Callable[[Any], bool], function: Any) -> bool:
    # `mock.create_autospec` and others make what has a mock as flags: it is everything, or raises.
    flags: Any = getattr(getattr(_underlying(function), "__code__", None), "co_flags", 0)
    return issubclass(type(flags), int) and is_kind(function)


def _underlying(function: Any) -> Any:
    while True:
        if inspect.ismethod(function):
            function = function.__func__
        elif isinstance(function, functools.partial):
            function = cast("Any", function).func
        else:
            return function
