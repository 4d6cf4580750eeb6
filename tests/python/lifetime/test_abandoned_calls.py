"""Coroutines and generators that are dropped before their end are freed, with their contexts."""

from __future__ import annotations

import contextvars
import gc
import types
import weakref

import pytest
from freed import Thing, assert_freed
from phanos.tree import MethodTreeNode
from support import (
    CollectingHandler,
    assert_tree_at_rest,
    drive,
    make_profiler,
)

pytestmark = pytest.mark.usefixtures("collected_garbage")


def test_suspended_coroutines_and_generators_in_a_cycle_with_their_profiler() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    thing = Thing()
    thing.profiler = profiler

    @profiler.profile
    def numbers(held):
        yield 1
        yield 2

    thing.generator = numbers(thing)
    next(thing.generator)
    references = {"thing": weakref.ref(thing), "profiler": weakref.ref(profiler)}
    del thing, profiler, numbers
    assert_freed(**references)


def test_nothing_stays_of_generators_that_the_collector_closes() -> None:
    profiler = make_profiler(CollectingHandler())

    @profiler.profile
    def numbers():
        yield 1
        yield 2

    def abandon(count: int) -> int:
        for _ in range(count):
            cycle = [numbers()]
            next(cycle[0])
            cycle.append(cycle)
            del cycle
        gc.collect()
        return sum(type(one) is MethodTreeNode for one in gc.get_objects())

    before = abandon(100)
    assert abandon(100) <= before
    assert_tree_at_rest(profiler)


@types.coroutine
def once():
    yield


class Abandoning:
    """Keeps what it never finishes, as servers keep the coroutines of their connections."""

    def __init__(self, profiler) -> None:
        self.work = getattr(self, f"{self.kind}_of")(profiler.profile)
        self.begin()

    kind = "generator"

    def generator_of(self, profile):
        @profile
        def numbers(held):
            yield 1

        return numbers(self)

    def coroutine_of(self, profile):
        @profile
        async def wait(held):
            await once()

        return wait(self)

    def async_generator_of(self, profile):
        @profile
        async def numbers(held):
            yield 1

        return numbers(self)

    def begin(self) -> None:
        if self.kind == "generator":
            next(self.work)
        elif self.kind == "coroutine":
            self.work.send(None)
        else:
            drive(self.work.asend(None))


@pytest.mark.parametrize("kind", ["generator", "coroutine", "async_generator"])
def test_what_is_abandoned_while_the_profiler_lives(kind: str) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    abandoned = type("Abandoned", (Abandoning,), {"kind": kind})(profiler)
    assert len(profiler.tree.root.children) == 1
    reference = weakref.ref(abandoned)
    del abandoned
    assert_freed(abandoned=reference)
    assert_tree_at_rest(profiler)
    assert len(handler.records) == 1


@pytest.mark.parametrize("kind", ["generator", "coroutine", "async_generator"])
def test_what_is_abandoned_and_known_to_the_context_it_ran_in(kind: str) -> None:
    profiler = make_profiler(CollectingHandler())
    variable = contextvars.ContextVar("variable")

    class Abandoned(Abandoning):
        def begin(self) -> None:
            variable.set(self)
            super().begin()

    Abandoned.kind = kind
    reference = contextvars.Context().run(lambda: weakref.ref(Abandoned(profiler)))
    assert_freed(abandoned=reference)
    assert_tree_at_rest(profiler)


def test_the_variables_of_dropped_contexts() -> None:
    profiler = make_profiler(CollectingHandler())
    variable = contextvars.ContextVar("variable", default=None)
    references = []

    @profiler.profile
    def outer():
        references.append(weakref.ref(variable.get()))

    def body():
        variable.set(Thing())
        outer()

    for _ in range(3):
        contextvars.copy_context().run(body)
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
