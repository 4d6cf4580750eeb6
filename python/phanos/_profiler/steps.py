"""
The steps of a profiled call in Python, one by one.

The native core takes these steps itself as long as none is overridden, neither on the profiler nor
on a class of this module; otherwise calls run through `sync_inner` and `async_inner` here.
"""

from __future__ import annotations

import contextvars
import functools
import types
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from phanos._calls.kinds import makes_awaitables
from phanos._calls.wrappers import (
    Send,
    Throw,
    async_generator_wrapper,
    generator_wrapper,
    maker_for,
    named_after,
)
from phanos._phanos import MethodTreeNode, first_step, resume_call, suspend_call
from phanos._watching import registry
from phanos._watching.replaced import Originals, WatchedType
from phanos.log import InstanceLoggerMixin

from .protocols import ProfilerProtocol

call_failed: contextvars.ContextVar[bool | None] = contextvars.ContextVar(
    "phanos_call_failed", default=None
)
"""Whether the call that is being measured raised; None when users call the step themselves."""


EXT_STEPS = (
    "handle_records_clear",
    "force_handle_records_clear",
    "sync_inner",
    "async_inner",
    "generator_inner",
    "async_generator_inner",
)
"""Steps of a profiled call that users of the classes of this module may override or replace."""


class AbstractExtProfiler(ABC, metaclass=WatchedType):
    """How a profiler runs calls and hands records over."""

    @abstractmethod
    def handle_records_clear(self) -> Any:
        """Hand all waiting records to the handlers."""

    @abstractmethod
    def force_handle_records_clear(self) -> Any:
        """Hand all waiting records over, even during a call."""

    @abstractmethod
    def sync_inner(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a call of `func`."""

    @abstractmethod
    async def async_inner(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a call of coroutine function `func`."""


class _GeneratorNode:
    """
    The node of a generator's call, which is current only while the body runs.

    As a context manager it makes the outside's node current while the body is suspended.
    """

    def __init__(self, profiler: ProfilerProtocol, func: Callable[..., Any]) -> None:
        self._profiler = profiler
        self._outside = profiler._core.current()
        self.node = profiler.set_curr_node(func)

    def __enter__(self) -> None:
        suspend_call(self._profiler._core, self.node, self._outside)

    def __exit__(self, *_: object) -> None:
        # The body may be resumed in another context than the one it was suspended in.
        self._outside = resume_call(self._profiler._core, self.node)

    def delete(self) -> None:
        """Take the node out of the tree at the end of the call."""
        self._profiler.delete_curr_node(self.node)
        suspend_call(self._profiler._core, self.node, self._outside)


class _Steps(InstanceLoggerMixin, AbstractExtProfiler):
    """Base of `SyncExtProfiler` and `AsyncExtProfiler`."""

    base_profiler: ProfilerProtocol

    def __init__(self, base_profiler: ProfilerProtocol) -> None:
        super().__init__(logger=base_profiler.logger)
        self.base_profiler = base_profiler

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in EXT_STEPS:
            registry.component_changed(self)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in EXT_STEPS:
            registry.component_changed(self)

    def sync_inner(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """
        Run a call of `func`, step by step.

        For a generator function, asynchronous ones included, return a generator that takes
        the steps: the call begins when it is first resumed.
        """
        profiler = self.base_profiler
        if not profiler.needs_profiling():
            return func(*args, **kwargs)
        make_wrapper = maker_for(func)
        if make_wrapper is generator_wrapper:
            generator = func(*args, **kwargs)
            runner = self._awaitable_inner if makes_awaitables(func) else self.generator_inner
            return named_after(func, runner(func, generator, args, kwargs))
        if make_wrapper is async_generator_wrapper:
            generator = func(*args, **kwargs)
            return named_after(func, self.async_generator_inner(func, generator, args, kwargs))
        node = profiler.set_curr_node(func)
        try:
            start = self._guarded("before_func_profiling", func, args, kwargs)
            try:
                result = func(*args, **kwargs)
            except BaseException:
                self._end(node, None, start, args, kwargs, failed=True)
                raise
            self._end(node, result, start, args, kwargs, failed=False)
            return result
        finally:
            profiler.delete_curr_node(node)

    async def async_inner(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a call of coroutine function `func`, step by step."""
        profiler = self.base_profiler
        if not profiler.needs_profiling():
            return await func(*args, **kwargs)
        node = profiler.set_curr_node(func)
        try:
            start = self._guarded("before_func_profiling", func, args, kwargs)
            try:
                result = await func(*args, **kwargs)
            except Exception:
                self._measure(None, start, args, kwargs, failed=True)
                await self._hand_over_awaited(node)
                raise
            except BaseException:  # Cancelled or closed: it does not wait for handlers.
                self._end(node, None, start, args, kwargs, failed=True)
                raise
            self._measure(result, start, args, kwargs, failed=False)
            await self._hand_over_awaited(node)
            return result
        finally:
            profiler.delete_curr_node(node)

    def generator_inner(
        self,
        func: Callable[..., Any],
        generator: Generator[Any, Any, Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Generator[Any, Any, Any]:
        """Run `generator`, made by generator function `func`, step by step."""
        generator_node = _GeneratorNode(self.base_profiler, func)
        node = generator_node.node
        try:
            start = self._guarded("before_func_profiling", func, args, kwargs)
            step: Callable[[], Any] = generator.__next__
            try:
                while True:
                    item = step()
                    with generator_node:
                        try:
                            sent = yield item
                        except BaseException as error:
                            step = Throw(generator.throw, error)
                        else:
                            step = (
                                generator.__next__ if sent is None else Send(generator.send, sent)
                            )
            except StopIteration as stop:
                result = stop.value
            except BaseException as error:
                left_early = isinstance(error, GeneratorExit)
                self._end(node, None, start, args, kwargs, failed=not left_early)
                raise
            self._end(node, result, start, args, kwargs, failed=False)
            return result
        finally:
            generator_node.delete()

    @types.coroutine
    def _awaitable_inner(self, *arguments: Any) -> Generator[Any, Any, Any]:
        return (yield from self.generator_inner(*arguments))

    async def async_generator_inner(
        self,
        func: Callable[..., Any],
        generator: AsyncGenerator[Any, Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> AsyncGenerator[Any, Any]:
        """Run `generator`, made by asynchronous generator function `func`, step by step."""
        generator_node = _GeneratorNode(self.base_profiler, func)
        node = generator_node.node
        try:
            start = self._guarded("before_func_profiling", func, args, kwargs)
            step: Callable[[], Any] = functools.partial(first_step, generator)
            try:
                while True:
                    item = await step()
                    with generator_node:
                        try:
                            sent = yield item
                        except BaseException as error:
                            step = Throw(generator.athrow, error)
                        else:
                            step = (
                                generator.__anext__ if sent is None else Send(generator.asend, sent)
                            )
            except StopAsyncIteration:
                pass
            except GeneratorExit:
                self._end(node, None, start, args, kwargs, failed=False)
                raise
            except Exception:
                self._measure(None, start, args, kwargs, failed=True)
                await self._hand_over_awaited(node)
                raise
            except BaseException:  # As in `async_inner`.
                self._end(node, None, start, args, kwargs, failed=True)
                raise
            self._measure(None, start, args, kwargs, failed=False)
            await self._hand_over_awaited(node)
        finally:
            generator_node.delete()

    def _end(
        self,
        node: MethodTreeNode,
        result: Any,
        start: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        failed: bool,
    ) -> None:
        self._measure(result, start, args, kwargs, failed=failed)
        if self._is_hand_over_due(node):
            self._hand_over()

    def _measure(
        self,
        result: Any,
        start: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        failed: bool,
    ) -> None:
        ignores = self.base_profiler._options.ignores
        token = call_failed.set(failed and (ignores is None or not self._ask(ignores)))
        try:
            self._guarded("after_function_profiling", result, start, args, kwargs)
        finally:
            call_failed.reset(token)

    def _ask(self, ignores: Callable[[], bool]) -> bool:
        """Ask whether the exception that is being handled is no error."""
        try:
            return ignores()
        except Exception as error:
            self.base_profiler._report_failure("ignored_errors", error)
            return False

    def _guarded(self, step: str, *args: Any) -> Any:
        """Take a step of the profiler; an `Exception` in it is logged, not raised."""
        try:
            return getattr(self.base_profiler, step)(*args)
        except Exception as error:
            self.base_profiler._report_failure(step, error)
            return None

    def _is_hand_over_due(self, node: MethodTreeNode) -> bool:
        profiler = self.base_profiler
        count = profiler.get_records_count()
        # At the end of a root whatever the count: not every metric tells it.
        return profiler._core.is_top(node) or count >= profiler.RECORDS_LEN_LIMIT

    def _hand_over(self) -> None:
        self._guarded("handle_records_clear")

    async def _hand_over_awaited(self, node: MethodTreeNode) -> None:
        if self._is_hand_over_due(node):
            self._hand_over()


class SyncExtProfiler(_Steps):
    """Steps of a profiler configured by `config` or `dict_config`."""

    def handle_records_clear(self) -> None:
        """Hand all waiting records to the handlers."""
        self.base_profiler._hand_over()

    def force_handle_records_clear(self) -> None:
        """Hand all waiting records over, even during a call."""
        self.base_profiler._hand_over()


class AsyncExtProfiler(_Steps):
    """Steps of a profiler configured by `async_config` or `async_dict_config`."""

    async def handle_records_clear(self) -> None:
        """Hand all waiting records to the handlers, awaiting asynchronous ones."""
        dispatches = self.base_profiler._core.hand_over()
        if dispatches:
            await self.base_profiler._dispatch(dispatches)

    async def force_handle_records_clear(self) -> None:
        """Hand all waiting records over, even during a call."""
        await self.handle_records_clear()

    def _hand_over(self) -> None:
        # A synchronous call cannot await anything: batches for asynchronous handlers are queued.
        self.base_profiler._hand_over()

    async def _hand_over_awaited(self, node: MethodTreeNode) -> None:
        if self._is_hand_over_due(node):
            try:
                await self.base_profiler.handle_records_clear()
            except Exception as error:
                self.base_profiler._report_failure("handle_records_clear", error)


_ORIGINALS = {kind: Originals(kind, EXT_STEPS) for kind in (SyncExtProfiler, AsyncExtProfiler)}


def runs_as_usual(ext: object) -> bool:
    """Tell whether the native core can take the steps that `ext` would take."""
    for kind, originals in _ORIGINALS.items():
        if isinstance(ext, kind):
            return not originals.are_replaced_in(ext)
    return ext is None
