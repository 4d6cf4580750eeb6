"""What a call of a profiled generator function does at once, before anything is resumed."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from phanos import publisher
from support import CollectingHandler, assert_tree_at_rest, drive


def numbers(first: int, /, second: int = 2, *rest: int, key: str = "k") -> Iterator[Any]:
    yield (first, second, rest, key)


async def async_numbers(first: int, /, second: int = 2, *rest: int, key: str = "k") -> Any:
    yield (first, second, rest, key)


class Argument:
    """Something that weak references can be made to."""


BOTH = pytest.mark.parametrize("function", [numbers, async_numbers])


@pytest.fixture(params=[False, True], ids=["native", "own steps"])
def either_profiler(request, profiler):
    """A profiler that takes the steps of a call natively, or in Python."""
    if request.param:

        class OwnExt(publisher.SyncExtProfiler):
            def sync_inner(self, func: Any, *args: Any, **kwargs: Any) -> Any:
                return super().sync_inner(func, *args, **kwargs)

        profiler.profile_ext = OwnExt(profiler)
    return profiler


def items_of(made: Any) -> list[Any]:
    """Everything that a generator of either kind yields."""
    if inspect.isgenerator(made):
        return list(made)

    async def collect() -> list[Any]:
        return [item async for item in made]

    result: list[Any] = drive(collect())
    return result


def close(made: Any) -> None:
    if inspect.isgenerator(made):
        made.close()
    else:
        drive(made.aclose())


def throw(made: Any, error: BaseException) -> None:
    if inspect.isgenerator(made):
        made.throw(error)
    else:
        drive(made.athrow(error))


@BOTH
def test_wrong_arguments_are_refused_by_the_call(
    function: Callable[..., Any], either_profiler: Any, handler: CollectingHandler
) -> None:
    profiled = either_profiler.profile(function)
    for args, kwargs in [((), {}), ((1,), {"unknown": 2}), ((1, 2), {"second": 3})]:
        with pytest.raises(TypeError) as expected:
            function(*args, **kwargs)
        with pytest.raises(TypeError) as raised:
            profiled(*args, **kwargs)
        assert str(raised.value) == str(expected.value)
    assert handler.batches == []
    assert_tree_at_rest(either_profiler)


@BOTH
def test_arguments_arrive_as_they_were_given(
    function: Callable[..., Any], either_profiler: Any, handler: CollectingHandler
) -> None:
    seen: list[Any] = []
    either_profiler.before_func = lambda func, args, kwargs: seen.append((func, args, kwargs))
    either_profiler.after_func = lambda result, args, kwargs: seen.append((result, args, kwargs))
    profiled = either_profiler.profile(function)
    given = [((1,), {}), ((1, 5, 6, 7), {"key": "x"}), ((1,), {"second": 3, "key": "y"})]
    for args, kwargs in given:
        seen.clear()
        made = profiled(*args, **kwargs)
        assert seen == []
        assert items_of(made) == items_of(function(*args, **kwargs))
        assert seen == [(function, args, kwargs), (None, args, kwargs)]
    assert len(handler.records) == len(given)


@BOTH
def test_it_is_what_the_function_makes_and_has_its_name(
    function: Callable[..., Any], either_profiler: Any
) -> None:
    for decorated in (
        either_profiler.profile(function),
        either_profiler.profile(functools.partial(functools.partial(function), 1)),
    ):
        assert inspect.isgeneratorfunction(decorated) == inspect.isgeneratorfunction(function)
        assert inspect.isasyncgenfunction(decorated) == inspect.isasyncgenfunction(function)
        made = decorated(1)
        assert type(made) is type(function(1))
        assert made.__name__ == function.__name__
        assert made.__qualname__ == function.__qualname__
        assert f"object {function.__qualname__} at" in repr(made)
        close(made)


def test_methods_and_what_they_are_bound_to(either_profiler: Any) -> None:
    class Source:
        @either_profiler.profile
        def method(self, more):
            yield (self, more)

        @classmethod
        @either_profiler.profile
        def of_class(cls, more):
            yield (cls, more)

        @staticmethod
        @either_profiler.profile
        def static(more):
            yield more

    source = Source()
    assert list(source.method(1)) == [(source, 1)]
    assert list(Source.method(source, more=2)) == [(source, 2)]
    assert list(source.of_class(3)) == [(Source, 3)]
    assert list(source.static(4)) == [4]
    assert source.method(1).__qualname__ == Source.method.__qualname__
    with pytest.raises(TypeError, match="more"):
        source.method()


@BOTH
@pytest.mark.parametrize("how", ["drop", "close", "throw"])
def test_never_started_it_records_nothing_and_lets_go(
    function: Any, how: str, either_profiler: Any, handler: CollectingHandler
) -> None:
    profiled = either_profiler.profile(function)
    argument = Argument()
    reference = weakref.ref(argument)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = profiled(argument)
        del argument
        assert reference() is not None
        if how == "close":
            close(made)
        elif how == "throw":
            with pytest.raises(KeyError, match="thrown in") as raised:
                throw(made, KeyError("thrown in"))
            assert raised.value.__context__ is None
            del raised
            assert items_of(made) == []
        del made
        gc.collect()
    assert reference() is None
    assert handler.batches == []
    assert either_profiler.get_records_count() == 0
    assert_tree_at_rest(either_profiler)


def test_its_state_follows_the_body(either_profiler: Any) -> None:
    made = either_profiler.profile(numbers)(1)
    assert inspect.getgeneratorstate(made) == inspect.GEN_CREATED
    next(made)
    assert inspect.getgeneratorstate(made) == inspect.GEN_SUSPENDED
    assert next(made, None) is None
    assert inspect.getgeneratorstate(made) == inspect.GEN_CLOSED


@BOTH
def test_made_while_recording_and_run_when_no_longer(
    function: Callable[..., Any], either_profiler: Any, handler: CollectingHandler
) -> None:
    made = either_profiler.profile(function)(1)
    either_profiler.delete_handlers()
    assert items_of(made) == [(1, 2, (), "k")]
    assert handler.batches == []
    assert_tree_at_rest(either_profiler)


@BOTH
def test_a_call_that_outlives_the_decorated_function(
    function: Callable[..., Any], either_profiler: Any, handler: CollectingHandler
) -> None:
    made = either_profiler.profile(function)(1)
    gc.collect()
    assert items_of(made) == [(1, 2, (), "k")]
    assert len(handler.records) == 1


def test_sent_values_and_results_pass(either_profiler: Any) -> None:
    @either_profiler.profile
    def conversation():
        received = yield "first"
        try:
            yield received
        except KeyError as error:
            yield error
        return "result"

    made = conversation()
    assert next(made) == "first"
    assert made.send("sent") == "sent"
    error = KeyError("thrown in")
    assert made.throw(error) is error
    with pytest.raises(StopIteration) as stop:
        next(made)
    assert stop.value.value == "result"


def test_asynchronous_values_pass(either_profiler: Any) -> None:
    @either_profiler.profile
    async def conversation():
        received = yield "first"
        await asyncio.sleep(0)
        try:
            yield received
        except KeyError as error:
            yield error

    async def main():
        made = conversation()
        assert await made.__anext__() == "first"
        assert await made.asend("sent") == "sent"
        error = KeyError("thrown in")
        assert await made.athrow(error) is error
        with pytest.raises(StopAsyncIteration):
            await made.__anext__()

    asyncio.run(main())
