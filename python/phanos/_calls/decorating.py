"""What `profile` is given that it cannot record, or that will not be called: said at once."""

from __future__ import annotations

import linecache
import re
import sys
import types
import warnings
from typing import Any

_FROM_USER = 5
"""From `warnings.warn` up to the line that decorates: this module, `wrappers`, `profile`."""


def check(function: Any) -> None:
    """
    Raise TypeError if calls of `function` cannot be recorded; warn if they will hardly be.

    Raises:
        TypeError: not callable, such as what `@property` and `@classmethod` make.
    """
    if type(function) is types.FunctionType:
        # Nearly always, and in a file without routes.
        if _routes.get(function.__code__.co_filename, True) and (route := _route_below(function)):
            _warn(
                f"@profile stands above {route}, which gives {function.__qualname__} to its "
                "framework as it is: requests are not recorded; put @profile right above def",
            )
        return
    if not callable(function):
        kind: type[Any] = type(function)  # pyright: ignore[reportUnknownVariableType]
        # What is bound like a method, as are properties and class methods.
        hint = f": put @profile below @{kind.__name__}" if hasattr(kind, "__get__") else ""
        raise TypeError(f"profile expects a callable, got {function!r}{hint}")
    if isinstance(function, type) and _is_being_defined(function):
        _warn(
            f"profile makes a function of the class {function.__qualname__}: it has no "
            "subclasses and no isinstance any more; put @profile above its methods",
        )


def _is_being_defined(kind: type) -> bool:
    """
    Tell whether `kind` is decorated by its class statement, so that a function takes its name.

    Known of classes at the top of a module alone. A class that is profiled under another name, to
    measure how long making its objects takes, is a callable as any.
    """
    module = sys.modules.get(kind.__module__)
    is_at_top = "." not in kind.__qualname__
    return is_at_top and vars(module).get(kind.__qualname__) is not kind if module else False


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=_FROM_USER)


_ROUTE = re.compile(
    r"@\s*[\w.]+\.(?:route|get|post|put|delete|patch|head|options|trace|api_route|websocket"
    r"|websocket_route|(?:app_)?errorhandler|exception_handler|(?:before|after|teardown)_request"
    r"|on_event|listens_for)\b"
)
"""Decorators that register a function and return it, those of Flask, FastAPI and their like."""

_PROFILE = re.compile(r"@\s*(?:[\w.]+\.)?profile\b")
_MOST_FILES = 1000
_routes: dict[str, list[int]] = {}
"""Lines with the decorator of a route, by file: most files have none."""


def _route_below(function: types.FunctionType) -> str | None:
    """Return the decorator of a route between `@profile` and `def`, as it is written."""
    code = function.__code__
    routes = _routes.get(code.co_filename)
    if routes is None:
        routes = _routes_of(code.co_filename, function.__globals__)
    first = code.co_firstlineno  # The line of its first decorator.
    if not routes or routes[-1] < first:
        return None
    is_below_profile = False
    for line in linecache.getlines(code.co_filename, function.__globals__)[first - 1 :]:
        text = line.strip()
        if text.startswith(("def ", "async def ", "class ")):
            return None
        if _PROFILE.match(text):
            is_below_profile = True
        elif is_below_profile and _ROUTE.match(text):
            return text.partition("(")[0]
    return None


def _routes_of(filename: str, namespace: dict[str, Any]) -> list[int]:
    try:
        lines = linecache.getlines(filename, namespace)
    except Exception:
        lines = []
    found = [number for number, line in enumerate(lines, 1) if _ROUTE.match(line.strip())]
    if len(_routes) < _MOST_FILES:
        _routes[filename] = found
    return found
