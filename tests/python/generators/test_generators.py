"""Profiled generators: one record each, timed and current only while they run."""

from __future__ import annotations

import contextvars
import gc
import inspect
import threading
import time

import pytest
from phanos import publisher
from support import (
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
    path_of,
    watch_hooks,
)

ITEM = __name__.rpartition(".")[2]


def test_a_profiled_generator_function_is_still_one(profiler) -> None:
    @profiler.profile
    def numbers(limit):
        yield from range(limit)

    assert inspect.isgeneratorfunction(numbers)
    assert inspect.isgenerator(numbers(1))
    assert list(numbers(3)) == [0, 1, 2]


def test_one_record_and_the_node_is_current_only_while_the_body_runs(profiler, handler) -> None:
    inside: list[str] = []

    @profiler.profile
    def leaf():
        inside.append(path_of(profiler))

    @profiler.profile
    def numbers():
        for number in range(3):
            inside.append(path_of(profiler))
            leaf()
            yield number
        inside.append(path_of(profiler))

    @profiler.profile
    def outer():
        node = profiler.curr_node.get()
        for _ in numbers():
            assert profiler.curr_node.get() is node
            leaf()
        assert profiler.curr_node.get() is node
        assert list(node.children) == []

    outer()
    generator, below = f"{ITEM}:outer.numbers", f"{ITEM}:outer.numbers.leaf"
    assert inside == [generator, below, f"{ITEM}:outer.leaf"] * 3 + [generator]
    assert handler.counts() == {generator: 1, below: 3, f"{ITEM}:outer.leaf": 3, f"{ITEM}:outer": 1}
    assert_tree_at_rest(profiler)


def test_a_generator_without_a_caller_is_a_root_with_hooks(handler) -> None:
    profiler = make_profiler(handler, response_size_profile=True)
    hooks = watch_hooks(profiler)

    @profiler.profile
    def numbers():
        yield 1
        yield 2

    generator = numbers()
    assert hooks == []
    assert_tree_at_rest(profiler)
    assert next(generator) == 1
    assert [name for name, _ in hooks] == ["before_root_func", "before_func"]
    assert profiler.curr_node.get() is profiler.tree.root
    assert len(profiler.tree.root.children) == 1
    assert next(generator) == 2
    assert handler.batches == []
    assert next(generator, "end") == "end"
    assert [name for name, _ in hooks[2:]] == ["after_func", "after_root_func"]
    assert {path for _, path in hooks} == {f"{ITEM}:numbers"}
    assert handler.methods("time_profiler") == [f"{ITEM}:numbers"]
    assert handler.methods("response_size") == [f"{ITEM}:numbers"]
    assert_tree_at_rest(profiler)


def test_time_runs_from_the_first_resume_to_the_end(profiler, handler) -> None:
    @profiler.profile
    def slow():
        time.sleep(0.02)
        yield 1
        time.sleep(0.02)

    generator = slow()
    time.sleep(0.1)
    started = time.perf_counter()
    next(generator)
    time.sleep(0.03)
    assert next(generator, "end") == "end"
    elapsed_ms = (time.perf_counter() - started) * 1000
    ((operation, value),) = [record["value"] for record in handler.records]
    assert operation == "observe"
    # The wait before the first resume does not count; what its consumer does in between does.
    assert 69.0 <= value <= elapsed_ms + 1.0


