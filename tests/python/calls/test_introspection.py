"""A decorated function keeps what can be seen of it: names, signature, kind, source, identity."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import inspect
import types
import typing
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from phanos import publisher
from support import CollectingHandler, assert_tree_at_rest, make_profiler

PROFILER = publisher.Profiler()


def plain(a: int, /, b: str = "b", *args: float, c: bool, d: int | None = None, **rest: Any) -> str:
    """One line.

    And more.
    """
    return b


async def coroutine(a: int, *, b: str = "b") -> str:
    """Await it."""
    return b


def generator(a: int = 1) -> Iterator[int]:
    """Iterate it."""
    yield a


async def async_generator(a: int = 1) -> AsyncIterator[int]:
    """Iterate it in a loop."""
    yield a


class Owner:
    def method(self, a: int) -> Owner:
        """A method."""
        return self


UNDECORATED = [plain, coroutine, generator, async_generator, Owner.method]
EVERY_KIND = pytest.mark.parametrize("original", UNDECORATED, ids=lambda each: each.__qualname__)
# Configured and recording, configured but idle, and never configured.
EVERY_STATE = pytest.mark.parametrize("profiler_state", ["recording", "idle", "unconfigured"])


def profiler_in(state: str) -> publisher.Profiler:
    if state == "unconfigured":
        return publisher.Profiler()
    return make_profiler(*([CollectingHandler()] if state == "recording" else []))


@EVERY_KIND
@EVERY_STATE
def test_names_and_documentation(original: Callable[..., Any], profiler_state: str) -> None:
    decorated = profiler_in(profiler_state).profile(original)
    assert decorated is not original
    assert decorated.__name__ == original.__name__
    assert decorated.__qualname__ == original.__qualname__
    assert decorated.__module__ == original.__module__
    assert decorated.__doc__ == original.__doc__
    assert inspect.getdoc(decorated) == inspect.getdoc(original)
    assert original.__qualname__ in repr(decorated)


@EVERY_KIND
def test_signature_and_annotations(original: Callable[..., Any]) -> None:
    decorated = PROFILER.profile(original)
    assert inspect.signature(decorated) == inspect.signature(original)
    assert decorated.__annotations__ == original.__annotations__
    assert typing.get_type_hints(decorated) == typing.get_type_hints(original)
    assert inspect.get_annotations(decorated, eval_str=True) == inspect.get_annotations(
        original, eval_str=True
    )


@EVERY_KIND
def test_the_original_is_wrapped(original: Callable[..., Any]) -> None:
    decorated = PROFILER.profile(original)
    assert decorated.__wrapped__ is original
    assert inspect.unwrap(decorated) is original
    assert inspect.getsource(decorated) == inspect.getsource(original)
    assert inspect.getsourcelines(decorated) == inspect.getsourcelines(original)
    assert inspect.getsourcefile(inspect.unwrap(decorated)) == __file__


# Deprecated from 3.14 on, and used by frameworks nevertheless.
asyncio_says = pytest.mark.filterwarnings("ignore:'asyncio.iscoroutinefunction'")


@asyncio_says
@EVERY_KIND
@EVERY_STATE
def test_kind_of_function(original: Callable[..., Any], profiler_state: str) -> None:
    decorated = profiler_in(profiler_state).profile(original)
    assert isinstance(decorated, types.FunctionType)
    assert callable(decorated)
    for predicate in (
        inspect.isfunction,
        inspect.isroutine,
        inspect.ismethod,
        inspect.isbuiltin,
        inspect.isclass,
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        asyncio.iscoroutinefunction,
    ):
        assert predicate(decorated) == predicate(original), predicate.__name__


def test_results_are_of_the_kind_that_was_promised() -> None:
    profiler = make_profiler(CollectingHandler())

    async def main() -> None:
        awaitable = profiler.profile(coroutine)(1)
        assert inspect.iscoroutine(awaitable)
        assert inspect.isawaitable(awaitable)
        assert await awaitable == "b"
        iterating = profiler.profile(async_generator)(2)
        assert inspect.isasyncgen(iterating)
        assert [number async for number in iterating] == [2]

    asyncio.run(main())
    iterator = profiler.profile(generator)(3)
    assert inspect.isgenerator(iterator)
    assert list(iterator) == [3]
    assert_tree_at_rest(profiler)


def test_attributes_of_the_function_are_there() -> None:
    def marked() -> None:
        pass

    marked.route = "/path"  # type: ignore[attr-defined]
    decorated = PROFILER.profile(marked)
    assert decorated.route == "/path"  # type: ignore[attr-defined]


def test_attributes_can_be_set_read_and_deleted() -> None:
    decorated = PROFILER.profile(plain)
    decorated.added = [1]  # type: ignore[attr-defined]
    assert decorated.added == [1]  # type: ignore[attr-defined]
    assert "added" in vars(decorated)
    assert not hasattr(plain, "added")
    del decorated.added  # type: ignore[attr-defined]
    assert not hasattr(decorated, "added")


def test_names_can_be_changed() -> None:
    def renamed() -> None:
        pass

    decorated = PROFILER.profile(renamed)
    decorated.__name__ = "other"
    decorated.__qualname__ = "Other.other"
    decorated.__doc__ = "Other."
    assert (decorated.__name__, decorated.__qualname__) == ("other", "Other.other")
    assert decorated.__doc__ == "Other."
    assert renamed.__name__ == "renamed"


def test_identity_equality_and_hash() -> None:
    first, second = PROFILER.profile(plain), PROFILER.profile(plain)
    assert first == first
    assert first != second
    assert first != plain
    assert len({first, second, plain, first}) == 3
    assert {first: "kept"}[first] == "kept"


def test_copies_are_the_function_itself() -> None:
    decorated = PROFILER.profile(plain)
    assert copy.copy(decorated) is decorated
    assert copy.deepcopy(decorated) is decorated
    assert copy.deepcopy({"nested": [decorated]})["nested"][0] is decorated


def test_it_can_be_referenced_weakly() -> None:
    def short_lived() -> None:
        pass

    decorated = PROFILER.profile(short_lived)
    reference = weakref.ref(decorated)
    assert reference() is decorated
    mapping = weakref.WeakKeyDictionary({decorated: 1})
    assert mapping[decorated] == 1
    del decorated
    gc.collect()
    assert reference() is None
    assert len(mapping) == 0


def test_a_forgotten_function_is_freed_after_it_was_called() -> None:
    profiler = make_profiler(CollectingHandler())

    class Argument:
        pass

    def make() -> tuple[weakref.ref[Any], weakref.ref[Any], weakref.ref[Any]]:
        def short_lived(argument: Argument) -> Argument:
            return argument

        decorated = profiler.profile(short_lived)
        argument = Argument()
        assert decorated(argument) is argument
        return weakref.ref(decorated), weakref.ref(short_lived), weakref.ref(argument)

    references = make()
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


def test_wraps_over_it_keeps_its_names() -> None:
    profiler = make_profiler(CollectingHandler())
    decorated = profiler.profile(plain)

    @functools.wraps(decorated)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return decorated(*args, **kwargs)

    assert outer.__name__ == "plain"
    assert outer.__doc__ == plain.__doc__
    assert inspect.signature(outer) == inspect.signature(plain)
    assert inspect.unwrap(outer) is plain
    assert outer(1, c=True) == "b"


def test_it_goes_over_wraps() -> None:
    profiler = make_profiler(handler := CollectingHandler())

    @profiler.profile
    @functools.wraps(plain)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return plain(*args, **kwargs)

    assert inspect.signature(outer) == inspect.signature(plain)
    assert outer(1, "x", c=True) == "x"
    assert handler.methods() == [f"{__name__}:plain"]


@asyncio_says
def test_a_partial_of_it_works() -> None:
    profiler = make_profiler(handler := CollectingHandler())
    partial = functools.partial(profiler.profile(plain), 1, c=True)
    assert partial("x") == "x"
    assert asyncio.iscoroutinefunction(functools.partial(profiler.profile(coroutine), 1)) == (
        asyncio.iscoroutinefunction(functools.partial(coroutine, 1))
    )
    assert inspect.iscoroutinefunction(functools.partial(profiler.profile(coroutine), 1))
    assert handler.methods() == [f"{__name__}:plain"]


def test_profiled_twice_is_recorded_twice() -> None:
    profiler = make_profiler(handler := CollectingHandler())
    twice = profiler.profile(profiler.profile(plain))
    assert twice(1, c=True) == "b"
    assert inspect.unwrap(twice) is plain
    assert handler.methods() == [f"{__name__}:plain.plain", f"{__name__}:plain"]


def test_profile_is_the_same_decorator_on_every_access() -> None:
    profiler = make_profiler(handler := CollectingHandler())
    profile = profiler.profile
    assert profile == profiler.profile
    for decorate in (profile, profiler.profile, functools.partial(profiler.profile)):
        assert decorate(plain)(1, c=True) == "b"
    assert handler.methods() == [f"{__name__}:plain"] * 3


@pytest.mark.parametrize("given", [None, 3, "plain", object(), [plain], NotImplemented])
def test_what_cannot_be_called_cannot_be_decorated(given: Any) -> None:
    for profiler in (PROFILER, make_profiler(CollectingHandler())):
        with pytest.raises(TypeError, match="callable"):
            profiler.profile(given)


def test_a_property_cannot_be_decorated() -> None:
    with pytest.raises(TypeError, match="callable"):
        PROFILER.profile(property(plain))  # type: ignore[arg-type, type-var]


def test_a_classmethod_object_must_go_above() -> None:
    with pytest.raises(TypeError, match="classmethod"):
        PROFILER.profile(classmethod(plain))  # type: ignore[arg-type, type-var]
    # Inside a class body the message appears before the class exists.
    with pytest.raises(TypeError, match="classmethod"):

        class Wrong:
            @PROFILER.profile  # type: ignore[arg-type, type-var]
            @classmethod
            def method(cls) -> None:
                pass
