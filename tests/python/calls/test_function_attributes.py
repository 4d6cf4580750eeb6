"""Attributes that every function has: read past `__getattribute__`, set, deleted, refused."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import pydoc
import sys
import types
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from phanos import publisher
from support import CollectingHandler, assert_tree_at_rest, make_profiler

PROFILER = publisher.Profiler()
SPECIAL = [
    name
    for name, value in vars(types.FunctionType).items()
    if isinstance(value, (types.GetSetDescriptorType, types.MemberDescriptorType))
    and name != "__dict__"
]
"""`__code__`, `__doc__` and so on, those of this Python version."""


def fresh() -> Callable[..., Any]:
    """Return a new function of which everything can be told."""
    outside = object()

    def function(a: int, b: str = "b", *, c: bool = True) -> Any:
        """A line of documentation."""
        return a, b, c, outside

    return function


def outcome(operation: Callable[[], Any]) -> Any:
    """What an operation returns, or the class of what it raises."""
    try:
        return operation()
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("layers", [1, 3])
def test_they_are_found_without_getattribute(name: str, layers: int) -> None:
    original = decorated = fresh()
    for _ in range(layers):
        decorated = PROFILER.profile(decorated)
    expected = getattr(original, name)
    assert object.__getattribute__(decorated, name) == expected
    descriptor = inspect.getattr_static(decorated, name)
    assert descriptor.__get__(decorated, type(decorated)) == expected
    assert getattr(decorated, name) == expected
    assert name not in vars(decorated)


class Documented:
    """A class."""

    @PROFILER.profile
    def method(self) -> None:
        """What the method is for."""

    @staticmethod
    @PROFILER.profile
    def static() -> None:
        """What the static method is for."""

    @classmethod
    @PROFILER.profile
    def of_class(cls) -> None:
        """What the class method is for."""


class Inheriting(Documented):
    @PROFILER.profile
    def method(self) -> None:
        pass


@PROFILER.profile
def documented(a: int) -> None:
    """What the function is for."""


@PROFILER.profile
async def documented_coroutine() -> None:
    """What the coroutine is for."""


def test_help_shows_documentation() -> None:
    for object_, expected in [
        (documented, "What the function is for."),
        (documented_coroutine, "What the coroutine is for."),
        (Documented.method, "What the method is for."),
        (Documented().method, "What the method is for."),
        (Documented.static, "What the static method is for."),
        (Documented.of_class, "What the class method is for."),
        (Inheriting.method, "What the method is for."),
    ]:
        text = pydoc.plain(pydoc.render_doc(object_))
        assert expected in text, text
    text = pydoc.plain(pydoc.render_doc(Documented))
    assert all(f"What the {kind}method is for." in text for kind in ("", "static ", "class "))
    text = pydoc.plain(pydoc.render_doc(sys.modules[__name__]))
    assert "What the function is for." in text
    assert "documented(a: " in text


WRONG = [5, "text", b"bytes", (1,), {"key": 1}, [1], None, fresh]


def operations(name: str) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Yield everything that can be done to an attribute of a function."""
    for value in WRONG:
        # A tuple of defaults for a dict and the like: as a function takes or refuses them.
        yield f"set {value!r}", lambda function, value=value: setattr(function, name, value)
    yield "delete", lambda function: delattr(function, name)
    other = getattr(fresh(), name, None)
    yield "set another's", lambda function: setattr(function, name, other)


@pytest.mark.parametrize("name", SPECIAL)
def test_setting_and_deleting_does_what_it_does_to_a_function(name: str) -> None:
    for what, operation in operations(name):
        plain, original = fresh(), fresh()
        decorated = PROFILER.profile(original)
        expected = outcome(lambda: operation(plain))
        assert outcome(lambda: operation(decorated)) == expected, what
        if expected is None:
            left, right = getattr(decorated, name), getattr(plain, name)
            assert left == right or type(left) is type(right), what
        assert name not in vars(decorated), what


def test_what_a_function_refuses_is_said() -> None:
    decorated = PROFILER.profile(fresh())
    with pytest.raises(TypeError, match="__name__ must be set to a string object, got int"):
        decorated.__name__ = 5  # type: ignore[assignment]
    with pytest.raises(AttributeError, match="readonly"):
        decorated.__globals__ = {}  # type: ignore[attr-defined]


def test_names_are_those_of_the_decorated_function_alone() -> None:
    original = fresh()
    inner = PROFILER.profile(original)
    outer = PROFILER.profile(inner)
    inner.__name__ = "of_the_inner"
    inner.__doc__ = "Of the inner."
    assert (outer.__name__, outer.__doc__) == ("of_the_inner", "Of the inner.")
    outer.__doc__ = None
    assert (outer.__doc__, inner.__doc__) == (None, "Of the inner.")
    assert (original.__name__, original.__doc__) == ("function", "A line of documentation.")


