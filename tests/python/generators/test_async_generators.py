"""Profiled async generators: one record each, current only while the body runs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import time

import pytest
from phanos import publisher
from support import (
    assert_tree_at_rest,
    async_wait_until,
    path_of,
    watch_hooks,
)

ITEM = __name__.rpartition(".")[2]


def test_a_profiled_async_generator_function_is_still_one(profiler) -> None:
    @profiler.profile
    async def numbers(limit):
        for number in range(limit):
            yield number

    async def main():
        generator = numbers(3)
        assert inspect.isasyncgen(generator)
        return [number async for number in generator]

    assert inspect.isasyncgenfunction(numbers)
    assert not inspect.iscoroutinefunction(numbers)
    assert asyncio.run(main()) == [0, 1, 2]


def test_one_record_and_the_node_is_current_only_while_the_body_runs(profiler, handler) -> None:
    inside: list[str] = []

    @profiler.profile
    async def leaf():
        await asyncio.sleep(0)
        inside.append(path_of(profiler))

    @profiler.profile
    async def numbers():
        for number in range(3):
            inside.append(path_of(profiler))
            await asyncio.sleep(0)
            inside.append(path_of(profiler))
            await leaf()
            yield number
        inside.append(path_of(profiler))

    @profiler.profile
    async def outer():
        node = profiler.curr_node.get()
        async for _ in numbers():
            assert profiler.curr_node.get() is node
            await leaf()
        assert profiler.curr_node.get() is node
        assert list(node.children) == []

    asyncio.run(outer())
    generator, below = f"{ITEM}:outer.numbers", f"{ITEM}:outer.numbers.leaf"
    assert inside == [generator, generator, below, f"{ITEM}:outer.leaf"] * 3 + [generator]
    assert handler.counts() == {generator: 1, below: 3, f"{ITEM}:outer.leaf": 3, f"{ITEM}:outer": 1}
    assert_tree_at_rest(profiler)


def test_an_async_generator_without_a_caller_is_a_root_with_hooks(profiler, handler) -> None:
    hooks = watch_hooks(profiler)

    @profiler.profile
    async def numbers():
        yield 1
        await asyncio.sleep(0)

    async def main():
        generator = numbers()
        assert hooks == []
        assert await generator.__anext__() == 1
        assert [name for name, _ in hooks] == ["before_root_func", "before_func"]
        assert profiler.curr_node.get() is profiler.tree.root
        with pytest.raises(StopAsyncIteration):
            await generator.__anext__()
        assert [name for name, _ in hooks[2:]] == ["after_func", "after_root_func"]
        assert handler.methods() == [f"{ITEM}:numbers"]
        assert_tree_at_rest(profiler)

    asyncio.run(main())
    assert {path for _, path in hooks} == {f"{ITEM}:numbers"}


def test_time_runs_from_the_first_resume_to_the_end(profiler, handler) -> None:
    @profiler.profile
    async def slow():
        time.sleep(0.02)
        yield 1
        await asyncio.sleep(0.02)

    async def main():
        generator = slow()
        await asyncio.sleep(0.1)
        started = time.perf_counter()
        async for _ in generator:
            time.sleep(0.03)
        return (time.perf_counter() - started) * 1000

    elapsed_ms = asyncio.run(main())
    ((_, value),) = [record["value"] for record in handler.records]
    # A timer of the loop may fire a little early, by its clock's resolution.
    assert 68.0 <= value <= elapsed_ms + 1.0


def test_an_async_generator_that_is_never_resumed_records_nothing(profiler, handler) -> None:
    @profiler.profile
    async def numbers():
        yield 1

    async def main():
        generator = numbers()
        await generator.aclose()
        assert [number async for number in generator] == []
        dropped = numbers()
        del dropped
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert handler.batches == []
    assert profiler.get_records_count() == 0
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("how", ["aclose", "break", "drop", "athrow", "task"])
def test_an_async_generator_that_ends_early_keeps_its_record(how, profiler, handler) -> None:
    cleaned: list[str] = []

    @profiler.profile
    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            cleaned.append(path_of(profiler))

    async def end(generator):
        if how == "aclose":
            await generator.aclose()
        elif how == "task":
            # In another task, so in another context than it was started in.
            await asyncio.create_task(generator.aclose())
        elif how == "athrow":
            error = ValueError("thrown in")
            with pytest.raises(ValueError, match="thrown in") as raised:
                await generator.athrow(error)
            assert raised.value is error

    @profiler.profile
    async def outer():
        node = profiler.curr_node.get()
        if how == "break":
            async for _ in numbers():
                break
        else:
            generator = numbers()
            assert await generator.__anext__() == 1
            assert profiler.curr_node.get() is node
            await end(generator)
            del generator
        # Dropped ones are closed by the loop, in a task of its own.
        gc.collect()
        await async_wait_until(lambda: bool(cleaned), "the generator's cleanup")
        await async_wait_until(lambda: list(node.children) == [], "the generator's end")
        assert profiler.curr_node.get() is node

    asyncio.run(outer())
    assert cleaned == [f"{ITEM}:outer.numbers"]
    assert handler.methods() == [f"{ITEM}:outer.numbers", f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


def test_break_and_no_wait_is_finished_when_the_loop_ends(profiler, handler) -> None:
    kept = []

    @profiler.profile
    async def numbers():
        try:
            yield 1
        finally:
            await asyncio.sleep(0)

    @profiler.profile
    async def outer():
        generator = numbers()
        kept.append(generator)
        async for _ in generator:
            break

    asyncio.run(outer())
    assert handler.methods() == [f"{ITEM}:outer", f"{ITEM}:outer.numbers"]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("own_steps", [False, True])
def test_a_loop_that_ends_closes_it_once(own_steps, profiler, handler) -> None:
    class OwnExt(publisher.SyncExtProfiler):
        def sync_inner(self, func, *args, **kwargs):
            return super().sync_inner(func, *args, **kwargs)

    if own_steps:
        profiler.profile_ext = OwnExt(profiler)
    reported: list[dict[str, object]] = []
    kept, cleaned = [], []

    @profiler.profile
    async def numbers():
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            cleaned.append(path_of(profiler))

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what))
        kept.append(numbers())
        assert await kept[0].__anext__() == 1

    asyncio.run(main())
    assert reported == []
    assert cleaned == [f"{ITEM}:numbers"]
    assert handler.methods() == [f"{ITEM}:numbers"]
    assert_tree_at_rest(profiler)


def test_aclosing_and_early_return(profiler, handler) -> None:
    @profiler.profile
    async def numbers():
        for number in range(10):
            await asyncio.sleep(0)
            yield number

    @profiler.profile
    async def first_above(limit):
        node = profiler.curr_node.get()
        async with contextlib.aclosing(numbers()) as source:
            async for number in source:
                assert profiler.curr_node.get() is node
                if number > limit:
                    return number

    assert asyncio.run(first_above(3)) == 4
    assert handler.methods() == [f"{ITEM}:first_above.numbers", f"{ITEM}:first_above"]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("steps", range(1, 8))
def test_cancellation_inside_the_body_at_any_await(steps, profiler, handler) -> None:
    @profiler.profile
    async def numbers():
        for number in range(3):
            await asyncio.sleep(0)
            assert path_of(profiler) == f"{ITEM}:outer.numbers"
            yield number

    @profiler.profile
    async def outer():
        node = profiler.curr_node.get()
        try:
            async for _ in numbers():
                await asyncio.sleep(0)
                assert profiler.curr_node.get() is node
        finally:
            assert profiler.curr_node.get() is node

    async def main():
        task = asyncio.create_task(outer())
        for _ in range(steps):
            await asyncio.sleep(0)
        cancelled = task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert cancelled == isinstance(result, asyncio.CancelledError)
        assert cancelled == (steps <= 6)

    asyncio.run(main())
    gc.collect()
    assert handler.counts() == {f"{ITEM}:outer.numbers": 1, f"{ITEM}:outer": 1}
    assert_tree_at_rest(profiler)


def test_each_step_in_a_task_of_its_own(profiler, handler) -> None:
    @profiler.profile
    async def paths():
        for _ in range(3):
            await asyncio.sleep(0)
            yield path_of(profiler)

    @profiler.profile
    async def consumer(generator):
        node = profiler.curr_node.get()
        result = await generator.__anext__()
        assert profiler.curr_node.get() is node
        return result

    async def main():
        generator = paths()
        seen = [await asyncio.create_task(consumer(generator)) for _ in range(3)]
        with pytest.raises(StopAsyncIteration):
            await generator.__anext__()
        assert profiler.curr_node.get() is profiler.tree.root
        return seen

    # Its parent is the call that resumed it first.
    assert asyncio.run(main()) == [f"{ITEM}:consumer.paths"] * 3
    assert handler.counts() == {f"{ITEM}:consumer.paths": 1, f"{ITEM}:consumer": 3}
    assert_tree_at_rest(profiler)


def test_concurrent_consumers_do_not_see_each_others_generator(profiler, handler) -> None:
    @profiler.profile
    async def numbers(limit):
        for number in range(limit):
            await asyncio.sleep(0)
            assert path_of(profiler) == f"{ITEM}:consumer.numbers"
            yield number

    @profiler.profile
    async def consumer(limit):
        total = 0
        async for number in numbers(limit):
            assert path_of(profiler) == f"{ITEM}:consumer"
            await asyncio.sleep(0)
            total += number
        return total

    async def main():
        totals = await asyncio.gather(*(consumer(limit) for limit in range(20)))
        assert totals == [sum(range(limit)) for limit in range(20)]

    asyncio.run(main())
    assert handler.counts() == {f"{ITEM}:consumer.numbers": 20, f"{ITEM}:consumer": 20}
    assert_tree_at_rest(profiler)


def test_the_errors_of_an_async_generator_keep_their_innermost_frame(profiler, handler) -> None:
    error = ValueError("from the body")

    async def user_code():
        raise error

    @profiler.profile
    async def numbers():
        yield 1
        await user_code()

    async def main():
        return [number async for number in numbers()]

    with pytest.raises(ValueError, match="from the body") as raised:
        asyncio.run(main())
    assert raised.value is error
    assert raised.traceback[-1].name == "user_code"
    assert error.__context__ is None
    assert handler.records[0]["labels"] == {"error_raised": True}
    assert_tree_at_rest(profiler)
