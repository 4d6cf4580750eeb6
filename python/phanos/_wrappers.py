"""
Wrappers that run the bodies of coroutine functions and generators.

Each is of the kind that it wraps, so that what it returns is a real coroutine, generator or
asynchronous generator. The native gate does the work at the turning points.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any

from ._phanos import first_step

if TYPE_CHECKING:
    from ._phanos import CallGate, MethodTreeNode

MakeWrapper = Callable[[Callable[..., Any], "CallGate"], Callable[..., Any]]


def maker_for(function: Callable[..., Any]) -> MakeWrapper | None:
    """Return what wraps `function`; `None` for functions that run within their call."""
    try:
        if inspect.iscoroutinefunction(function):
            return coroutine_wrapper
        if inspect.isasyncgenfunction(function):
            return async_generator_wrapper
        if inspect.isgeneratorfunction(function):
            return generator_wrapper
    except TypeError:  # A mock that says it is a function and has the flags of none.
        pass
    return None


def template(*args: Any, **kwargs: Any) -> Any:
    """Stand in for what a decorated builtin, class or object lacks of a function."""


def named(made: Any, function: Callable[..., Any]) -> Any:
    """Name `made` after `function`, as coroutines and generators are, and return it."""
    function = _within_partials(function)
    made.__name__ = getattr(function, "__name__", made.__name__)
    made.__qualname__ = getattr(function, "__qualname__", made.__qualname__)
    return made


def makes_awaitables(function: Callable[..., Any]) -> bool:
    """Tell whether `types.coroutine` changed generator function `function`."""
    code = getattr(_within_partials(function), "__code__", None)
    return code is not None and bool(code.co_flags & inspect.CO_ITERABLE_COROUTINE)


def _within_partials(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, functools.partial):
        function = function.func
    return function


# The exception of a signal handler can be raised between any two steps of these wrappers:
# when a call of native code returns, at a jump back, where a body begins or goes on, in
# CPython 3.10 where an `except` begins. So everything stands in one `try` whose last resort is
# `fail`, which ends whatever of the call has not ended: the node knows.


def coroutine_wrapper(function: Callable[..., Any], gate: CallGate) -> Callable[..., Any]:
    """Wrap a coroutine function; the wrapper takes a node that has the arguments of the call."""
    start, finish = gate.start, gate.finish

    async def wrapper(node: MethodTreeNode, /) -> Any:
        try:
            try:
                result = await start(node)
            except GeneratorExit:
                raise  # Closed: nothing can be awaited any more.
            except BaseException:
                if gate.finish_failed(node):
                    await gate.deliver(node)
                raise
            if finish(node, result):
                # The node stays current while asynchronous handlers run, as for others.
                await gate.deliver(node)
                gate.close(node)
            return result
        except BaseException:
            gate.fail(node)
            raise

    wrapped: Callable[..., Any] = named(wrapper, function)
    return wrapped


def generator_wrapper(function: Callable[..., Any], gate: CallGate) -> Callable[..., Any]:
    """
    Wrap a generator function; the steps are those of `yield from`.

    The wrapper takes the generator that the call made, and a node as that of `coroutine_wrapper`.
    """

    def wrapper(
        generator: Generator[Any, Any, Any], node: MethodTreeNode, /
    ) -> Generator[Any, Any, Any]:
        try:
            gate.begin(node)
            step: Callable[[], Any] = generator.__next__
            try:
                while True:
                    item = step()
                    gate.suspend(node)
                    try:
                        sent = yield item
                    except BaseException as error:
                        # GeneratorExit as well: a body may go on after it, or return.
                        gate.resume(node)
                        step = Throw(generator.throw, error)
                    else:
                        gate.resume(node)
                        step = generator.__next__ if sent is None else Send(generator.send, sent)
            except StopIteration as stop:
                result = stop.value
            except GeneratorExit:
                # Left early by whoever iterates: an end like any other, not a failure.
                gate.end(node, None)
                raise
            gate.end(node, result)
            return result
        except BaseException:
            # No longer what was to be thrown in, whose traceback holds this frame.
            step = generator.__next__
            gate.fail(node)
            raise

    wrapped: Callable[..., Any] = named(wrapper, function)
    return types.coroutine(wrapped) if makes_awaitables(function) else wrapped


def async_generator_wrapper(function: Callable[..., Any], gate: CallGate) -> Callable[..., Any]:
    """Wrap an asynchronous generator function; see `generator_wrapper`."""

    async def wrapper(
        generator: AsyncGenerator[Any, Any], node: MethodTreeNode, /
    ) -> AsyncGenerator[Any, Any]:
        try:
            gate.begin(node)
            try:
                step: Callable[[], Any] = functools.partial(first_step, generator)
                while True:
                    item = await step()
                    gate.suspend(node)
                    try:
                        sent = yield item
                    except BaseException as error:
                        gate.resume(node)
                        step = Throw(generator.athrow, error)
                    else:
                        gate.resume(node)
                        step = generator.__anext__ if sent is None else Send(generator.asend, sent)
            except StopAsyncIteration:
                pass
            except GeneratorExit:
                # Left early by whoever iterates: an end like any other, not a failure.
                gate.end(node, None)
                raise
            except BaseException:
                step = generator.__anext__  # As in `generator_wrapper`.
                if gate.finish_failed(node):
                    await gate.deliver(node)
                raise
            if gate.finish(node, None):
                await gate.deliver(node)
                gate.close(node)
        except BaseException:
            gate.fail(node)
            raise

    wrapped: Callable[..., Any] = named(wrapper, function)
    return wrapped


class Send:
    """The next step: resume with a value."""

    __slots__ = ("send", "value")

    def __init__(self, send: Callable[[Any], Any], value: Any) -> None:
        self.send = send
        self.value = value

    def __call__(self) -> Any:
        return self.send(self.value)


class Throw:
    """The next step: resume with an exception."""

    __slots__ = ("error", "throw")

    def __init__(self, throw: Callable[[BaseException], Any], error: BaseException) -> None:
        self.throw = throw
        self.error: Any = error

    def __call__(self) -> Any:
        error, self.error = self.error, None
        try:
            return self.throw(error)
        finally:
            del error  # It holds this frame by its traceback.
