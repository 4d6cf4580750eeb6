"""Calling a decorated callable: arguments, results and exceptions are those of the original."""

from __future__ import annotations

import asyncio
import functools
import operator
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from phanos import publisher
from support import CollectingHandler, assert_tree_at_rest, drive, make_profiler

MODULE = __name__


@pytest.fixture(params=["recording", "idle", "unconfigured"])
def profiler(request: pytest.FixtureRequest) -> publisher.Profiler:
    """A profiler in each of the states that take another way through a call."""
    if request.param == "unconfigured":
        return publisher.Profiler()
    return make_profiler(*([CollectingHandler()] if request.param == "recording" else []))


def nothing() -> tuple[Any, ...]:
    return ()


def one(a: Any) -> tuple[Any, ...]:
    return (a,)


def defaults(a: Any, b: Any = "b", c: Any = None) -> tuple[Any, ...]:
    return a, b, c


def positional_only(a: Any, b: Any = "b", /) -> tuple[Any, ...]:
    return a, b


def keyword_only(*, a: Any, b: Any = "b") -> tuple[Any, ...]:
    return a, b


def mixed(a: Any, /, b: Any, *args: Any, c: Any, d: Any = "d", **rest: Any) -> tuple[Any, ...]:
    return a, b, args, c, d, rest


def variadic(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    return args, kwargs


def awkward_names(self: Any, func: Any, args: Any, kwargs: Any, cls: Any) -> tuple[Any, ...]:
    return self, func, args, kwargs, cls


SIGNATURES = [nothing, one, defaults, positional_only, keyword_only, mixed, variadic, awkward_names]
CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((1, 2), {}),
    ((1, 2, 3), {}),
    ((1, 2, 3, 4, 5), {}),
    ((), {"a": 1}),
    ((), {"a": 1, "b": 2}),
    ((1,), {"a": 1}),
    ((1,), {"b": 2, "c": 3}),
    ((1, 2), {"c": 3, "unknown": 4}),
    ((1,), {"unknown": 4}),
    ((), {"self": 1, "func": 2, "args": 3, "kwargs": 4, "cls": 5}),
    ((), {"func": 1}),
    ((None,), {"result": 1, "name": 2, "profiler": 3}),
]


