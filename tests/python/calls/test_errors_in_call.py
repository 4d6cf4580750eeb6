"""What a profiled function raises reaches its caller untouched, and its records are kept."""

from __future__ import annotations

import asyncio
import signal
import sys
import traceback

import pytest
from phanos.metrics import Counter
from support import (
    JOB,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
    path_of,
)

ITEM = __name__.rpartition(".")[2]


class Unusual(BaseException):
    pass


KINDS = [
    ValueError,
    KeyError,
    StopIteration,
    StopAsyncIteration,
    RecursionError,
    MemoryError,
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    asyncio.CancelledError,
    asyncio.TimeoutError,
    Unusual,
]


def last_function(error: BaseException) -> str:
    return traceback.extract_tb(error.__traceback__)[-1].name


def assert_unchanged(error: BaseException, arguments: tuple[object, ...]) -> None:
    """`error` is as the user's code made it: arguments, chain, innermost frame."""
    assert error.args == arguments
    assert error.__cause__ is None
    assert error.__context__ is None
    assert last_function(error) == "user_code"


def assert_failed_records(handler: CollectingHandler, profiler) -> None:
    assert handler.methods() == [f"{ITEM}:outer.leaf", f"{ITEM}:outer"]
    assert [record["labels"] for record in handler.records] == [{"error_raised": True}] * 2
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_sync_call_raises_passes_unchanged(kind: type[BaseException]) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    error = kind("argument", 2)

    def user_code():
        raise error

    @profiler.profile
    def leaf():
        user_code()

    @profiler.profile
    def outer():
        leaf()

    with pytest.raises(kind) as raised:
        outer()
    assert raised.value is error
    assert_unchanged(error, ("argument", 2))
    assert_failed_records(handler, profiler)
    assert sys.exc_info() == (None, None, None)


@pytest.mark.parametrize("with_async_handler", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_an_async_call_raises_passes_unchanged(
    kind: type[BaseException], with_async_handler: bool
) -> None:
    handler = AsyncCollectingHandler() if with_async_handler else CollectingHandler()
    profiler = make_profiler(handler)
    error = kind("argument", 2)

    async def user_code():
        await asyncio.sleep(0)
        raise error

    @profiler.profile
    async def leaf():
        await user_code()

    @profiler.profile
    async def outer():
        await leaf()

    async def main():
        # Caught here: some of the kinds would end the event loop if they left the task.
        try:
            await outer()
        except BaseException as caught:
            assert_tree_at_rest(profiler)
            return caught
        return None

    caught = asyncio.run(main())
    if kind in (StopIteration, StopAsyncIteration) and caught is not error:
        # A coroutine cannot raise StopIteration: the interpreter wraps it before anyone sees it.
        assert isinstance(caught, RuntimeError)
        assert caught.__cause__ is error
    else:
        assert caught is error
        assert_unchanged(error, ("argument", 2))
    assert_failed_records(handler, profiler)


def test_chains_made_by_the_user_stay() -> None:
    profiler = make_profiler(CollectingHandler())

    @profiler.profile
    def leaf():
        raise KeyError("inner")

    @profiler.profile
    def outer():
        try:
            leaf()
        except KeyError as error:
            raise ValueError("outer") from error

    @profiler.profile
    def suppressing():
        try:
            leaf()
        except KeyError:
            raise ValueError("alone") from None

    with pytest.raises(ValueError, match="outer") as raised:
        outer()
    assert isinstance(raised.value.__cause__, KeyError)
    with pytest.raises(ValueError, match="alone") as raised:
        suppressing()
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert_tree_at_rest(profiler)


def test_a_caught_error_marks_only_the_calls_that_failed() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def clean():
        return path_of(profiler)

    @profiler.profile
    def failing():
        clean()
        raise ValueError

    @profiler.profile
    def outer():
        node = profiler.curr_node.get()
        try:
            failing()
        except ValueError:
            assert profiler.curr_node.get() is node
            # Clean, though the exception is still being handled.
            assert clean() == f"{ITEM}:outer.clean"
        return clean()

    outer()
    labels = [(record["method"], record["labels"]["error_raised"]) for record in handler.records]
    assert labels == [
        (f"{ITEM}:outer.failing.clean", False),
        (f"{ITEM}:outer.failing", True),
        (f"{ITEM}:outer.clean", False),
        (f"{ITEM}:outer.clean", False),
        (f"{ITEM}:outer", False),
    ]
    assert_tree_at_rest(profiler)


def test_reraising_after_a_profiled_call_raises_what_was_being_handled() -> None:
    profiler = make_profiler(CollectingHandler())

    @profiler.profile
    def failing():
        raise KeyError("other")

    def handle_and_reraise():
        try:
            raise ValueError("first")
        except ValueError:
            with pytest.raises(KeyError):
                failing()
            raise

    with pytest.raises(ValueError, match="first"):
        handle_and_reraise()


def test_an_operation_while_an_exception_is_in_flight_is_marked() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    counter = Counter("events", JOB, "events")
    profiler.add_metric(counter)

    @profiler.profile
    def outer():
        counter.inc(1)
        try:
            raise ValueError
        except ValueError:
            counter.inc(2)
        counter.inc(3)

    outer()
    marks = [
        (record["value"][1], record["labels"]["error_raised"])
        for record in handler.of_metric("events")
    ]
    assert marks == [(1.0, False), (2.0, True), (3.0, False)]


def test_the_frames_between_caller_and_callee_are_few() -> None:
    profiler = make_profiler(CollectingHandler())

    def user_code():
        raise RuntimeError

    wrapped = profiler.profile(user_code)
    with pytest.raises(RuntimeError) as raised:
        wrapped()
    names = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert names[0] == "test_the_frames_between_caller_and_callee_are_few"
    assert names[-1] == "user_code"
    assert len(names) <= 4


def test_wrong_arguments_are_a_type_error_as_without_the_decorator() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    def plain(first, *, named):
        return first, named

    wrapped = profiler.profile(plain)
    for arguments, keywords in [((), {}), ((1,), {}), ((1, 2), {"named": 3}), ((1,), {"no": 2})]:
        with pytest.raises(TypeError) as expected:
            plain(*arguments, **keywords)
        with pytest.raises(TypeError) as got:
            wrapped(*arguments, **keywords)
        assert str(got.value) == str(expected.value)
    assert_tree_at_rest(profiler)


def test_deep_failures_leave_no_node() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def descend(depth):
        if depth == 0:
            raise ValueError("bottom")
        descend(depth - 1)

    with pytest.raises(ValueError, match="bottom"):
        descend(99)
    assert len(handler.records) == 100
    assert all(record["labels"]["error_raised"] for record in handler.records)
    assert_tree_at_rest(profiler)


def test_a_real_interrupt_passes_through_and_the_tree_is_right() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def leaf():
        signal.raise_signal(signal.SIGINT)

    @profiler.profile
    def outer():
        leaf()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                outer()
            assert_tree_at_rest(profiler)
    finally:
        signal.signal(signal.SIGINT, before)
    assert handler.counts() == {f"{ITEM}:outer.leaf": 3, f"{ITEM}:outer": 3}
    assert all(record["labels"]["error_raised"] for record in handler.records)
