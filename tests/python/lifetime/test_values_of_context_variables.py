"""Values of users' context variables live no longer than they would without profiling."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import types
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from support import (
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
    output_of,
)

# More than one node of CPython's mapping holds, so that nodes are shared between mappings.
VARIABLES = [contextvars.ContextVar(f"users_{number}") for number in range(24)]


class Value:
    """Something a weak reference can point to."""


@pytest.fixture
def collector_off() -> Iterator[None]:
    """What is freed is freed by itself."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collector_off")
def test_a_value_replaced_inside_a_call_is_freed_at_once() -> None:
    profiler = make_profiler(CollectingHandler())
    variable = VARIABLES[0]

    @profiler.profile
    def replace(known: weakref.ref[Value]) -> None:
        variable.set(None)
        assert known() is None

    @profiler.profile
    async def replace_later(known: weakref.ref[Value]) -> None:
        variable.set(None)
        assert known() is None

    def set_to_new() -> weakref.ref[Value]:
        value = Value()
        variable.set(value)
        return weakref.ref(value)

    def body() -> None:
        replace(set_to_new())

    async def async_body() -> None:
        await replace_later(set_to_new())

    contextvars.Context().run(body)
    asyncio.run(async_body())
    assert_tree_at_rest(profiler)


@pytest.mark.usefixtures("collector_off")
def test_a_call_keeps_no_value_alive_after_its_end() -> None:
    profiler = make_profiler(CollectingHandler())
    variable = VARIABLES[0]

    @profiler.profile
    def leaf() -> None:
        """Called with the value, which the nodes that are used again must not keep."""

    @profiler.profile
    async def async_leaf() -> None:
        leaf()

    async def async_body() -> None:
        value = Value()
        known.append(weakref.ref(value))
        token = variable.set(value)
        await async_leaf()
        variable.reset(token)
        del value, token
        assert known[-1]() is None

    def body() -> None:
        value = Value()
        known.append(weakref.ref(value))
        token = variable.set(value)
        leaf()
        variable.reset(token)
        del value, token
        assert known[-1]() is None

    known: list[weakref.ref[Value]] = []
    contextvars.Context().run(body)
    asyncio.run(async_body())
    assert len(known) == 2


@pytest.mark.usefixtures("collected_garbage")
def test_a_suspended_coroutine_in_a_cycle_is_freed_with_the_values_of_its_context() -> None:
    profiler = make_profiler(CollectingHandler())
    variable = VARIABLES[0]
    known: list[weakref.ref[Value]] = []

    @types.coroutine
    def forever() -> Iterator[None]:
        yield

    @profiler.profile
    async def suspended(ring: list[Any]) -> None:
        await forever()

    def body() -> None:
        value = Value()
        known.append(weakref.ref(value))
        variable.set(value)
        ring: list[Any] = []
        coroutine = suspended(ring)
        ring.append(coroutine)
        coroutine.send(None)

    contextvars.Context().run(body)
    gc.collect()
    gc.collect()
    assert known[0]() is None


def test_finalizers_may_call_while_a_variable_of_the_user_is_being_set() -> None:
    # Up to CPython 3.11 the collector can run inside `ContextVar.set`; a finalizer that sets
    # a variable there, and leaves it so, crashes the interpreter. A call puts all back.
    output = output_of(
        """
        import contextvars, gc, sys
        import phanos

        phanos.profiler.config(job="J")
        phanos.profiler.add_handler(phanos.publisher.NamedLoggerHandler("silent", "silent"))
        calls = 0

        @phanos.profile
        def profiled():
            global calls
            calls += 1

        class Ring:
            def __init__(self):
                self.ring = self

            def __del__(self):
                profiled()

        variables = [contextvars.ContextVar(f"users_{number}") for number in range(40)]
        gc.set_threshold(1)
        for turn in range(300):
            Ring()
            tokens = [variable.set((turn, variable)) for variable in variables]
            assert all(variable.get() == (turn, variable) for variable in variables)
            for variable, token in zip(variables, tokens):
                variable.reset(token)
        gc.collect()
        print(calls)
        """
    )
    assert output.split() == ["300"]
