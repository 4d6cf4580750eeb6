"""Steps of a call that a user overrides are taken for functions of every kind."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from phanos import metrics, publisher
from phanos.tree import ContextTree
from support import (
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    async_wait_until,
    drive,
    path_of,
)

ITEM = __name__.rpartition(".")[2]

KINDS = ["function", "coroutine function", "generator function", "async generator function"]

PROFILER_STEPS = [
    "needs_profiling",
    "get_records_count",
    "set_curr_node",
    "delete_curr_node",
    "measure_execution_start",
    "before_func_profiling",
    "after_function_profiling",
    "handle_records_clear",
]


def profiled(profiler: publisher.Profiler, kind: str, fails: bool = False) -> Callable[[], Any]:
    """A profiled function `body` of that kind, and its consumer; it returns `body`'s path."""

    def leave() -> str:
        if fails:
            raise KeyError("in the body")
        return path_of(profiler)

    if kind == "function":

        @profiler.profile
        def body() -> str:
            return leave()

        return body
    if kind == "coroutine function":

        @profiler.profile
        async def body() -> str:
            return leave()

        return lambda: drive(body())
    if kind == "generator function":

        @profiler.profile
        def body():
            yield path_of(profiler)
            yield leave()

        def consume_sync() -> str:
            made = body()
            assert inspect.isgenerator(made)
            first = next(made)
            assert profiler.curr_node.get() is profiler.tree.root
            assert list(made) == [first]
            return first

        return consume_sync

    @profiler.profile
    async def body():
        yield path_of(profiler)
        yield leave()

    async def consume() -> str:
        made = body()
        assert inspect.isasyncgen(made)
        first = await made.__anext__()
        assert profiler.curr_node.get() is profiler.tree.root
        assert [item async for item in made] == [first]
        return first

    return lambda: drive(consume())


def noting(taken: list[str], base: type, name: str) -> type:
    """A subclass of `base` whose method `name` notes that it was called and calls `base`'s."""

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        taken.append(name)
        return getattr(base, name)(self, *args, **kwargs)

    async def async_step(self: Any, *args: Any, **kwargs: Any) -> Any:
        taken.append(name)
        return await getattr(base, name)(self, *args, **kwargs)

    is_async = inspect.iscoroutinefunction(getattr(base, name))
    return type("Own", (base,), {name: async_step if is_async else step})


def configured(profiler: publisher.Profiler, handler: CollectingHandler) -> publisher.Profiler:
    profiler.config(job="TEST", response_size_profile=True)
    profiler.add_handler(handler)
    return profiler


def assert_recorded_once(profiler: Any, handler: CollectingHandler, failed: bool = False) -> None:
    for metric in (publisher.TIME_PROFILER, publisher.RESPONSE_SIZE):
        [record] = handler.of_metric(metric)
        assert record["method"] == f"{ITEM}:body"
        assert record["labels"] == {"error_raised": failed}
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", PROFILER_STEPS)
def test_a_step_of_the_profiler(step: str, kind: str, handler: CollectingHandler) -> None:
    taken: list[str] = []
    profiler = configured(noting(taken, publisher.Profiler, step)(), handler)
    call = profiled(profiler, kind)
    taken.clear()
    assert call() == f"{ITEM}:body"
    assert set(taken) == {step}
    assert step == "get_records_count" or taken == [step]
    assert_recorded_once(profiler, handler)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_assigned_to_an_instance(kind: str, fails: bool, handler: CollectingHandler) -> None:
    profiler = configured(publisher.Profiler(), handler)
    call = profiled(profiler, kind, fails)
    results = []

    def after(result: Any, start: Any, args: Any, kwargs: Any) -> None:
        results.append((result, path_of(profiler)))
        publisher.Profiler.after_function_profiling(profiler, result, start, args, kwargs)

    profiler.after_function_profiling = after  # type: ignore[method-assign]
    if fails:
        with pytest.raises(KeyError, match="in the body"):
            call()
    else:
        call()
    path = f"{ITEM}:body"
    returns = not fails and kind in ("function", "coroutine function")
    assert results == [(path if returns else None, path)]
    assert_recorded_once(profiler, handler, failed=fails)


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("function", "sync_inner"),
        ("coroutine function", "async_inner"),
        ("generator function", "sync_inner"),
        ("generator function", "generator_inner"),
        ("async generator function", "sync_inner"),
        ("async generator function", "async_generator_inner"),
        *[(kind, "handle_records_clear") for kind in KINDS],
    ],
)
def test_a_step_of_the_extension(kind: str, step: str, handler: CollectingHandler) -> None:
    taken: list[str] = []
    profiler = configured(publisher.Profiler(), handler)
    profiler.profile_ext = noting(taken, publisher.SyncExtProfiler, step)(profiler)
    assert profiled(profiler, kind)() == f"{ITEM}:body"
    assert taken == [step]
    assert_recorded_once(profiler, handler)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", ["stop", "rec"])
