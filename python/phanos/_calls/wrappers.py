"""
Decorated functions, and the wrappers that run the bodies of coroutines and generators.

A wrapper is of the same kind as the function that it wraps, so that calling it returns a real
coroutine, generator or asynchronous generator. The native `DeferredCall` does the work where the
body begins, is suspended, is resumed and ends.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from phanos._phanos import decorate, first_step, support_functions

from .decorating import check
from .frames import skip, stand_in_for
from .kinds import (
    is_async_generator_function,
    is_coroutine_function,
    is_generator_function,
    makes_awaitables,
)
from .qualified_names import qualified_name, qualified_name_on, register

if TYPE_CHECKING:
    from phanos._phanos import DeferredCall, ProfilerCore

P = ParamSpec("P")
R = TypeVar("R")

MakeWrapper = Callable[[Callable[..., Any]], Callable[..., Any]]

_IMPLICIT_CLASS_METHODS = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})
"""Functions that a class statement binds by itself, which it does for real functions only."""


def decorated(
    core: ProfilerCore, function: Callable[P, R], name: str | None = None
) -> Callable[P, R]:
    """
    Return a callable that runs `function` as a profiled call named `name`, or else as it is.

    Raises:
        TypeError: function is not callable.
    """
    check(function)
    if name is None:
        name = _name_of(function)
        register(function)
        native = decorate(core, function, name, *wrapping(function))
    else:
        native = decorate(core, function, name, *wrapping(function), is_chosen=True)
    if name in _IMPLICIT_CLASS_METHODS and inspect.isfunction(function):

        @functools.wraps(function)
        def real_function(*args: Any, **kwargs: Any) -> Any:
            return native(*args, **kwargs)

        return real_function
    return native


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", None)
    if isinstance(name, str):
        return name
    if isinstance(function, functools.partial):
        return _name_of(function.func)
    return type(function).__name__


def maker_for(function: Callable[..., Any]) -> MakeWrapper | None:
    """Return what wraps `function`; None for functions whose body runs within the call."""
    if is_coroutine_function(function):
        return coroutine_wrapper
    if is_async_generator_function(function):
        return async_generator_wrapper
    if is_generator_function(function):
        return generator_wrapper
    return None


def wrapping(function: Callable[..., Any]) -> tuple[Callable[..., Any] | None, bool]:
    """Return what runs the body of `function`, if that runs after the call; True for coroutines."""
    make_wrapper = maker_for(function)
    if make_wrapper is None:
        return None, False
    return make_wrapper(function), make_wrapper is coroutine_wrapper


def template(*args: Any, **kwargs: Any) -> Any:
    """Provide the attributes of a function for a decorated builtin, class or object."""


def named_after(function: Callable[..., Any], made: R) -> R:
    """Name coroutine, generator or function `made` after `function` and return it."""
    function = _within_partials(function)
    named: Any = made
    named.__name__ = getattr(function, "__name__", named.__name__)
    named.__qualname__ = getattr(function, "__qualname__", named.__qualname__)
    return made


def _within_partials(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, functools.partial):
        function = function.func
    return function


# A signal handler can raise its exception between any two steps of these wrappers: when a call of
# native code returns, at a jump back, where a body begins or is resumed, in CPython 3.10 where an
# `except` begins. So everything stands in one `try`, which ends with `ensure_ended`: the call knows
# whether it has begun and ended.


def coroutine_wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a coroutine function; the wrapper takes the call, which has the arguments."""

    # No `except BaseException`: that name would be looked up in the module of `function`.
    async def wrapper(call: DeferredCall, /) -> Any:
        try:
            try:
                result = await call.begin_coroutine()
            except:
                # Not if the coroutine is being closed or was cancelled: it awaits nothing more.
                if call.end_failed():
                    await call.dispatch()
                raise
            if call.end(result):
                # The node stays current while asynchronous handlers run, as for others.
                await call.dispatch()
                call.end_dispatched()
            return result
        except:
            call.ensure_ended()
            raise

    wrapped: Callable[..., Any] = stand_in_for(_within_partials(function), wrapper)
    return named_after(function, wrapped)


def generator_wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Wrap a generator function; the wrapper does what `yield from` does.

    It takes the generator that the function returned, and the call as in `coroutine_wrapper`.
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
                # The iteration was left early: an end like any other, not a failure.
                call.end_generator(None)
                raise
            call.end_generator(result)
            return result
        except BaseException:
            # Drops the exception to be thrown in, if any: its traceback refers to this frame.
            step = generator.__next__
            call.ensure_ended()
            raise

    wrapped: Callable[..., Any] = named_after(function, skip(wrapper))
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
                            raise  # The garbage collector closed it: `athrow` would do nothing.
                        step = Throw(generator.athrow, error)
                    else:
                        call.resume()
                        step = generator.__anext__ if sent is None else Send(generator.asend, sent)
            except StopAsyncIteration:
                pass
            except GeneratorExit:
                # The iteration was left early: an end like any other, not a failure.
                call.end_generator(None)
                raise
            except BaseException:
                step = generator.__anext__  # As in `generator_wrapper`.
                if call.end_failed():
                    await call.dispatch()
                raise
            if call.end(None):
                await call.dispatch()
                call.end_dispatched()
        except BaseException:
            call.ensure_ended()
            raise

    wrapped: Callable[..., Any] = skip(wrapper)
    return named_after(function, wrapped)


class Send:
    """The next step: resume with a value."""

    __slots__ = ("send", "value")

    def __init__(self, send: Callable[[Any], Any], value: Any) -> None:
        self.send = send
        self.value = value

    @skip
    def __call__(self) -> Any:
        return self.send(self.value)


class Throw:
    """The next step: resume with an exception."""

    __slots__ = ("error", "throw")

    def __init__(self, throw: Callable[[BaseException], Any], error: BaseException) -> None:
        self.throw = throw
        self.error: Any = error

    @skip
    def __call__(self) -> Any:
        error, self.error = self.error, None
        try:
            return self.throw(error)
        finally:
            del error  # Its traceback refers to this frame.


support_functions(wrapping, template, qualified_name, qualified_name_on)