def test_a_generator_that_is_never_resumed_records_nothing(profiler, handler) -> None:
    hooks = watch_hooks(profiler)

    @profiler.profile
    def numbers():
        yield 1

    generator = numbers()
    generator.close()
    assert list(generator) == []
    dropped = numbers()
    del dropped
    gc.collect()
    assert hooks == []
    assert handler.batches == []
    assert profiler.get_records_count() == 0
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("how", ["close", "drop", "break", "throw"])
def test_a_generator_that_ends_early_keeps_its_record_and_the_tree(how, profiler, handler) -> None:
    cleaned: list[str] = []

    @profiler.profile
    def numbers():
        try:
            yield 1
            yield 2
        finally:
            cleaned.append(path_of(profiler))

    @profiler.profile
    def outer():
        node = profiler.curr_node.get()
        if how == "break":
            for _ in numbers():
                break
        else:
            generator = numbers()
            next(generator)
            if how == "close":
                generator.close()
                assert inspect.getgeneratorstate(generator) == inspect.GEN_CLOSED
            elif how == "drop":
                del generator
            else:
                error = ValueError("thrown in")
                with pytest.raises(ValueError, match="thrown in") as raised:
                    generator.throw(error)
                assert raised.value is error
        gc.collect()
        assert profiler.curr_node.get() is node
        assert list(node.children) == []

    outer()
    assert cleaned == [f"{ITEM}:outer.numbers"]
    assert handler.methods() == [f"{ITEM}:outer.numbers", f"{ITEM}:outer"]
    if how == "throw":
        assert handler.records[0]["labels"] == {"error_raised": True}
    assert_tree_at_rest(profiler)


def test_a_generator_that_outlives_its_caller_is_handed_over_at_its_end(profiler, handler) -> None:
    @profiler.profile
    def leaf():
        return path_of(profiler)

    @profiler.profile
    def paths():
        yield leaf()
        yield leaf()

    @profiler.profile
    def outer():
        generator = paths()
        assert next(generator) == f"{ITEM}:outer.paths.leaf"
        return generator

    generator = outer()
    assert profiler.curr_node.get() is profiler.tree.root
    assert next(generator) == f"{ITEM}:outer.paths.leaf"
    assert profiler.curr_node.get() is profiler.tree.root
    assert next(generator, None) is None
    assert handler.counts() == {
        f"{ITEM}:outer.paths.leaf": 2,
        f"{ITEM}:outer.paths": 1,
        f"{ITEM}:outer": 1,
    }
    assert handler.methods()[-1] == f"{ITEM}:outer.paths"
    assert_tree_at_rest(profiler)


def test_the_node_is_made_where_the_generator_is_first_resumed(profiler) -> None:
    @profiler.profile
    def paths():
        yield path_of(profiler)
        yield path_of(profiler)

    @profiler.profile
    def outer(generator):
        return next(generator)

    generator = paths()
    assert outer(generator) == f"{ITEM}:outer.paths"
    assert next(generator) == f"{ITEM}:outer.paths"
    generator.close()
    assert_tree_at_rest(profiler)


def test_interleaved_generators_are_siblings(profiler, handler) -> None:
    @profiler.profile
    def paths():
        for _ in range(3):
            yield path_of(profiler)

    @profiler.profile
    def outer():
        node = profiler.curr_node.get()
        first, second = paths(), paths()
        for one, other in zip(first, second, strict=True):
            assert one == other == f"{ITEM}:outer.paths"
            assert len(node.children) == 2
            assert profiler.curr_node.get() is node

    outer()
    assert handler.counts() == {f"{ITEM}:outer.paths": 2, f"{ITEM}:outer": 1}
    assert_tree_at_rest(profiler)


