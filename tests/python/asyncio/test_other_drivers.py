"""Asynchronous handlers where no task of asyncio runs the coroutine: trio, traps, by hand."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import types
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import trio
from support import (
    DEADLINE_S,
    AsyncCollectingHandler,
    assert_tree_at_rest,
    drive,
    make_profiler,
    path_of,
    run_in_threads,
)

ITEM = __name__.rpartition(".")[2]


@types.coroutine
def trap(*request: Any) -> Any:
    """Ask the driver for something, as the coroutines of curio do: by a tuple."""
    return (yield request)


def run_traps(coroutine: Coroutine[Any, Any, Any], asked: list[Any]) -> Any:
    """Drive a coroutine that asks by tuples, and by nothing else."""
    answer = None
    while True:
        try:
            request = coroutine.send(answer)
        except StopIteration as stop:
            return stop.value
        kind, number = request
        asked.append(request)
        answer = (kind, number + 1)


def in_callback_of_asyncio(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Drive it while a loop of asyncio runs, but no task: as Twisted does on asyncio's reactor."""

    async def main() -> Any:
        done = asyncio.get_running_loop().create_future()

        def callback() -> None:
            try:
                done.set_result(drive(coroutine))
            except Exception as error:
                done.set_exception(error)

        asyncio.get_running_loop().call_soon(callback)
        return await asyncio.wait_for(done, DEADLINE_S)

    return asyncio.run(main())


