"""Coroutines driven without a loop: send, throw, close, and a change of context on the way."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import types
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support import (
    CollectingHandler,
    assert_tree_at_rest,
    drive,
    make_profiler,
    path_of,
)

ITEM = __name__.rpartition(".")[2]
AWAITS = 6


@types.coroutine
def pause(value):
    return (yield value)


class Driven:
    """What `drivable` made: a call tree that suspends at `AWAITS` places, counted from 0."""

    def __init__(self) -> None:
        self.handler = CollectingHandler()
        self.profiler = make_profiler(self.handler)
        self.wrong: list[tuple[int, str]] = []
        self.outer: Callable[[], Coroutine[Any, Any, Any]]


def drivable() -> Driven:
    driven = Driven()
    profiler = driven.profiler

    async def stop_here(number, expected):
        received = await pause(number)
        if path_of(profiler) != expected:
            driven.wrong.append((number, path_of(profiler)))
        return received

    @profiler.profile
    async def leaf(number):
        where = f"{ITEM}:outer.middle.leaf"
        await stop_here(number, where)
        await stop_here(number + 1, where)

    @profiler.profile
    async def middle():
        await leaf(0)
        await stop_here(2, f"{ITEM}:outer.middle")
        await leaf(3)

    @profiler.profile
    async def outer():
        await middle()
        return await stop_here(5, f"{ITEM}:outer")

    driven.outer = outer
    return driven


def test_send_runs_the_coroutine_like_an_undecorated_one() -> None:
    driven = drivable()
    coroutine = driven.outer()
    assert [coroutine.send(None) for _ in range(AWAITS)] == list(range(AWAITS))
    with pytest.raises(StopIteration) as stop:
        coroutine.send("result")
    assert stop.value.value == "result"
    assert driven.wrong == []
    assert driven.handler.methods() == [
        f"{ITEM}:outer.middle.leaf",
        f"{ITEM}:outer.middle.leaf",
        f"{ITEM}:outer.middle",
        f"{ITEM}:outer",
    ]
    assert_tree_at_rest(driven.profiler)


@pytest.mark.parametrize("where", range(AWAITS))
@pytest.mark.parametrize("error_type", [asyncio.CancelledError, ValueError, KeyboardInterrupt])
def test_an_exception_thrown_in_at_any_await_passes_and_the_tree_is_right(
    where: int, error_type: type[BaseException]
) -> None:
    driven = drivable()
    coroutine = driven.outer()
    for _ in range(where + 1):
        coroutine.send(None)
    error = error_type("thrown in")
    with pytest.raises(error_type) as raised:
        coroutine.throw(error)
    assert raised.value is error
    assert_tree_at_rest(driven.profiler)
    failed = {0: 3, 1: 3, 2: 2, 3: 3, 4: 3, 5: 1}[where]
    finished_before = {0: 0, 1: 0, 2: 1, 3: 1, 4: 1, 5: 3}[where]
    labels = [record["labels"]["error_raised"] for record in driven.handler.records]
    assert labels == [False] * finished_before + [True] * failed


@pytest.mark.parametrize("where", range(AWAITS))
def test_closing_at_any_await_keeps_the_records_and_the_tree(where: int) -> None:
    driven = drivable()
    coroutine = driven.outer()
    for _ in range(where + 1):
        coroutine.send(None)
    coroutine.close()
    assert_tree_at_rest(driven.profiler)
    assert driven.handler.methods()[-1] == f"{ITEM}:outer"
    assert driven.handler.records[-1]["labels"] == {"error_raised": True}


def test_a_suspended_coroutine_that_is_dropped_leaves_nothing() -> None:
    driven = drivable()
    coroutine = driven.outer()
    for _ in range(4):
        coroutine.send(None)
    assert len(driven.profiler.tree.root.children) == 1
    del coroutine
    gc.collect()
    assert_tree_at_rest(driven.profiler)
    assert driven.handler.counts() == {
        f"{ITEM}:outer": 1,
        f"{ITEM}:outer.middle": 1,
        f"{ITEM}:outer.middle.leaf": 2,
    }


def test_a_coroutine_that_swallows_what_is_thrown_in_goes_on() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def stubborn():
        try:
            await pause("first")
        except ValueError:
            assert path_of(profiler) == f"{ITEM}:stubborn"
        return await pause("second")

    coroutine = stubborn()
    assert coroutine.send(None) == "first"
    assert coroutine.throw(ValueError()) == "second"
    with pytest.raises(StopIteration) as stop:
        coroutine.send("done")
    assert stop.value.value == "done"
    assert [record["labels"] for record in handler.records] == [{"error_raised": False}]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("ending", ["return", "throw", "close"])
@pytest.mark.parametrize("second", ["empty", "copied before", "copied inside"])
def test_a_coroutine_may_finish_in_another_context_than_it_started(
    ending: str, second: str
) -> None:
    driven = drivable()
    profiler = driven.profiler
    before = contextvars.copy_context()
    started_in = contextvars.copy_context()
    coroutine = driven.outer()
    started_in.run(coroutine.send, None)
    inside = started_in.copy()
    assert str(inside[profiler.curr_node].ctx) == f"{ITEM}:outer.middle.leaf"
    finish_in = {
        "empty": contextvars.Context(),
        "copied before": before,
        "copied inside": inside,
    }[second]

    def finish():
        if ending == "close":
            coroutine.close()
        elif ending == "throw":
            error = ValueError("thrown in")
            with pytest.raises(ValueError, match="thrown in") as raised:
                coroutine.throw(error)
            assert raised.value is error
        else:
            for _ in range(AWAITS - 1):
                coroutine.send(None)
            with pytest.raises(StopIteration):
                coroutine.send(None)
        return profiler.curr_node.get()

    assert finish_in.run(finish) is profiler.tree.root
    assert_tree_at_rest(profiler)
    assert driven.handler.methods()[-1] == f"{ITEM}:outer"
    # The context it was started in is usable for further calls too.
    driven.handler.clear()

    @profiler.profile
    def afterwards():
        return None

    finish_in.run(afterwards)
    started_in.run(afterwards)
    assert driven.handler.counts()[f"{ITEM}:afterwards"] >= 1
    assert len(driven.handler.records) == 2
    assert_tree_at_rest(profiler)


def test_two_interleaved_coroutines_in_contexts_of_their_own() -> None:
    driven = drivable()
    coroutines = [driven.outer(), driven.outer()]
    contexts = [contextvars.copy_context(), contextvars.copy_context()]
    for _ in range(AWAITS):
        for coroutine, context in zip(coroutines, contexts, strict=True):
            context.run(coroutine.send, None)
            assert context.run(driven.profiler.curr_node.get) is not driven.profiler.tree.root
            assert driven.profiler.curr_node.get() is driven.profiler.tree.root
    for coroutine, context in zip(coroutines, contexts, strict=True):
        with pytest.raises(StopIteration):
            context.run(coroutine.send, None)
        assert context.run(driven.profiler.curr_node.get) is driven.profiler.tree.root
    assert driven.wrong == []
    assert driven.handler.counts() == {
        f"{ITEM}:outer": 2,
        f"{ITEM}:outer.middle": 2,
        f"{ITEM}:outer.middle.leaf": 4,
    }
    assert_tree_at_rest(driven.profiler)


def test_a_coroutine_needs_no_loop() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def answer():
        return 42

    assert drive(answer()) == 42
    assert handler.methods() == [f"{ITEM}:answer"]
    assert_tree_at_rest(profiler)


def test_a_coroutine_that_is_never_started_records_nothing() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def answer():
        return 42

    coroutine = answer()
    assert_tree_at_rest(profiler)
    coroutine.close()
    assert handler.batches == []
    assert_tree_at_rest(profiler)