def test_delegation_makes_children(profiler, handler) -> None:
    @profiler.profile
    def inner():
        received = yield path_of(profiler)
        return received

    @profiler.profile
    def outer():
        result = yield from inner()
        yield result, path_of(profiler)

    generator = outer()
    assert next(generator) == f"{ITEM}:outer.inner"
    assert generator.send("sent") == ("sent", f"{ITEM}:outer")
    assert next(generator, None) is None
    assert handler.methods() == [f"{ITEM}:outer.inner", f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("ending", ["exhaust", "close", "throw"])
def test_a_generator_resumed_in_other_contexts(ending, profiler, handler) -> None:
    @profiler.profile
    def paths():
        for _ in range(3):
            yield path_of(profiler)

    @profiler.profile
    def elsewhere(generator):
        node = profiler.curr_node.get()
        result = next(generator)
        assert profiler.curr_node.get() is node
        return result

    def end(generator):
        before = profiler.curr_node.get()
        if ending == "exhaust":
            assert list(generator) == [expected]
        elif ending == "close":
            generator.close()
        else:
            with pytest.raises(KeyError):
                generator.throw(KeyError("thrown in"))
        assert profiler.curr_node.get() is before

    expected = f"{ITEM}:paths"
    generator = paths()
    first = contextvars.copy_context()
    assert first.run(next, generator) == expected
    assert first.run(profiler.curr_node.get) is profiler.tree.root
    second = contextvars.Context()
    assert second.run(elsewhere, generator) == expected
    assert second.run(profiler.curr_node.get) is profiler.tree.root
    contextvars.copy_context().run(end, generator)
    assert handler.counts() == {expected: 1, f"{ITEM}:elsewhere": 1}
    assert_tree_at_rest(profiler)


def test_a_generator_resumed_in_another_thread(profiler, handler) -> None:
    @profiler.profile
    def paths():
        for _ in range(2):
            yield path_of(profiler)

    generator = paths()
    results = [next(generator)]

    def body():
        results.extend(generator)
        results.append(profiler.curr_node.get() is profiler.tree.root)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join(5)
    assert results == [f"{ITEM}:paths"] * 2 + [True]
    assert handler.methods() == [f"{ITEM}:paths"]
    assert_tree_at_rest(profiler)


def test_the_errors_of_a_generator_keep_their_innermost_frame(profiler, handler) -> None:
    error = ValueError("from the body")

    def user_code():
        raise error

    @profiler.profile
    def numbers():
        yield 1
        user_code()

    generator = numbers()
    assert next(generator) == 1
    with pytest.raises(ValueError, match="from the body") as raised:
        next(generator)
    assert raised.value is error
    assert raised.traceback[-1].name == "user_code"
    assert error.__context__ is None
    assert handler.records[0]["labels"] == {"error_raised": True}
    assert_tree_at_rest(profiler)


def test_thousands_of_unfinished_generators_leave_nothing(profiler, handler) -> None:
    @profiler.profile
    def numbers():
        yield 1
        yield 2

    generators = [numbers() for _ in range(3000)]
    assert sum(map(next, generators)) == 3000
    assert len(profiler.tree.root.children) == 3000
    for generator in generators[:1000]:
        generator.close()
    assert sum(map(next, generators[1000:])) == 4000
    for generator in generators[1000:2000]:
        assert next(generator, None) is None
    del generators, generator
    gc.collect()
    assert handler.counts() == {f"{ITEM}:numbers": 3000}
    assert_tree_at_rest(profiler)


def test_an_idle_profiler_leaves_a_generator_alone() -> None:
    profiler = make_profiler()

    @profiler.profile
    def conversation_of_two():
        received = yield profiler.curr_node.get() is profiler.tree.root
        return received

    generator = conversation_of_two()
    assert next(generator) is True
    with pytest.raises(StopIteration) as stop:
        generator.send("sent")
    assert stop.value.value == "sent"
    assert_tree_at_rest(profiler)


def test_steps_of_ones_own_are_taken_for_generators_too() -> None:
    taken = []

    class Own(publisher.Profiler):
        def before_func_profiling(self, func, args, kwargs):
            taken.append(func.__name__)
            return super().before_func_profiling(func, args, kwargs)

    profiler = Own()
    profiler.config(job="TEST")
    handler = CollectingHandler()
    profiler.add_handler(handler)

    @profiler.profile
    def leaf():
        return str(profiler.curr_node.get().ctx).rpartition(":")[2]

    @profiler.profile
    def numbers():
        received = yield leaf()
        yield received
        return "end"

    generator = numbers()
    assert taken == []
    assert next(generator) == "numbers.leaf"
    assert profiler.curr_node.get() is profiler.tree.root
    assert generator.send("sent") == "sent"
    with pytest.raises(StopIteration, match="end"):
        next(generator)
    assert taken == ["numbers", "leaf"]
    assert [record["method"].rpartition(":")[2] for record in handler.records] == [
        "numbers.leaf",
        "numbers",
    ]
    assert profiler.curr_node.get() is profiler.tree.root
    assert profiler.tree.root.children == []
