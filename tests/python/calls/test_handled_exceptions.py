"""What an `except` block is handling stays what it is after profiled calls in that block."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from phanos import metrics, publisher
from support import CollectingHandler, assert_tree_at_rest, drive, make_profiler


class OwnTime(metrics.TimeProfiler):
    """Makes a profiler take the steps of a call in Python."""

    def stop(self, *args: Any, **kwargs: Any) -> None:
        super().stop(*args, **kwargs)


def failing_call(profiler: publisher.Profiler) -> Callable[[], None]:
    @profiler.profile
    def fails() -> None:
        raise KeyError("in the call")

    def call() -> None:
        with pytest.raises(KeyError, match="in the call"):
            fails()

    return call


def clean_call(profiler: publisher.Profiler) -> Callable[[], None]:
    @profiler.profile
    def works() -> None:
        pass

    return works


@pytest.mark.parametrize("own_steps", [False, True])
@pytest.mark.parametrize("make_call", [failing_call, clean_call])
@pytest.mark.parametrize("around", ["the same", "another", "none"])
def test_inside_a_generator(own_steps: bool, make_call: Any, around: str) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    if own_steps:
        profiler.time_profile = OwnTime("time_profiler", job="TEST")
        profiler.add_metric(profiler.time_profile)
    call = make_call(profiler)
    handled = ValueError("handled in the generator")
    outer = {"the same": handled, "another": OSError("around"), "none": None}[around]

    def handling():
        try:
            raise handled
        except ValueError:
            call()
            yield sys.exc_info()[1]
            yield sys.exc_info()[1]
        yield sys.exc_info()[1]

    generator = handling()
    try:
        if outer is not None:
            raise outer
        assert next(generator) is handled
    except (ValueError, OSError):
        assert next(generator) is handled
        assert sys.exc_info()[1] is outer
    # Resumed where nothing is handled around it.
    assert next(generator) is handled
    assert next(generator) is None
    assert len(handler.records) == 1
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("make_call", [failing_call, clean_call])
def test_inside_a_coroutine_that_only_inherits_it(make_call: Any) -> None:
    profiler = make_profiler(CollectingHandler())
    call = make_call(profiler)
    seen = []

    async def inner() -> None:
        call()
        seen.append(sys.exc_info()[1])

    async def outer() -> None:
        try:
            raise ValueError("around")
        except ValueError as error:
            await inner()
            seen.append(error)

    drive(outer())
    assert seen[0] is seen[1]
    assert sys.exc_info() == (None, None, None)


@pytest.mark.parametrize("make_call", [failing_call, clean_call])
def test_a_suspended_generator_keeps_no_exception_it_only_inherited(make_call: Any) -> None:
    profiler = make_profiler(CollectingHandler())
    call = make_call(profiler)

    def inheriting():
        call()
        yield sys.exc_info()[1]
        yield sys.exc_info()[1]

    generator = inheriting()
    around = ValueError("around")
    try:
        raise around
    except ValueError:
        assert next(generator) is around
    assert next(generator) is None
