"""Functions that are decorated over and over: looked at, called and freed, however often."""

from __future__ import annotations

import inspect

import pytest
from support import CollectingHandler, make_profiler, output_of

LAYERS = 300


def plain(first: int, second: str = "two") -> str:
    """Doc."""
    return f"{first} {second}"


async def coroutine(first: int) -> int:
    return first


@pytest.mark.parametrize("function", [plain, coroutine])
def test_the_outermost_layer_shows_what_the_innermost_has(function) -> None:
    profiler = make_profiler(CollectingHandler())
    decorated = function
    for _ in range(LAYERS):
        decorated = profiler.profile(decorated)
    assert decorated.__name__ == function.__name__
    assert decorated.__doc__ == function.__doc__
    assert decorated.__defaults__ == function.__defaults__
    assert decorated.__annotations__ == function.__annotations__
    assert inspect.signature(decorated) == inspect.signature(function)
    assert inspect.iscoroutinefunction(decorated) is inspect.iscoroutinefunction(function)
    assert inspect.unwrap(decorated) is function
    with pytest.raises(AttributeError, match="nothing"):
        _ = decorated.nothing


def test_layers_between_show_what_was_set_on_them() -> None:
    profiler = make_profiler(CollectingHandler())
    inner = profiler.profile(plain)
    middle = profiler.profile(inner)
    outer = profiler.profile(middle)
    inner.mark = "inner"
    assert outer.mark == middle.mark == "inner"
    middle.mark = "middle"
    assert (outer.mark, inner.mark) == ("middle", "inner")
    middle.__doc__ = "Other."
    assert (outer.__doc__, inner.__doc__) == ("Other.", "Doc.")


def test_layers_over_an_object_have_its_names() -> None:
    class Callable:
        def __call__(self) -> str:
            return "called"

    profiler = make_profiler(CollectingHandler())
    decorated = profiler.profile(profiler.profile(Callable()))
    assert decorated.__name__ == "Callable"
    assert decorated() == "called"


@pytest.mark.parametrize("ending", ["counted", "collected"])
@pytest.mark.parametrize("kind", ["plain", "wrapped"])
def test_any_number_of_layers_is_freed_on_a_small_stack(ending: str, kind: str) -> None:
    printed = output_of(
        """
        import functools, gc, sys, threading, weakref
        from phanos import _phanos, publisher
        from support import CollectingHandler, make_profiler

        ending, kind = sys.argv[1:]
        profiler = make_profiler(CollectingHandler())

        def function():
            return None

        def make_wrapper(inner):
            return lambda: inner()

        def build():
            decorated = first = lambda: None
            for _ in range(100_000):
                wrapper = make_wrapper(decorated) if kind == "wrapped" else None
                decorated = _phanos.decorate(profiler._core, decorated, "name", wrapper, False)
            assert decorated.__name__ == "<lambda>"
            if kind == "plain":
                try:
                    decorated()
                except RecursionError:
                    pass
                else:
                    raise AssertionError("no RecursionError")
            if ending == "collected":
                first.cycle = decorated
            return weakref.ref(first)

        def run():
            gone = build()
            gc.collect()
            gc.collect()
            assert gone() is None
            print("freed")

        threading.stack_size(256 * 1024)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        """,
        ending,
        kind,
    )
    assert printed == "freed\n"