def in_task_by_hand(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Drive it by hand inside a task, as a test that asks for a loop may do."""

    async def main() -> Any:
        return drive(coroutine)

    return asyncio.run(main())


async def given(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return await coroutine


DRIVERS: dict[str, Callable[[Coroutine[Any, Any, Any]], Any]] = {
    "by hand": drive,
    "trio": lambda coroutine: trio.run(given, coroutine),
    "callback of asyncio": in_callback_of_asyncio,
    "by hand in a task": in_task_by_hand,
    "traps": lambda coroutine: run_traps(coroutine, []),
}
EVERY_DRIVER = pytest.mark.parametrize("run", DRIVERS.values(), ids=DRIVERS)


@EVERY_DRIVER
def test_the_handler_is_awaited_in_the_call(run: Callable[..., Any]) -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)

    @profiler.profile
    async def leaf() -> None:
        return None

    @profiler.profile
    async def outer() -> str:
        await leaf()
        return "result"

    async def main() -> str:
        result = await outer()
        assert handler.counts("time_profiler") == {f"{ITEM}:outer": 1, f"{ITEM}:outer.leaf": 1}
        return result

    assert run(main()) == "result"
    assert [name for name, _ in handler.batches] == ["response_size", "time_profiler"]
    assert_tree_at_rest(profiler)
    assert profiler.flush() is True


@EVERY_DRIVER
def test_a_generator_awaits_its_handler_in_its_last_step(run: Callable[..., Any]) -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def numbers() -> Any:
        yield 1
        yield 2

    async def main() -> list[int]:
        return [number async for number in numbers()]

    assert run(main()) == [1, 2]
    assert handler.counts() == {f"{ITEM}:numbers": 1}


@EVERY_DRIVER
def test_what_the_call_raised_is_raised_and_seen_by_the_handler(run: Callable[..., Any]) -> None:
    import sys

    seen: list[Any] = []

    async def look(records: Any, name: str) -> None:
        seen.append(sys.exc_info()[1])

    profiler = make_profiler(AsyncCollectingHandler(on_handle=look))
    error = ValueError("of the call")

    @profiler.profile
    async def fails() -> None:
        raise error

    with pytest.raises(ValueError, match="of the call"):
        run(fails())
    assert seen == [error]
    assert_tree_at_rest(profiler)


@EVERY_DRIVER
def test_a_handler_that_raises_is_logged(
    run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(records: Any, name: str) -> None:
        raise ValueError("of the handler")

    profiler = make_profiler(AsyncCollectingHandler(on_handle=fail))

    @profiler.profile
    async def outer() -> str:
        return "result"

    with caplog.at_level(logging.ERROR):
        assert run(outer()) == "result"
    assert "of the handler" in caplog.text
    assert profiler.flush() is True


@EVERY_DRIVER
def test_batches_of_threads_go_out_with_the_next_coroutine(run: Callable[..., Any]) -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def step() -> None:
        return None

    @profiler.profile
    async def outer() -> None:
        return None

    run_in_threads(lambda _: step(), 2)
    assert handler.batches == []
    assert profiler.flush() is False
    run(outer())
    assert handler.methods() == [f"{ITEM}:step", f"{ITEM}:step", f"{ITEM}:outer"]
    assert profiler.flush() is True


@EVERY_DRIVER
def test_aflush_dispatches_what_waits(run: Callable[..., Any]) -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)
    profiler.profile(path_of)(profiler)
    assert run(profiler.aflush()) is True
    assert len(handler.records) == 1


@EVERY_DRIVER
def test_profiled_calls_of_a_handler_are_handed_over_too(run: Callable[..., Any]) -> None:
    async def call(records: Any, name: str) -> None:
        if len(handler.batches) < 2:
            await helper()

    handler = AsyncCollectingHandler(on_handle=call)
    profiler = make_profiler(handler)
    profiler.RECORDS_LEN_LIMIT = 1

    @profiler.profile
    async def helper() -> None:
        return None

    @profiler.profile
    async def outer() -> None:
        return None

    run(outer())
    assert handler.methods()[0] == f"{ITEM}:outer"
    assert set(handler.methods()[1:]) == {f"{ITEM}:outer.helper"}
    assert profiler.flush() is True
    assert_tree_at_rest(profiler)


def test_what_the_handler_asks_its_driver_reaches_it_and_nothing_else_does() -> None:
    answers: list[Any] = []

    async def ask(records: Any, name: str) -> None:
        answers.append(await trap("handler", 10))
        assert path_of(profiler) == f"{ITEM}:outer"
        answers.append(await trap("handler", 20))

    handler = AsyncCollectingHandler(on_handle=ask)
    profiler = make_profiler(handler)

    @profiler.profile
    async def outer() -> Any:
        return await trap("body", 1)

    asked: list[Any] = []
    assert run_traps(outer(), asked) == ("body", 2)
    assert asked == [("body", 1), ("handler", 10), ("handler", 20)]
    assert answers == [("handler", 11), ("handler", 21)]
    assert handler.counts() == {f"{ITEM}:outer": 1}
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("end", ["close", "drop", "throw KeyboardInterrupt", "throw TimeoutError"])
def test_a_batch_whose_handler_was_ended_by_the_driver_waits(end: str) -> None:
    entered: list[str] = []

    async def wait_once(records: Any, name: str) -> None:
        entered.append(name)
        if len(entered) == 1:
            await trap("wait", 0)

    handler = AsyncCollectingHandler(on_handle=wait_once)
    profiler = make_profiler(handler)

    @profiler.profile
    async def outer() -> None:
        return None

    coroutine = outer()
    assert coroutine.send(None) == ("wait", 0)
    assert profiler.flush() is False
    if end == "close":
        coroutine.close()
    elif end != "drop":
        error = {"TimeoutError": TimeoutError, "KeyboardInterrupt": KeyboardInterrupt}[end[6:]]()
        with pytest.raises(type(error)) as raised:
            coroutine.throw(error)
        assert raised.value is error
    else:
        del coroutine
        gc.collect()
    assert handler.batches == []
    assert_tree_at_rest(profiler)
    assert profiler.flush() is False
    drive(profiler.aflush())
    assert handler.counts() == {f"{ITEM}:outer": 1}
    assert profiler.flush() is True


def test_a_handler_that_goes_on_when_it_is_interrupted_has_its_batch() -> None:
    async def stubborn(records: Any, name: str) -> None:
        with contextlib.suppress(TimeoutError):
            await trap("wait", 0)

    handler = AsyncCollectingHandler(on_handle=stubborn)
    profiler = make_profiler(handler)

    @profiler.profile
    async def fails() -> None:
        raise ValueError

    coroutine = fails()
    assert coroutine.send(None) == ("wait", 0)
    with pytest.raises(ValueError):  # noqa: PT011
        coroutine.throw(TimeoutError())
    assert handler.counts() == {f"{ITEM}:fails": 1}
    assert profiler.flush() is True


def test_what_a_handler_raises_of_itself_reaches_the_call_once() -> None:
    class Stop(BaseException):
        pass

    async def stop(records: Any, name: str) -> None:
        raise Stop

    profiler = make_profiler(AsyncCollectingHandler(on_handle=stop))

    @profiler.profile
    async def outer() -> None:
        return None

    with pytest.raises(Stop):
        drive(outer())
    assert_tree_at_rest(profiler)
    assert profiler.flush() is True


def test_interleaved_coroutines_each_await_their_handlers() -> None:
    async def ask(records: Any, name: str) -> None:
        await trap("handler", 0)

    handler = AsyncCollectingHandler(on_handle=ask)
    profiler = make_profiler(handler)

    @profiler.profile
    async def call(number: int) -> None:
        await trap("body", number)

    # Each in a context of its own, else one would be a call within the other.
    running = [(contextvars.copy_context(), call(number)) for number in range(3)]
    for number, (context, coroutine) in enumerate(running):
        assert context.run(coroutine.send, None) == ("body", number)
    for context, coroutine in running:
        assert context.run(coroutine.send, None) == ("handler", 0)
    assert profiler.flush() is False
    for number, (context, coroutine) in enumerate(running):
        with pytest.raises(StopIteration):
            context.run(coroutine.send, None)
        assert handler.counts() == {f"{ITEM}:call": number + 1}
    assert_tree_at_rest(profiler)
    assert profiler.flush() is True


def test_under_trio_a_slow_handler_is_the_callers_own_time() -> None:
    async def slowly(records: Any, name: str) -> None:
        await trio.sleep(0.01)
        await trio.lowlevel.checkpoint()

    handler = AsyncCollectingHandler(on_handle=slowly)
    profiler = make_profiler(handler)

    @profiler.profile
    async def outer(number: int) -> None:
        await trio.sleep(0)

    async def main() -> None:
        with trio.fail_after(DEADLINE_S):
            async with trio.open_nursery() as nursery:
                for number in range(5):
                    nursery.start_soon(outer, number)

    trio.run(main)
    assert handler.counts() == {f"{ITEM}:outer": 5}
    assert_tree_at_rest(profiler)


def test_under_trio_a_cancelled_call_leaves_its_batch_to_the_next() -> None:
    handled: list[int] = []

    async def wait_once(records: Any, name: str) -> None:
        handled.append(len(records))
        if len(handled) == 1:
            await trio.sleep_forever()

    handler = AsyncCollectingHandler(on_handle=wait_once)
    profiler = make_profiler(handler)

    @profiler.profile
    async def body_cancelled() -> None:
        await trio.sleep_forever()

    @profiler.profile
    async def outer() -> None:
        return None

    async def main() -> None:
        with trio.fail_after(DEADLINE_S):
            with trio.move_on_after(0.01) as scope:
                await outer()
            assert scope.cancelled_caught
            assert profiler.flush() is False
            with trio.move_on_after(0.01) as scope:
                await body_cancelled()
            assert scope.cancelled_caught
            assert handler.batches == []
            await outer()

    trio.run(main)
    assert handler.methods() == [f"{ITEM}:outer", f"{ITEM}:body_cancelled", f"{ITEM}:outer"]
    assert profiler.flush() is True
    assert_tree_at_rest(profiler)


def test_under_trio_aflush_keeps_its_timeout() -> None:
    waiting = True

    async def wait(records: Any, name: str) -> None:
        if waiting:
            await trio.sleep_forever()

    handler = AsyncCollectingHandler(on_handle=wait)
    profiler = make_profiler(handler)
    profiler.profile(path_of)(profiler)

    async def main() -> None:
        nonlocal waiting
        with trio.fail_after(DEADLINE_S):
            assert await profiler.aflush(0.01) is False
            waiting = False
            assert await profiler.aflush() is True

    trio.run(main)
    assert len(handler.records) == 1