def outcome(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[str, Any]:
    try:
        return "returned", function(*args, **kwargs)
    except TypeError as error:
        return "raised", str(error)


@pytest.mark.parametrize("original", SIGNATURES, ids=lambda each: each.__name__)
def test_arguments_are_passed_or_refused_as_by_the_original(
    profiler: publisher.Profiler, original: Callable[..., Any]
) -> None:
    decorated = profiler.profile(original)
    for args, kwargs in CALLS:
        assert outcome(decorated, args, kwargs) == outcome(original, args, kwargs)
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("original", SIGNATURES, ids=lambda each: each.__name__)
def test_arguments_of_coroutine_functions(
    profiler: publisher.Profiler, original: Callable[..., Any]
) -> None:
    @profiler.profile
    @functools.wraps(original)
    async def awaited(*given: Any, **named: Any) -> Any:
        return original(*given, **named)

    def run(*given: Any, **named: Any) -> Any:
        return drive(awaited(*given, **named))

    for args, kwargs in CALLS:
        assert outcome(run, args, kwargs) == outcome(original, args, kwargs)
    assert_tree_at_rest(profiler)


def test_wrong_arguments_of_a_coroutine_function(profiler: publisher.Profiler) -> None:
    async def original(a: int) -> int:
        return a

    async def call(function: Any) -> Any:
        return await function(1, 2)

    with pytest.raises(TypeError) as expected:
        asyncio.run(call(original))
    with pytest.raises(TypeError) as raised:
        asyncio.run(call(profiler.profile(original)))
    assert str(raised.value) == str(expected.value)


def test_arguments_and_results_are_the_same_objects(profiler: publisher.Profiler) -> None:
    argument, keyword, result = object(), object(), object()
    received: list[Any] = []

    @profiler.profile
    def function(*args: Any, **kwargs: Any) -> Any:
        received.extend([*args, *kwargs.values()])
        return result

    assert function(argument, keyword=keyword) is result
    assert received[0] is argument
    assert received[1] is keyword


def test_the_callers_containers_are_not_passed_on(profiler: publisher.Profiler) -> None:
    @profiler.profile
    def function(*args: Any, **kwargs: Any) -> Any:
        kwargs["added"] = 1
        return args, kwargs

    args, kwargs = (1, 2), {"a": 1}
    assert function(*args, **kwargs) == ((1, 2), {"a": 1, "added": 1})
    assert kwargs == {"a": 1}


@pytest.mark.parametrize("value", [None, False, 0, "", NotImplemented, StopIteration, ...])
def test_every_value_can_be_returned(profiler: publisher.Profiler, value: Any) -> None:
    assert profiler.profile(lambda: value)() is value

    async def coroutine() -> Any:
        return value

    assert asyncio.run(profiler.profile(coroutine)()) is value


class Raised(Exception):
    pass


def failing(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    "error",
    [Raised("text"), KeyError("key"), StopIteration(3), RecursionError(), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
def test_the_exception_is_the_same_object(
    profiler: publisher.Profiler, error: BaseException
) -> None:
    with pytest.raises(type(error)) as raised:
        profiler.profile(failing)(error)
    assert raised.value is error
    assert error.__cause__ is None
    assert error.__context__ is None
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames[0] == "test_the_exception_is_the_same_object"
    assert frames[-1] == "failing"


def test_cause_and_context_are_kept(profiler: publisher.Profiler) -> None:
    cause = ValueError("cause")

    @profiler.profile
    def chaining() -> None:
        try:
            raise KeyError("context")
        except KeyError:
            raise Raised("chained") from cause

    with pytest.raises(Raised) as raised:
        chaining()
    assert raised.value.__cause__ is cause
    assert isinstance(raised.value.__context__, KeyError)
    assert raised.value.__suppress_context__ is True


def test_an_exception_in_flight_at_the_call_becomes_the_context(
    profiler: publisher.Profiler,
) -> None:
    outer, inner = KeyError("in flight"), Raised("inner")
    try:
        raise outer
    except KeyError:
        with pytest.raises(Raised):
            profiler.profile(failing)(inner)
    assert inner.__context__ is outer


def test_traceback_lines_point_into_the_function(profiler: publisher.Profiler) -> None:
    with pytest.raises(Raised) as raised:
        profiler.profile(failing)(Raised("text"))
    text = "".join(traceback.format_exception(raised.value))
    assert "raise error" in text
    assert text.rstrip().endswith("Raised: text")


def test_code_after_a_failed_call_is_reached(profiler: publisher.Profiler) -> None:
    reached: list[str] = []

    @profiler.profile
    def function() -> str:
        try:
            raise Raised("text")
        except Raised:
            reached.append("except")
            return "result"
        finally:
            reached.append("finally")

    assert function() == "result"
    assert reached == ["except", "finally"]


class Instance:
    def __init__(self, value: int = 0) -> None:
        self.value = value

    def __call__(self, added: int = 1) -> int:
        return self.value + added

    def method(self, added: int) -> int:
        return self.value + added

    @classmethod
    def of_class(cls) -> type[Instance]:
        return cls


class AsyncInstance:
    async def __call__(self, value: int) -> int:
        await asyncio.sleep(0)
        return value


@pytest.mark.parametrize(
    ("callable_object", "args", "expected"),
    [
        pytest.param(len, ([1, 2],), 2, id="builtin"),
        pytest.param(str.upper, ("a",), "A", id="method descriptor"),
        pytest.param(int.__add__, (1, 2), 3, id="slot wrapper"),
        pytest.param("a-b".split, ("-",), ["a", "b"], id="bound builtin"),
        pytest.param(dict, ([("a", 1)],), {"a": 1}, id="builtin class"),
        pytest.param(Instance, (), None, id="class"),
        pytest.param(Instance(2), (3,), 5, id="callable instance"),
        pytest.param(Instance(2).method, (3,), 5, id="bound method"),
        pytest.param(Instance.of_class, (), Instance, id="bound classmethod"),
        pytest.param(functools.partial(max, 3), (2,), 3, id="partial"),
        pytest.param(operator.itemgetter(0), ("ab",), "a", id="itemgetter"),
        pytest.param(lambda value: value, (7,), 7, id="lambda"),
        pytest.param(functools.lru_cache(abs), (-1,), 1, id="lru_cache"),
    ],
)
def test_any_callable_can_be_decorated(
    callable_object: Callable[..., Any], args: Any, expected: Any
) -> None:
    for profiler in (publisher.Profiler(), make_profiler()):
        result = profiler.profile(callable_object)(*args)
        assert isinstance(result, Instance) if expected is None else result == expected
    handler = CollectingHandler()
    decorated = make_profiler(handler).profile(callable_object)
    result = decorated(*args)
    assert isinstance(result, Instance) if expected is None else result == expected
    assert len(handler.records) == 1
    assert handler.records[0]["method"].rpartition(":")[2] != ""


@pytest.mark.parametrize(
    ("callable_object", "path"),
    [
        (len, "builtins:len"),
        (str.upper, "str:upper"),
        (int.__add__, "int:__add__"),
        (dict, "builtins:dict"),
        (Instance, f"{MODULE}:Instance"),
        (Instance().method, "Instance:method"),
        (lambda *args: None, f"{MODULE}:<lambda>"),
    ],
)
def test_paths_of_callables_that_are_no_plain_functions(
    callable_object: Callable[..., Any], path: str
) -> None:
    handler = CollectingHandler()
    decorated = make_profiler(handler).profile(callable_object)
    decorated(
        *{"len": ["a"], "upper": ["a"], "__add__": [1, 2], "method": [1]}.get(
            getattr(callable_object, "__name__", ""), []
        )
    )
    assert handler.methods() == [path]


def test_a_callable_that_returns_a_coroutine_can_be_awaited() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    async def main() -> None:
        assert await profiler.profile(AsyncInstance())(3) == 3
        partial = functools.partial(asyncio.sleep, 0, "slept")
        assert await profiler.profile(partial)() == "slept"

    asyncio.run(main())
    assert len(handler.records) == 2
    assert_tree_at_rest(profiler)


def test_recursion_and_mutual_recursion() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def even(number: int) -> bool:
        return True if number == 0 else odd(number - 1)

    @profiler.profile
    def odd(number: int) -> bool:
        return False if number == 0 else even(number - 1)

    assert even(5) is False
    assert handler.methods()[0] == f"{MODULE}:even.odd.even.odd.even.odd"
    assert len(handler.records) == 6


def test_a_decorated_function_is_a_callback() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def negative(number: int) -> int:
        return -number

    assert sorted([1, 3, 2], key=negative) == [3, 2, 1]
    assert list(map(negative, [1, 2])) == [-1, -2]
    assert functools.reduce(lambda total, number: total + negative(number), [1, 2], 0) == -3
    assert len(handler.records) == 7


def test_zero_argument_super_and_closures() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    counter = 0

    class Child(Instance):
        @profiler.profile
        def method(self, added: int) -> int:
            nonlocal counter
            counter += 1
            assert __class__ is Child  # type: ignore[name-defined]
            return super().method(added) * 2

    assert Child(1).method(2) == 6
    assert counter == 1
    assert handler.methods() == [f"{MODULE}:method"]


def test_a_generator_function_gives_its_values() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def numbers(count: int) -> Iterator[int]:
        received = yield 0
        yield received
        yield from range(count)

    iterator = numbers(2)
    assert next(iterator) == 0
    assert iterator.send("sent") == "sent"  # type: ignore[attr-defined]
    assert list(iterator) == [0, 1]
    assert handler.methods() == [f"{MODULE}:numbers"]
