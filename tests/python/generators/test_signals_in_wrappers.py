"""
Exceptions of signal handlers, which are raised between any two steps of a wrapper.

The interpreter raises them where a call of native code returns, among other places: after
`begin_coroutine` made a coroutine and before the wrapper awaits it, for one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from phanos import publisher
from support import (
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    drive,
    make_profiler,
    path_of,
    run_python,
    watch_hooks,
)

ITEM = __name__.rpartition(".")[2]


class Interrupt(BaseException):
    """What a signal handler raises."""


@pytest.fixture
def interrupt_after() -> Iterator[Callable[[str], list[str]]]:
    """Raise once, as that turning point of a call returns; the list then has its name."""

    def arm(step: str) -> list[str]:
        raised: list[str] = []

        def watch(frame: FrameType, event: str, called: Any) -> None:
            owner = type(getattr(called, "__self__", None)).__name__
            if event == "c_return" and owner == "DeferredCall" and called.__name__ == step:
                sys.setprofile(None)
                raised.append(step)
                raise Interrupt

        sys.setprofile(watch)
        return raised

    try:
        yield arm
    finally:
        sys.setprofile(None)


def run_coroutine(profiler: publisher.Profiler) -> None:
    @profiler.profile
    async def body() -> None:
        pass

    drive(body())


def run_generator(profiler: publisher.Profiler) -> None:
    @profiler.profile
    def body() -> Iterator[int]:
        yield 1

    assert list(body()) == [1]


def run_async_generator(profiler: publisher.Profiler) -> None:
    @profiler.profile
    async def body() -> Any:
        yield 1

    async def consume() -> None:
        assert [item async for item in body()] == [1]

    drive(consume())


INTERRUPTED = [
    (run_coroutine, "begin_coroutine", True),
    (run_coroutine, "end", False),
    (run_generator, "begin", True),
    (run_generator, "suspend", True),
    (run_generator, "resume", True),
    (run_generator, "end_generator", False),
    (run_async_generator, "begin", True),
    (run_async_generator, "suspend", True),
    (run_async_generator, "resume", True),
    (run_async_generator, "end", False),
]


# Between `begin_coroutine` and `await` there is a coroutine that is not awaited yet.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize(("run", "step", "failed"), INTERRUPTED)
@pytest.mark.parametrize("nested", [False, True])
def test_the_call_is_recorded_and_its_node_goes(
    run: Callable[[publisher.Profiler], None],
    step: str,
    failed: bool,
    nested: bool,
    interrupt_after: Callable[[str], list[str]],
) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    hooks = watch_hooks(profiler)

    def attempt() -> None:
        node = profiler.curr_node.get()
        raised = interrupt_after(step)
        with pytest.raises(Interrupt):
            run(profiler)
        assert raised == [step]
        assert profiler.curr_node.get() is node
        assert list(node.children) == []

    if nested:

        @profiler.profile
        def outer() -> None:
            attempt()

        outer()
        path = f"{ITEM}:outer.body"
    else:
        attempt()
        path = f"{ITEM}:body"
    [record] = [record for record in handler.records if record["method"] == path]
    assert record["labels"] == {"error_raised": failed}
    names = [name for name, hook_path in hooks if hook_path == path]
    assert names == (
        ["before_func", "after_func"]
        if nested
        else ["before_root_func", "before_func", "after_func", "after_root_func"]
    )
    assert_tree_at_rest(profiler)
    run(profiler)
    assert handler.methods()[-1] == f"{ITEM}:body"


@pytest.mark.parametrize("run", [run_coroutine, run_async_generator])
def test_deliveries_that_nobody_awaits_are_queued(
    run: Callable[[publisher.Profiler], None], interrupt_after: Callable[[str], list[str]]
) -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)
    raised = interrupt_after("end")
    with pytest.raises(Interrupt):
        run(profiler)
    assert raised == ["end"]
    assert_tree_at_rest(profiler)
    assert handler.batches == []
    assert asyncio.run(profiler.aflush())
    assert handler.methods() == [f"{ITEM}:body"]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_an_interrupted_start_ends_no_call_but_its_own(
    interrupt_after: Callable[[str], list[str]],
) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def inner() -> None:
        raise AssertionError("never begun")

    @profiler.profile
    async def outer() -> str:
        coroutine = inner()
        profiler.handle_records = False  # So `start` begins no call: the current one is outer's.
        raised = interrupt_after("begin_coroutine")
        with pytest.raises(Interrupt):
            drive(coroutine)
        assert raised == ["begin_coroutine"]
        profiler.handle_records = True
        return path_of(profiler)

    assert drive(outer()) == f"{ITEM}:outer"
    assert handler.methods() == [f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


STRESS = """
    import itertools, random, signal, sys, time, warnings
    from support import CollectingHandler, assert_tree_at_rest, drive, make_profiler

    class Interrupt(BaseException):
        pass

    armed = False

    def on_signal(number, frame):
        global armed
        if armed:
            armed = False
            raise Interrupt

    # A coroutine that was made and not yet awaited is no error here.
    warnings.simplefilter("ignore", RuntimeWarning)
    sys.unraisablehook = lambda unraisable: None
    signal.signal(signal.SIGALRM, on_signal)
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def leaf():
        pass

    @profiler.profile
    async def numbers(limit):
        for number in range(limit):
            await leaf()
            yield number

    @profiler.profile
    async def coroutine():
        async for number in numbers(4):
            if number == 2:
                break
        await leaf()

    @profiler.profile
    def generator():
        received = yield 1
        yield from inner()

    @profiler.profile
    def inner():
        yield 1
        yield 2

    def asynchronous():
        drive(coroutine())

    def synchronous():
        for _ in generator():
            pass
        iterator = generator()
        next(iterator)
        iterator.send(3)
        iterator.close()

    random.seed(7)
    interrupted = 0
    deadline = time.monotonic() + float(sys.argv[1])
    for work in itertools.cycle([asynchronous, synchronous]):
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 3e-4), 1e-3)
            while True:
                work()
                armed = True  # It may have been raised where nothing can be: in a finalizer.
        except Interrupt:
            interrupted += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert_tree_at_rest(profiler)
        handler.clear()
        if time.monotonic() > deadline:
            break
    print(interrupted)
"""


def test_signals_at_any_moment_leave_the_tree_right() -> None:
    result = run_python(STRESS, "1.5")
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 100
