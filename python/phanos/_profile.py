"""The decorator `profile` of a profiler."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from ._wrappers import decorated

if TYPE_CHECKING:
    from ._phanos import ProfilerCore

P = ParamSpec("P")
R = TypeVar("R")

_NOTHING: Any = object()
"""The default of an argument that was not given."""


class Decorating:
    """The part of a profiler that decorates functions."""

    _core: ProfilerCore

    @overload
    def profile(self, func: Callable[P, R], *, name: str | None = None) -> Callable[P, R]: ...
    @overload
    def profile(self, *, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def profile(self, func: Any = _NOTHING, *, name: str | None = None) -> Any:
        """
        Decorate a function, coroutine function, generator or asynchronous generator.

        Put it right above the definition, below `@classmethod`, `@staticmethod`, routes and
        the like.

        Args:
            func: the function.
            name: what the function is called in paths, as in `@profile(name="checkout")`; its own
                name by default.

        Raises:
            TypeError: func is not callable, or name is no text.
        """
        if name is not None and not (isinstance(name, str) and name):
            raise TypeError(f"profile expects a non-empty str as name, got {name!r}")
        if func is not _NOTHING:
            return decorated(self._core, func, name)
        if name is None:
            raise TypeError("profile expects a function: write @profile, or @profile(name=...)")

        def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
            return decorated(self._core, func, name)

        return decorate


def _shown(self: Decorating, func: Callable[..., Any], *, name: str | None = None) -> Any:
    """Show the parameters of `profile`: its first is one that must be given, or else a name."""


Decorating.profile.__signature__ = inspect.signature(_shown)  # type: ignore[attr-defined]
