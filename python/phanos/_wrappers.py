"""
Wrappers that run the bodies of coroutine functions and generators.

Each is of the kind that it wraps, so that what it returns is a real coroutine, generator or
asynchronous generator. The native gate does the work at the turning points.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._phanos import CallGate, MethodTreeNode

MakeWrapper = Callable[[Callable[..., Any], "CallGate"], Callable[..., Any]]


def maker_for(function: Callable[..., Any]) -> MakeWrapper | None:
    """Return what wraps `function`; `None` for functions that run within their call."""
    if inspect.iscoroutinefunction(function):
        return coroutine_wrapper
    if inspect.isasyncgenfunction(function):
        return async_generator_wrapper
    if inspect.isgeneratorfunction(function):
        code = getattr(inspect.unwrap(function), "__code__", None)
        if code is not None and code.co_flags & inspect.CO_ITERABLE_COROUTINE:
            return None  # types.coroutine: what it returns must stay awaitable.
        return generator_wrapper
    return None


def template(*args: Any, **kwargs: Any) -> Any:
    """Stand in for what a decorated builtin, class or object lacks of a function."""


def _named(wrapper: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    # Coroutines and generators are named after the function that made them.
    wrapper.__name__ = getattr(function, "__name__", wrapper.__name__)
    wrapper.__qualname__ = getattr(function, "__qualname__", wrapper.__qualname__)
    return wrapper


def coroutine_wrapper(function: Callable[..., Any], gate: CallGate) -> Callable[..., Any]:
    """Wrap a coroutine function."""
    begin, finish = gate.begin, gate.finish

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        node = begin(args, kwargs)
        if node is None:
            return await function(*args, **kwargs)
        try:
            result = await function(*args, **kwargs)
        except GeneratorExit:
            gate.end(node, None, True)  # Closed: nothing can be awaited any more.
            raise
        except BaseException:
            deliveries = finish(node, None, True)
            if deliveries is not None:
                await _deliver(gate, node, deliveries)
            raise
        deliveries = finish(node, result, False)
        if deliveries is not None:
            await _deliver(gate, node, deliveries)
        return result

    return _named(wrapper, function)


async def _deliver(gate: CallGate, node: MethodTreeNode, deliveries: list[Any]) -> None:
    # The node stays current while asynchronous handlers run, as for synchronous ones.
    try:
        await gate.deliver(node, deliveries)
    finally:
        gate.close(node)


def generator_wrapper(function: Callable[..., Any], gate: CallGate) -> Callable[..., Any]:
    """Wrap a generator function; the steps are those of `yield from`."""

    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        own = getattr(gate.own_steps(), "generator_inner", None)
        if own is not None:
            stepped: Generator[Any, Any, Any] = own(function, *args, **kwargs)
            return (yield from stepped)
        generator: Generator[Any, Any, Any] = function(*args, **kwargs)
        node = gate.begin(args, kwargs)
        if node is None:
            return (yield from generator)
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
            gate.end(node, None, False)
            raise
        except BaseException:
            gate.end(node, None, True)
            raise
        gate.end(node, result, False)
        return result

    return _named(wrapper, function)


def async_generator_wrapper(function: Callable[..., Any], gate: CallGate) -> Callable[..., Any]:
    """Wrap an asynchronous generator function."""

    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        node = gate.begin(args, kwargs)
        step: Callable[[], Any] = FirstStep(generator)
        try:
            while True:
                item = await step()
                if node is not None:
                    gate.suspend(node)
                try:
                    sent = yield item
                except BaseException as error:
                    if node is not None:
                        gate.resume(node)
                    step = Throw(generator.athrow, error)
                else:
                    if node is not None:
                        gate.resume(node)
                    step = generator.__anext__ if sent is None else Send(generator.asend, sent)
        except StopAsyncIteration:
            pass
        except GeneratorExit:
            # Left early by whoever iterates: an end like any other, not a failure.
            if node is not None:
                gate.end(node, None, False)
            raise
        except BaseException:
            if node is not None:
                deliveries = gate.finish(node, None, True)
                if deliveries is not None:
                    await _deliver(gate, node, deliveries)
            raise
        if node is not None:
            deliveries = gate.finish(node, None, False)
            if deliveries is not None:
                await _deliver(gate, node, deliveries)

    return _named(wrapper, function)


class FirstStep:
    """
    The first step of an asynchronous generator that a wrapper runs.

    A loop that shuts down closes all generators it knows, all at once. It must not know the
    one inside, which would be closed by its wrapper at the same time.
    """

    __slots__ = ("generator",)

    def __init__(self, generator: Any) -> None:
        self.generator = generator

    def __call__(self) -> Any:
        hooks = sys.get_asyncgen_hooks()
        if hooks == (None, None) or not inspect.isasyncgen(self.generator):
            return self.generator.__anext__()
        sys.set_asyncgen_hooks(None, None if hooks.finalizer is None else _leave_to_wrapper)
        try:
            return self.generator.__anext__()
        finally:
            sys.set_asyncgen_hooks(*hooks)


def _leave_to_wrapper(generator: AsyncGenerator[Any, Any]) -> None:
    """Finalize nothing: the loop has the wrapper closed, and that closes `generator`."""


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
