"""Hooks: functions of users that run before and after profiled calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .kinds import is_coroutine_function

Hook = Callable[..., Any]

BEFORE = ("func", "args", "kwargs")
AFTER = ("result", "args", "kwargs")
OLD_AFTER = ("fn_result", "args", "kwargs")
"""The names in phanos 0.1."""

HOOKS = {
    "before_func": (BEFORE,),
    "before_root_func": (BEFORE,),
    "after_func": (AFTER, OLD_AFTER),
    "after_root_func": (AFTER, OLD_AFTER),
}
"""The parameter names that a hook may use, by the attribute of the profiler."""


def adapted(attribute: str, hook: Hook | None) -> Hook | None:
    """
    Return `hook` as something to call with three positional arguments.

    A hook may take them by position, or by the documented names in any order.

    Raises:
        TypeError: hook is not callable, is a coroutine function, or takes neither.
    """
    if hook is None:
        return None
    if not callable(hook):
        raise TypeError(f"{attribute} expects a callable or None, got {hook!r}")
    if is_coroutine_function(hook) or is_coroutine_function(
        getattr(hook, "__call__", None)  # noqa: B004 - an object with an async __call__
    ):
        raise TypeError(
            f"{attribute} expects a plain function, got coroutine function {hook!r}: "
            "hooks run inside the call and cannot be awaited"
        )
    try:
        signature = inspect.signature(hook)
    except (TypeError, ValueError):  # Builtins without a signature.
        return hook
    parameters = list(signature.parameters.values())
    for names in HOOKS[attribute]:
        if _wants_names(parameters, names) and _binds(signature, (), names):
            return _by_name(hook, names)
    if _binds(signature, ("",) * 3, ()):
        return hook
    for names in HOOKS[attribute]:
        if _binds(signature, (), names):
            return _by_name(hook, names)
    expected = " or ".join(f"({', '.join(names)})" for names in HOOKS[attribute])
    raise TypeError(f"{attribute} expects a function of {expected}, got {hook!r} of {signature}")


def _wants_names(parameters: list[inspect.Parameter], names: tuple[str, ...]) -> bool:
    """Tell whether calling by position would give a parameter the argument of another name."""
    return any(
        parameter.name in names
        and (
            parameter.kind is parameter.KEYWORD_ONLY
            or (
                parameter.kind is parameter.POSITIONAL_OR_KEYWORD
                and names.index(parameter.name) != position
            )
        )
        for position, parameter in enumerate(parameters)
    )


def _binds(signature: inspect.Signature, args: tuple[Any, ...], names: tuple[str, ...]) -> bool:
    try:
        signature.bind(*args, **dict.fromkeys(names))
    except TypeError:
        return False
    return True


def _by_name(hook: Hook, names: tuple[str, ...]) -> Hook:
    first_name, args_name, kwargs_name = names

    def call_by_name(first: Any, args: Any, kwargs: Any) -> Any:
        return hook(**{first_name: first, args_name: args, kwargs_name: kwargs})

    return call_by_name
