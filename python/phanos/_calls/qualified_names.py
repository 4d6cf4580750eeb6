"""
Names of functions with their classes, such as `Orders.get`.

What is before the last `<locals>` is left out: a class in an application factory is called as it is
in its own code. Where two functions would have one name, and both were decorated before the first
was called, both get their modules and the whole of their qualified names instead:
`shop.orders.create.Orders.get`.
"""

from __future__ import annotations

import functools
from typing import Any

_MOST_NAMES = 10_000
"""So many names are watched for a second function; data-driven ones must not fill the memory."""

_decorated: dict[tuple[Any, Any], None] = {}
"""Module and qualified name of what was decorated, in order, as far as names were not asked for."""
_known: dict[str, set[str]] = {}
"""Full names by short ones, of what was decorated before names were asked for."""


def register(function: Any) -> None:
    """Note that `function` was decorated: this is all that a program without such names pays."""
    if len(_decorated) < _MOST_NAMES:
        try:
            _decorated[function.__module__, function.__qualname__] = None
        except (AttributeError, TypeError):  # It has none, or one that is no text.
            return


def qualified_name(function: Any) -> str:
    """
    Return the name of `function` with its class, and with its module if it is not the only one.

    Raises:
        TypeError: it has no name.
    """
    _note_decorated()
    while isinstance(function, functools.partial):
        function = function.func
    qualified: Any = getattr(function, "__qualname__", None)
    if not isinstance(qualified, str):
        raise TypeError(f"no function with a qualified name: {function!r}")
    short, full = _forms(getattr(function, "__module__", None), qualified)
    return full if len(_known.get(short, ())) > 1 else short


def qualified_name_on(method: Any, kind: type) -> str | None:
    """
    Return the name of `method` called on an object of `kind`, or on `kind` itself.

    It has `kind` instead of the class that defines it, and the module if another subclass is called
    as `kind` is. Called by `super()` it has its defining class, or else it would be named as what
    calls it. None: it is no method.
    """
    qualified = getattr(method, "__qualname__", None)
    if not isinstance(qualified, str):
        return None
    owner, _, name = qualified.rpartition(".")
    if not owner or owner.endswith("<locals>"):
        return None
    candidates: tuple[type, ...] = (kind, type(kind))
    for candidate in candidates:
        bases: Any = candidate.__mro__
        found: type | None = next((base for base in bases if name in vars(base)), None)
        if (
            found is None
            or (found.__module__, found.__qualname__) != (method.__module__, owner)
            or isinstance(vars(found)[name], staticmethod)
        ):
            continue
        if found is candidate:
            break
        _note_decorated()
        short, full = _forms(candidate.__module__, f"{candidate.__qualname__}.{name}")
        others = _known.get(short, set()) | {
            other_full
            for other in _subclasses(found)
            for other_short, other_full in [
                _forms(other.__module__, f"{other.__qualname__}.{name}")
            ]
            if other_short == short
        }
        return full if others - {full} else short
    return qualified_name(method)


def _subclasses(kind: type) -> list[type]:
    """Return all that inherit from `kind`, as far as there are not too many to look at."""
    waiting: list[type] = type.__subclasses__(kind)
    found: dict[type, None] = dict.fromkeys(waiting)
    while waiting and len(found) < _MOST_NAMES:
        below: list[type] = type.__subclasses__(waiting.pop())
        new = [one for one in below if one not in found]
        found.update(dict.fromkeys(new))
        waiting += new
    return list(found)


def _note_decorated() -> None:
    while _decorated:
        _note(*_decorated.popitem()[0])


def _note(module: Any, qualified: Any) -> None:
    if isinstance(qualified, str):
        short, full = _forms(module, qualified)
        if short in _known or len(_known) < _MOST_NAMES:
            full_names = _known.setdefault(short, set())
            if len(full_names) < 2:  # That is all there is to know.
                full_names.add(full)


def _forms(module: Any, qualified: str) -> tuple[str, str]:
    """Return the short and the full name."""
    short = qualified.rpartition("<locals>.")[2]
    full = qualified.replace(".<locals>", "")
    return short, f"{module}.{full}" if isinstance(module, str) else full
