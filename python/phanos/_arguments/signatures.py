"""Signatures of methods that take the parameters of another function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
"""The object or class that a method is called on."""


def declares(
    function: Callable[P, Any], *, options: bool = True
) -> Callable[[Callable[Concatenate[S, ...], R]], Callable[Concatenate[S, P], R]]:
    """
    Declare that a method written with `*args, **kwargs` takes the parameters of `function`.

    Type checkers, `inspect` and `help()` see these parameters; nothing else changes.

    Args:
        function: the function or class that has the parameters.
        options: False leaves keyword-only parameters out of what `inspect` and `help()` show:
            they are among the method's `**kwargs` there.
    """
    parameters = [
        parameter.replace(annotation="Any")
        if parameter.kind is parameter.VAR_KEYWORD
        else parameter
        for parameter in inspect.signature(function).parameters.values()
        if options or parameter.kind is not parameter.KEYWORD_ONLY
    ]

    def declare(method: Callable[Concatenate[S, ...], R]) -> Callable[Concatenate[S, P], R]:
        own = inspect.signature(method)
        first = next(iter(own.parameters.values()))
        annotations = {parameter.name: parameter.annotation for parameter in parameters}
        declared: Any = method
        declared.__signature__ = own.replace(parameters=[first, *parameters])
        declared.__annotations__ = {**annotations, "return": own.return_annotation}
        return cast("Callable[Concatenate[S, P], R]", method)

    return declare