def test_what_was_set_is_freed_with_the_function() -> None:
    class Value(str):
        __slots__ = ("__weakref__",)

    decorated = PROFILER.profile(fresh())
    decorated.__doc__ = value = Value("text")
    reference = weakref.ref(value)
    decorated.cycle = decorated  # type: ignore[attr-defined]
    del value, decorated
    gc.collect()
    assert reference() is None


def old(a: int, b: int = 1, *, c: int = 2) -> Any:
    return "old", a, b, c


def new(a: int, b: int = 10, d: int = 20, *, c: int = 30) -> Any:
    return "new", a, b, c, d


def copy_of(function: Any) -> Any:
    copy = types.FunctionType(function.__code__, function.__globals__, function.__name__)
    copy.__defaults__, copy.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    return copy


@pytest.mark.parametrize("layers", [1, 2])
def test_a_module_reloader_replaces_code_and_defaults(layers: int) -> None:
    profiler = make_profiler(handler := CollectingHandler())
    original = decorated = copy_of(old)
    for _ in range(layers):
        decorated = profiler.profile(decorated)
    assert decorated(0) == ("old", 0, 1, 2)
    decorated.__code__, decorated.__defaults__ = new.__code__, new.__defaults__
    decorated.__kwdefaults__ = new.__kwdefaults__
    assert decorated(0) == ("new", 0, 10, 30, 20)
    assert original(0) == ("new", 0, 10, 30, 20)
    assert list(inspect.signature(decorated).parameters) == ["a", "b", "d", "c"]
    del decorated.__defaults__
    assert decorated.__defaults__ is None
    with pytest.raises(TypeError):
        decorated(0)
    assert len(handler.records) == 3 * layers


async def coroutine(a: int) -> Any:
    await asyncio.sleep(0)
    return "coroutine", a


def generator(a: int) -> Iterator[Any]:
    yield "generator", a


async def async_generator(a: int) -> AsyncIterator[Any]:
    yield "async generator", a


def plain(a: int) -> Any:
    return "plain", a


def run(made: Any) -> Any:
    """The result of a call, whatever kind of function was called."""
    if inspect.iscoroutine(made):
        return asyncio.run(made)
    if inspect.isasyncgen(made):

        async def collect() -> Any:
            return [item async for item in made]

        return asyncio.run(collect())[0]
    return next(iter(list(made))) if inspect.isgenerator(made) else made


KINDS: list[Callable[..., Any]] = [plain, coroutine, generator, async_generator]


# From 3.14 on an assignment tells that the code is of another kind.
OTHER_KIND = pytest.mark.filterwarnings("ignore:Assigning a code object:DeprecationWarning")


@OTHER_KIND
@pytest.mark.parametrize("after", KINDS)
@pytest.mark.parametrize("before", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_code_of_another_kind_of_function(
    before: Callable[..., Any], after: Callable[..., Any], layers: int
) -> None:
    profiler = make_profiler(handler := CollectingHandler())
    decorated = copy_of(before)
    for _ in range(layers):
        decorated = profiler.profile(decorated)
    expected = [function.__name__.replace("_", " ") for function in (before, after)]
    assert run(decorated(1)) == (expected[0], 1)
    decorated.__code__ = after.__code__
    assert run(decorated(2)) == (expected[1], 2)
    for predicate in (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    ):
        assert predicate(decorated) == predicate(after)
    assert len(handler.records) == 2 * layers
    assert_tree_at_rest(profiler)


@OTHER_KIND
def test_code_replaced_while_it_makes_its_generator() -> None:
    profiler = make_profiler(CollectingHandler())

    class Replacing(functools.partial):  # type: ignore[type-arg]
        def __call__(self, *args: Any) -> Any:
            made = super().__call__(*args)
            decorated.__code__ = plain.__code__
            return made

    original = copy_of(generator)
    decorated = profiler.profile(original)
    outer = profiler.profile(Replacing(decorated))
    made = outer(1)
    assert list(made) == [("generator", 1)]
    assert run(decorated(2)) == ("plain", 2)
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("name", ["__code__", "__defaults__", "__kwdefaults__"])
def test_what_has_no_code_takes_some_as_any_attribute(name: str) -> None:
    partial = functools.partial(plain, 1)
    decorated: Any = PROFILER.profile(partial)
    before = getattr(decorated, name)
    value = getattr(new, name)
    setattr(decorated, name, value)
    assert getattr(decorated, name) == value
    assert decorated() == ("plain", 1)
    assert name not in vars(partial)
    delattr(decorated, name)
    assert getattr(decorated, name) == before
    with pytest.raises(AttributeError):
        delattr(decorated, name)


def test_a_partial_of_a_generator_function_made_awaitable() -> None:
    profiler = make_profiler(CollectingHandler())
    decorated = profiler.profile(functools.partial(generator, 1))
    awaitable = types.coroutine(decorated)
    assert awaitable is decorated

    async def main() -> None:
        await awaitable()

    coroutine = main()
    assert coroutine.send(None) == ("generator", 1)
    with pytest.raises(StopIteration):
        coroutine.send(None)
