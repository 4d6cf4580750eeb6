"""Parts of a profiler whose changes it must notice: plans are made from them."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Mapping
from typing import Any

from . import _registry


class Observed(dict[str, Any]):
    """A dict that tells its profiler of every change."""

    __slots__ = ("_changed",)

    def __init__(self, items: Mapping[str, Any], changed: Callable[[], None]) -> None:
        super().__init__(items)
        self._changed = changed


def _telling(name: str) -> Callable[..., Any]:
    change = getattr(dict, name)

    @functools.wraps(change)
    def method(self: Observed, *args: Any, **kwargs: Any) -> Any:
        result = change(self, *args, **kwargs)
        self._changed()
        return result

    return method


for _name in (
    "__setitem__",
    "__delitem__",
    "__ior__",
    "clear",
    "pop",
    "popitem",
    "setdefault",
    "update",
):
    setattr(Observed, _name, _telling(_name))


class ProfilerType(abc.ABCMeta):
    """Notices limits and steps assigned to a class: plans are made from them."""

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        for listener in _registry.alive():
            if isinstance(listener, cls):
                listener._refresh()
