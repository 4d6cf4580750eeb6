"""Calls of one context that begin and end by turns leave no node, and paths stay short."""

from __future__ import annotations

import contextvars
import gc
import types
from collections.abc import Callable
from typing import Any

import pytest
from phanos import publisher
from phanos.tree import MethodTreeNode
from support import CollectingHandler, assert_tree_at_rest, make_profiler

pytestmark = pytest.mark.usefixtures("collected_garbage")

ROUNDS = 20
STEPS = [
    None,
    "measure_execution_start",
    "before_func_profiling",
    "set_curr_node",
    "delete_curr_node",
]


@types.coroutine
def pause():
    yield


def coroutines(profiler: publisher.Profiler) -> Callable[[], Any]:
    @profiler.profile
    async def work():
        await pause()
        await pause()

    return work


def generators(profiler: publisher.Profiler) -> Callable[[], Any]:
    @profiler.profile
    def work():
        yield
        yield

    return work


def generators_in_coroutines(profiler: publisher.Profiler) -> Callable[[], Any]:
    @profiler.profile
    async def numbers():
        await pause()
        yield 1
        await pause()
        yield 2

    @profiler.profile
    async def work():
        async for _ in numbers():
            pass

    return work


def generators_that_wait(profiler: publisher.Profiler) -> Callable[[], Any]:
    @profiler.profile
    async def numbers():
        await pause()
        yield 1
        await pause()
        yield 2

    async def work():
        async for _ in numbers():
            pass

    return work


def nested(profiler: publisher.Profiler) -> Callable[[], Any]:
    @profiler.profile
    async def inner():
        await pause()

    @profiler.profile
    async def work():
        await inner()
        await inner()

    return work


def by_hand(profiler: publisher.Profiler) -> Callable[[], Any]:
    def function():
        pass

    def work():
        node = profiler.set_curr_node(function)
        yield
        yield
        profiler.delete_curr_node(node)

    return work


def take_turns(work: Callable[[], Any], count: int) -> None:
    """Begin `count` calls, then give each a turn until all have ended."""
    live = [work() for _ in range(count)]
    while live:
        for one in list(live):
            try:
                one.send(None)
            except StopIteration:
                live.remove(one)


def node_count() -> int:
    gc.collect()
    return sum(type(one) is MethodTreeNode for one in gc.get_objects())


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "kind",
    [
        coroutines,
        generators,
        generators_in_coroutines,
        generators_that_wait,
        nested,
        by_hand,
    ],
)
def test_calls_by_turns(kind: Callable[..., Callable[[], Any]], step: str | None) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    if step is not None:
        original = getattr(profiler, step)
        setattr(profiler, step, lambda *args: original(*args))
    work = kind(profiler)
    take_turns(work, 3)
    first = handler.methods()
    handler.clear()
    nodes = node_count()
    for _ in range(ROUNDS):
        take_turns(work, 3)
        assert_tree_at_rest(profiler)
        assert handler.methods() == first
        handler.clear()
    assert node_count() <= nodes


@pytest.mark.parametrize("step", STEPS)
def test_a_context_that_outlives_a_root_stays_below_it(step: str | None) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    if step is not None:
        original = getattr(profiler, step)
        setattr(profiler, step, lambda *args: original(*args))

    @profiler.profile
    def leaf():
        pass

    @profiler.profile
    def root():
        return contextvars.copy_context()

    @profiler.profile
    def generator():
        leaf()
        yield
        leaf()

    context = root()
    handler.clear()
    for _ in range(2):
        context.run(leaf)
        context.run(list, generator())
    own = [method.rpartition(":")[2] for method in handler.methods()]
    leaf_and_generator = ["root.leaf", *["root.generator.leaf"] * 2, "root.generator"]
    assert own == leaf_and_generator * 2
