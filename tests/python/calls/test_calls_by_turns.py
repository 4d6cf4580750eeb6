"""Coroutines and generators of one context that are begun, driven and ended by turns."""

from __future__ import annotations

import gc
import itertools
import types
from collections.abc import Callable
from typing import Any

import pytest
from phanos import publisher
from phanos.tree import MethodTreeNode
from support import CollectingHandler, assert_tree_at_rest, path_of

ITEM = __name__.rpartition(".")[2]


class OwnStep(publisher.Profiler):
    """Overrides a step, so that calls are made in Python."""

    def measure_execution_start(self) -> Any:
        return super().measure_execution_start()


@types.coroutine
def pause() -> Any:
    yield


@pytest.fixture(params=[publisher.Profiler, OwnStep])
def profiler(request: pytest.FixtureRequest) -> Any:
    profiler = request.param()
    profiler.config(job="TEST")
    profiler.add_handler(CollectingHandler())
    return profiler


def begin_of(profiler: Any, kind: str) -> Callable[[], Callable[[], Any]]:
    """What begins a call of that kind and returns what resumes it."""
    if kind == "coroutine":

        @profiler.profile
        async def call() -> None:
            await pause()
            await pause()

        def begin() -> Callable[[], Any]:
            coroutine = call()
            coroutine.send(None)
            return lambda: coroutine.send(None)

        return begin
    if kind == "generator":

        @profiler.profile
        def call() -> Any:
            yield
            yield

        def begin() -> Callable[[], Any]:
            generator = call()
            next(generator)
            return lambda: next(generator)

        return begin

    @profiler.profile
    async def call() -> Any:
        await pause()
        yield
        await pause()

    def begin() -> Callable[[], Any]:
        generator = call()
        step = generator.__anext__()
        step.send(None)
        steps = itertools.chain([step], (generator.__anext__() for _ in range(9)))
        current = [next(steps)]

        def resume() -> None:
            try:
                current[0].send(None)
            except StopIteration:
                current[0] = next(steps)
            except StopAsyncIteration:
                raise StopIteration from None

        return resume

    return begin


def finish(resume: Callable[[], Any]) -> None:
    for _ in range(20):
        try:
            resume()
        except StopIteration:
            return
    raise AssertionError("it goes on")


def nodes() -> int:
    gc.collect()
    # Not `isinstance`: objects of other tests may say that they are of another class.
    return sum(type(each) is MethodTreeNode for each in gc.get_objects())


@pytest.mark.parametrize("kind", ["coroutine", "generator", "async generator"])
@pytest.mark.parametrize("other", ["coroutine", "generator", "async generator"])
def test_rounds_leave_nothing_behind(profiler: Any, kind: str, other: str) -> None:
    handler = profiler.handlers["collecting"]
    begin_first, begin_second = begin_of(profiler, kind), begin_of(profiler, other)
    counts: list[int] = []
    for _ in range(20):
        first = begin_first()
        second = begin_second()
        first()
        second()
        finish(first)
        finish(second)
        assert path_of(profiler) == ""
        counts.append(nodes())
        handler.clear()
    assert counts[-1] <= counts[2]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("kind", ["coroutine", "async generator"])
def test_overlapping_chains_keep_their_paths_short(profiler: Any, kind: str) -> None:
    handler = profiler.handlers["collecting"]
    begin = begin_of(profiler, kind)
    before = begin()
    for _ in range(20):
        after = begin()
        finish(before)
        before = after
    finish(before)
    # Each began within the one before it; what has ended is not part of a path for ever.
    assert path_of(profiler) == ""
    assert_tree_at_rest(profiler)
    last = begin()
    finish(last)
    assert handler.methods()[-1] == f"{ITEM}:call"