def test_an_operation_of_a_built_in_metric(
    operation: str, kind: str, handler: CollectingHandler
) -> None:
    taken: list[str] = []
    profiler = configured(publisher.Profiler(), handler)
    if operation == "stop":
        own = noting(taken, metrics.TimeProfiler, "stop")
        profiler.time_profile = own(publisher.TIME_PROFILER, job="TEST")
        profiler.add_metric(profiler.time_profile)
    else:
        own = noting(taken, metrics.ResponseSize, "rec")
        profiler.resp_size_profile = own(publisher.RESPONSE_SIZE, job="TEST")
        profiler.add_metric(profiler.resp_size_profile)
    assert profiled(profiler, kind)() == f"{ITEM}:body"
    assert taken == [operation]
    assert_recorded_once(profiler, handler)


@pytest.mark.parametrize("kind", KINDS)
def test_deleting_a_node_from_a_tree_of_ones_own(kind: str, handler: CollectingHandler) -> None:
    taken: list[str] = []
    profiler = configured(publisher.Profiler(), handler)
    profiler.tree = noting(taken, ContextTree, "find_and_delete_node")()
    profiler.curr_node.set(profiler.tree.root)
    assert profiled(profiler, kind)() == f"{ITEM}:body"
    assert taken == ["find_and_delete_node"]
    assert_recorded_once(profiler, handler)


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_to_profile(kind: str, handler: CollectingHandler) -> None:
    asked: list[bool] = []

    class Own(publisher.Profiler):
        def needs_profiling(self) -> bool:
            asked.append(True)
            return False

    profiler = configured(Own(), handler)
    call = profiled(profiler, kind)
    asked.clear()
    assert call() == ""
    assert asked == [True]
    assert handler.batches == []
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("ending", ["aclose", "athrow", "drop", "cancel"])
def test_an_asynchronous_generator_that_ends_early(ending: str, handler: CollectingHandler) -> None:
    taken: list[str] = []
    own = noting(taken, publisher.Profiler, "after_function_profiling")
    profiler = configured(own(), handler)
    cleaned: list[str] = []

    @profiler.profile
    async def body():
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            cleaned.append(path_of(profiler))

    async def main() -> None:
        made = body()
        assert await made.__anext__() == 1
        if ending == "aclose":
            await made.aclose()
        elif ending == "athrow":
            with pytest.raises(KeyError, match="thrown in"):
                await made.athrow(KeyError("thrown in"))
        elif ending == "cancel":
            task = asyncio.ensure_future(made.__anext__())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            del made
            await async_wait_until(lambda: bool(cleaned), "the loop's closing it")

    asyncio.run(main())
    assert cleaned == [f"{ITEM}:body"]
    assert taken == ["after_function_profiling"]
    assert_recorded_once(profiler, handler, failed=ending in ("athrow", "cancel"))


@pytest.mark.parametrize("kind", ["coroutine function", "async generator function"])
def test_asynchronous_handlers_are_awaited(kind: str) -> None:
    handler = AsyncCollectingHandler()
    taken: list[str] = []
    profiler = noting(taken, publisher.Profiler, "before_func_profiling")()
    profiler.async_config(job="TEST")
    profiler.add_handler(handler)

    @profiler.profile
    async def function() -> None:
        pass

    @profiler.profile
    async def generator() -> Any:
        yield 1

    async def main() -> list[str]:
        if kind == "coroutine function":
            await function()
        else:
            async for _ in generator():
                assert handler.batches == []
        return handler.methods()

    name = "function" if kind == "coroutine function" else "generator"
    assert asyncio.run(main()) == [f"{ITEM}:{name}"]
    assert taken == ["before_func_profiling"]
    assert_tree_at_rest(profiler)
