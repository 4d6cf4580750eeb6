"""Profiled generators answer send, throw and close exactly as undecorated ones."""

from __future__ import annotations

import inspect
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support import CollectingHandler, assert_tree_at_rest, drive, make_profiler


def conversation():
    """Answer everything that can be done to a generator in a way of its own."""
    received = yield "first"
    while received != "stop":
        try:
            received = yield ("got", received)
        except KeyError as error:
            received = yield ("caught", str(error))
        except LookupError:
            return "returned from except"
        except GeneratorExit:
            if received == "stay":
                yield "ignored"
            raise
        if received == "fail":
            raise ArithmeticError("asked to")
        if received == "stop iteration":
            raise StopIteration("by hand")
    return "returned"


def steps_of(next_name: str, send: str, throw: str, close: str) -> st.SearchStrategy[Any]:
    """What can be done to a generator, by the names of its methods."""
    sent = st.sampled_from([None, "value", "stay", "stop", "fail", "stop iteration"])
    thrown = st.sampled_from([KeyError, LookupError, ValueError, GeneratorExit])
    return st.one_of(
        st.just((next_name,)),
        st.tuples(st.just(send), sent),
        st.tuples(st.just(throw), thrown),
        st.just((close,)),
    )


STEPS = steps_of("__next__", "send", "throw", "close")
ASYNC_STEPS = steps_of("__anext__", "asend", "athrow", "aclose")


def perform(generator, step):
    """Do one step; return what came of it in comparable form."""
    name, *arguments = step
    if name in ("throw", "athrow"):
        arguments = [arguments[0]("thrown in")]
    try:
        answer = getattr(generator, name)(*arguments)
        return "yielded", drive(answer) if inspect.isasyncgen(generator) else answer
    except BaseException as error:
        return "raised", type(error), error.args, type(error.__cause__)


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(STEPS, max_size=8))
def test_every_conversation_with_a_generator_goes_as_undecorated(steps) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    expected, actual = conversation(), profiler.profile(conversation)()
    for number, step in enumerate(steps):
        assert perform(actual, step) == perform(expected, step), (number, step)
        assert inspect.getgeneratorstate(actual) == inspect.getgeneratorstate(expected)
        assert profiler.curr_node.get() is profiler.tree.root
    started = inspect.getgeneratorstate(actual) != inspect.GEN_CREATED
    assert perform(actual, ("close",)) == perform(expected, ("close",))
    if inspect.getgeneratorstate(actual) == inspect.GEN_CLOSED:
        assert_tree_at_rest(profiler)
        assert len(handler.records) <= 1
        if (
            steps
            and steps[0][0] in ("__next__", "send")
            and started
            and steps[0][1:] in ((), (None,))
        ):
            assert len(handler.records) == 1
    for generator in (expected, actual):
        # One that ignored `close` must not be left to the garbage collector.
        perform(generator, ("send", "stop"))


async def async_conversation():
    """Answer everything that can be done to an async generator in a way of its own."""
    received = yield "first"
    while received != "stop":
        try:
            received = yield ("got", received)
        except KeyError as error:
            received = yield ("caught", str(error))
        except LookupError:
            return
        except GeneratorExit:
            if received == "stay":
                yield "ignored"
            raise
        if received == "fail":
            raise ArithmeticError("asked to")
        if received == "stop iteration":
            raise StopAsyncIteration("by hand")


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(ASYNC_STEPS, max_size=8))
def test_every_conversation_with_an_async_generator_goes_as_undecorated(steps) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    expected, actual = async_conversation(), profiler.profile(async_conversation)()
    for number, step in enumerate(steps):
        assert perform(actual, step) == perform(expected, step), (number, step)
        assert profiler.curr_node.get() is profiler.tree.root
    closed = perform(expected, ("aclose",))
    assert perform(actual, ("aclose",)) == closed
    if closed == ("yielded", None):
        assert_tree_at_rest(profiler)
        assert len(handler.records) <= 1
        if steps and steps[0] in (("__anext__",), ("asend", None)):
            assert len(handler.records) == 1
    for generator in (expected, actual):
        # One that ignored `aclose` must not be left to the garbage collector.
        perform(generator, ("asend", "stop"))
