"""Profiled calls: marking functions, and the steps that subclasses may override."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from ._ext import call_failed
from ._parts import ProfilerParts
from ._phanos import MethodTreeNode, began_as_root, call_as, close_node, decorate, open_node
from ._wrappers import coroutine_wrapper, maker_for, template
from .metrics import MonotonicStart
from .tree import ContextTree

P = ParamSpec("P")
R = TypeVar("R")

IMPLICITLY_CLASSMETHODS = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})
"""Functions that a class statement binds by itself, which it does for real functions only."""


class ProfiledCalls(ProfilerParts):
    """The part of `Profiler` that decorates functions and takes the steps of their calls."""

    def profile(self, func: Callable[P, R]) -> Callable[P, R]:
        """
        Decorate a function, coroutine function, generator or asynchronous generator.

        Put it right above the definition, below `@classmethod`, `@staticmethod`, routes and
        the like.

        Raises:
            TypeError: func is not callable.
        """
        if isinstance(func, classmethod):
            raise TypeError(
                f"profile expects a function, got {func!r}: put @profile below @classmethod"
            )
        if not callable(func):
            raise TypeError(f"profile expects a callable, got {func!r}")
        name = _name_of(func)
        make_wrapper = maker_for(func)
        is_coroutine = make_wrapper is coroutine_wrapper
        decorated = decorate(self._core, func, name, make_wrapper, is_coroutine, template)
        if name in IMPLICITLY_CLASSMETHODS and inspect.isfunction(func):

            @functools.wraps(func)
            def function(*args: Any, **kwargs: Any) -> Any:
                return decorated(*args, **kwargs)

            return function
        return decorated

    def set_curr_node(self, func: Callable[..., Any]) -> MethodTreeNode:
        """Make a node for a call of `func` under the current one, and make it current."""
        return open_node(self._core, func)

    def delete_curr_node(self, current_node: MethodTreeNode) -> None:
        """Take `current_node` out of the tree; its caller's node is current again."""
        if type(self.tree) is not ContextTree:
            self.tree.find_and_delete_node(current_node)
        close_node(self._core, current_node)

    def measure_execution_start(self) -> MonotonicStart | None:
        """Return the start for `TimeProfiler.stop`; None if durations are not measured."""
        return MonotonicStart.take() if self.time_profile is not None else None

    def before_func_profiling(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> MonotonicStart | None:
        """Run the hooks before a call of the current node and return its start."""
        if began_as_root(self.curr_node.get()):
            self._run_hook("before_root_func", func, args, kwargs)
        self._run_hook("before_func", func, args, kwargs)
        return self.measure_execution_start()

    def after_function_profiling(
        self,
        result: Any,
        start_ts: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """Measure the call of the current node and run the hooks after it."""
        node = self.curr_node.get()
        if self.time_profile is not None and start_ts is not None:
            self._measure(self.time_profile.stop, start_ts, node, {})
        self._run_hook("after_func", result, args, kwargs)
        if began_as_root(node):
            if self.resp_size_profile is not None:
                self._measure(self.resp_size_profile.rec, result, node, {})
            self._run_hook("after_root_func", result, args, kwargs)

    def _measure(self, store: Callable[..., None], *args: Any) -> None:
        failed = call_failed.get()
        try:
            if failed is None:
                store(*args)
            else:
                # `error_raised` says how this call ended, not what its caller handles.
                call_as(failed, store, *args)
        except Exception as error:
            self._report_failure(f"metric operation {store!r}", error)

    def _run_hook(self, name: str, *args: Any) -> None:
        hook = self._adapted_hooks.get(name)
        if hook is None:
            return
        try:
            hook(*args)
        except Exception as error:
            self._report_failure(name, error)


def _name_of(func: Callable[..., Any]) -> str:
    name = getattr(func, "__name__", None)
    if isinstance(name, str):
        return name
    return _name_of(func.func) if isinstance(func, functools.partial) else type(func).__name__
