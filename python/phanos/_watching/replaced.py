"""
What users replace: test suites and plug-ins put their own in the place of names, methods and parts.

`mock.patch`, `monkeypatch` and the like assign to modules, classes and objects. Assignments are
noticed where they are made, and profilers make their plans anew, so that no call has to look
whether anything was replaced.
"""

from __future__ import annotations

import sys
import types
from abc import ABCMeta
from collections.abc import Iterable
from typing import Any, TypeVar

from . import registry

T = TypeVar("T")

_PUBLIC_MODULES = ("phanos.publisher", "phanos.handlers")
"""Where users replace the names that this package uses: 0.3 has all of them in the first."""

_watched: set[str] = set()
"""Names of the attributes that plans are made from."""


class WatchedType(ABCMeta):
    """
    The class of classes whose methods a plan depends on.

    It is an `ABCMeta`, so that subclasses can have abstract classes among their further bases.
    """

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _watched:
            registry.anything_changed()

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        if name in _watched:
            registry.anything_changed()


class _WatchedModule(types.ModuleType):
    """A module whose names users replace."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        registry.anything_changed()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        registry.anything_changed()


def watch_public_modules() -> None:
    """Notice from now on which public names are replaced."""
    for module in _PUBLIC_MODULES:
        sys.modules[module].__class__ = _WatchedModule


def in_force(name: str, original: T) -> T:
    """Return what users put in the place of public name `name`, `original` if they did not."""
    # Looked up in `sys.modules`: those modules are above the ones that ask.
    for module in _PUBLIC_MODULES:
        found: Any = getattr(sys.modules.get(module), name, original)
        if found is not original:
            return found  # type: ignore[no-any-return]
    return original


class Originals:
    """
    Attributes of a class as this package defines them, to tell later whether they were replaced.

    Args:
        base: a class of this package.
        names: its attributes.
    """

    def __init__(self, base: type, names: Iterable[str]) -> None:
        self._attributes = {name: getattr(base, name, None) for name in names}
        _watched.update(self._attributes)

    def are_replaced_in(self, component: object) -> bool:
        """Tell whether `component`, its class or a base has another attribute of these names."""
        cls = type(component)
        own: Any = getattr(component, "__dict__", ())
        return any(
            name in own or getattr(cls, name, None) is not original
            for name, original in self._attributes.items()
        )
