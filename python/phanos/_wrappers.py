"""
Wrappers that run the bodies of coroutine functions and generators.

Each is of the kind that it wraps, so that what it returns is a real coroutine, generator or
asynchronous generator. The native call does the work at the turning points.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any

from ._phanos import first_step

if TYPE_CHECKING:
    from ._phanos import DeferredCall

MakeWrapper = Callable[[Callable[..., Any]], Callable[..., Any]]


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
# `fail`, which ends whatever has not ended: the call knows.


def coroutine_wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a coroutine function; the wrapper takes a call that has the arguments."""

    async def wrapper(call: DeferredCall, /) -> Any:
        try:
            try:
                result = await call.start()
            except GeneratorExit:
                raise  # Closed: nothing can be awaited any more.
            except BaseException:
                if call.finish_failed():
                    await call.deliver()
                raise
            if call.finish(result):
                # The node stays current while asynchronous handlers run, as for others.
                await call.deliver()
                call.close()
            return result
        except BaseException:
            call.fail()
            raise

    wrapped: Callable[..., Any] = named(wrapper, function)
    return wrapped


def generator_wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Wrap a generator function; the steps are those of `yield from`.

    The wrapper takes the generator that the call made, and a call as that of `coroutine_wrapper`.
    """

    def wrapper(
        generator: Generator[Any, Any, Any], call: DeferredCall, /
    ) -> Generator[Any, Any, Any]:
        try:
            call.begin()
            step: Callable[[], Any] = generator.__next__
            try:
                while True:
                    item = step()
                    call.suspend()
                    try:
                        sent = yield item
                    except BaseException as error:
                        # GeneratorExit as well: a body may go on after it, or return.
                        call.resume()
                        step = Throw(generator.throw, error)
                    else:
                        call.resume()
                        step = generator.__next__ if sent is None else Send(generator.send, sent)
            except StopIteration as stop:
                result = stop.value
            except GeneratorExit:
                # Left early by whoever iterates: an end like any other, not a failure.
                call.end(None)
                raise
            call.end(result)
            return result
        except BaseException:
            # No longer what was to be thrown in, whose traceback holds this frame.
            step = generator.__next__
            call.fail()
            raise

    wrapped: Callable[..., Any] = named(wrapper, function)
    return types.coroutine(wrapped) if makes_awaitables(function) else wrapped


def async_generator_wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an asynchronous generator function; see `generator_wrapper`."""

    async def wrapper(
        generator: AsyncGenerator[Any, Any], call: DeferredCall, /
    ) -> AsyncGenerator[Any, Any]:
        try:
            call.begin()
            try:
                step: Callable[[], Any] = functools.partial(first_step, generator)
                while True:
                    item = await step()
                    call.suspend()
                    try:
                        sent = yield item
                    except BaseException as error:
                        call.resume()
                        if getattr(generator, "ag_frame", ...) is None:
                            raise  # The garbage collector closed it first; `athrow` is mute.
                        step = Throw(generator.athrow, error)
                    else:
                        call.resume()
                        step = generator.__anext__ if sent is None else Send(generator.asend, sent)
            except StopAsyncIteration:
                pass
            except GeneratorExit:
                # Left early by whoever iterates: an end like any other, not a failure.
                call.end(None)
                raise
            except BaseException:
                step = generator.__anext__  # As in `generator_wrapper`.
                if call.finish_failed():
                    await call.deliver()
                raise
            if call.finish(None):
                await call.deliver()
                call.close()
        except BaseException:
            call.fail()
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
