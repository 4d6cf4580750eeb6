"""Nodes are used again after their call, and references that are left to one do not show it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from phanos import publisher
from phanos._phanos import DeferredCall
from phanos.tree import MethodTreeNode
from support import assert_tree_at_rest, drive, path_of

ITEM = __name__.rpartition(".")[2]


Run = Callable[[publisher.Profiler, Callable[[MethodTreeNode], Any]], Any]


def in_function(profiler: publisher.Profiler, look: Callable[[MethodTreeNode], Any]) -> Any:
    @profiler.profile
    def body() -> Any:
        return look(profiler.curr_node.get())

    return body()


def in_coroutine(profiler: publisher.Profiler, look: Callable[[MethodTreeNode], Any]) -> Any:
    @profiler.profile
    async def body() -> Any:
        return look(profiler.curr_node.get())

    return drive(body())


def in_generator(profiler: publisher.Profiler, look: Callable[[MethodTreeNode], Any]) -> Any:
    @profiler.profile
    def body() -> Any:
        yield look(profiler.curr_node.get())

    [result] = body()
    return result


def in_async_generator(profiler: publisher.Profiler, look: Callable[[MethodTreeNode], Any]) -> Any:
    @profiler.profile
    async def body() -> Any:
        yield look(profiler.curr_node.get())

    async def consume() -> Any:
        [result] = [item async for item in body()]
        return result

    return drive(consume())


EVERY = pytest.mark.parametrize(
    "run", [in_function, in_coroutine, in_generator, in_async_generator]
)


def nothing(node: MethodTreeNode) -> None:
    """Leave the node alone."""


def known_to_the_collector(kind: type[Any]) -> list[Any]:
    """All objects of a class, those included that no Python object refers to."""
    return [found for found in gc.get_objects() if type(found) is kind]


def ended_node(profiler: publisher.Profiler, run: Run) -> MethodTreeNode:
    """
    The node of a call that has ended, found as only the collector can find it.

    Without a pool it would be freed: no object would be left at its address.
    """
    address = run(profiler, id)
    [node] = [node for node in known_to_the_collector(MethodTreeNode) if id(node) == address]
    return node


def assert_fresh(profiler: publisher.Profiler, run: Run) -> None:
    """The next call's node has nothing but what this call gave it."""

    def look(node: MethodTreeNode) -> None:
        assert node.ctx.value == f"{ITEM}:body"
        assert node.ctx.method.__name__ == "body"
        assert vars(node) == {}
        assert node.parent is profiler.tree.root
        assert node.children == []
        assert node.logger is profiler.tree.root.logger

    run(profiler, look)
    assert_tree_at_rest(profiler)


@EVERY
def test_the_next_call_gets_the_node_of_an_ended_one(run: Run, profiler: Any) -> None:
    for _ in range(3):
        address = id(ended_node(profiler, run))
        assert run(profiler, id) == address


@pytest.mark.parametrize("run", [in_coroutine, in_generator, in_async_generator])
def test_the_next_coroutine_gets_the_deferred_call_of_an_ended_one(run: Run, profiler: Any) -> None:
    run(profiler, nothing)
    gc.collect()
    waiting = {id(call) for call in known_to_the_collector(DeferredCall)}
    assert waiting

    def look(node: MethodTreeNode) -> None:
        assert {id(call) for call in known_to_the_collector(DeferredCall)} == waiting

    run(profiler, look)


def test_ended_calls_make_no_new_nodes(profiler: Any) -> None:
    runs = (in_function, in_coroutine, in_generator, in_async_generator)
    for run in runs:
        run(profiler, nothing)
    gc.collect()
    before = len(known_to_the_collector(MethodTreeNode))
    for _ in range(500):
        for run in runs:
            run(profiler, nothing)
    assert len(known_to_the_collector(MethodTreeNode)) == before


@EVERY
def test_a_node_that_is_kept_stays_what_it_was(run: Run, profiler: Any) -> None:
    kept = [run(profiler, lambda node: node) for _ in range(100)]
    assert len({id(node) for node in kept}) == 100
    for node in kept:
        assert node.ctx.value == f"{ITEM}:body"
        assert node.parent is None
        assert node.children == []
    assert_fresh(profiler, run)


@EVERY
def test_what_was_changed_on_a_node_goes_with_its_call(run: Run, profiler: Any) -> None:
    def change(node: Any) -> None:
        node.mark = "changed"
        node.logger = "changed"
        node.ctx.value = "changed"

    for _ in range(3):
        run(profiler, change)
    assert_fresh(profiler, run)


@EVERY
def test_a_context_that_is_kept_stays_what_it_was(run: Run, profiler: Any) -> None:
    context = run(profiler, lambda node: node.ctx)
    assert_fresh(profiler, run)
    assert context.value == f"{ITEM}:body"
    assert context.method.__name__ == "body"


@EVERY
def test_a_weak_reference_dies_with_its_call(run: Run, profiler: Any) -> None:
    finalized: list[str] = []

    def refer(node: MethodTreeNode) -> weakref.ref[MethodTreeNode]:
        weakref.finalize(node, finalized.append, "finalized")
        return weakref.ref(node)

    references = [run(profiler, refer) for _ in range(10)]
    gc.collect()
    assert [reference() for reference in references] == [None] * 10
    assert finalized == ["finalized"] * 10
    assert_fresh(profiler, run)


@EVERY
def test_a_node_found_by_the_collector_is_left_to_the_finder(run: Run, profiler: Any) -> None:
    found = ended_node(profiler, run)
    assert run(profiler, id) != id(found)
    assert_fresh(profiler, run)


@EVERY
@pytest.mark.parametrize("how", ["attribute", "context", "logger", "weak reference", "child"])
def test_a_node_changed_by_its_finder_is_not_used_again(run: Run, how: str, profiler: Any) -> None:
    references = []
    found = ended_node(profiler, run)
    if how == "attribute":
        found.mark = "found"  # type: ignore[attr-defined]
    elif how == "context":
        found.ctx.value = "found"
    elif how == "logger":
        found.logger = "found"  # type: ignore[assignment]
    elif how == "child":
        found.add_child(MethodTreeNode(nothing))
    else:
        references.append(weakref.ref(found))
    del found
    assert_fresh(profiler, run)


def failed_with(profiler: publisher.Profiler, kind: str) -> BaseException:
    @profiler.profile
    async def body() -> None:
        raise ValueError(kind)

    @profiler.profile
    def generator_body() -> Any:
        raise ValueError(kind)
        yield

    run: Callable[[], Any] = lambda: drive(body())  # noqa: E731
    if kind == "generator":
        run = generator_body().__next__
    with pytest.raises(ValueError, match=kind) as raised:
        run()
    return raised.value


@pytest.mark.parametrize("kind", ["coroutine", "generator"])
def test_a_call_in_a_traceback_has_ended_for_good(kind: str, profiler: Any) -> None:
    errors = [failed_with(profiler, kind) for _ in range(20)]
    calls = []
    for error in errors:
        traceback = error.__traceback__
        while traceback is not None:
            if isinstance(call := traceback.tb_frame.f_locals.get("call"), DeferredCall):
                calls.append(call)
            traceback = traceback.tb_next
    assert len({id(call) for call in calls}) == 20
    for _ in range(3):
        in_function(profiler, lambda node: None)
        in_coroutine(profiler, lambda node: None)
        for call in calls:
            assert call.end(None) is False
            call.ensure_ended()
            with pytest.raises(TypeError):
                call.begin_coroutine()
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("kind", ["coroutine", "generator"])
def test_a_node_kept_of_a_failed_call_stays_what_it_was(kind: str, profiler: Any) -> None:
    nodes: list[MethodTreeNode] = []
    profiler.after_func = lambda **_: nodes.append(profiler.curr_node.get())
    for _ in range(20):
        failed_with(profiler, kind)
    profiler.after_func = None
    assert len({id(node) for node in nodes}) == 20
    name = "body" if kind == "coroutine" else "generator_body"
    for _ in range(3):
        in_function(profiler, lambda node: None)
        in_coroutine(profiler, lambda node: None)
        for node in nodes:
            assert node.ctx.value == f"{ITEM}:{name}"
            assert node.ctx.method.__name__ == name
            assert node.parent is None
    assert_tree_at_rest(profiler)


@EVERY
def test_more_calls_at_once_than_nodes_are_pooled(run: Run, profiler: Any) -> None:
    paths: list[str] = []

    def descend(depth: int) -> Callable[[MethodTreeNode], None]:
        def look(node: MethodTreeNode) -> None:
            assert node is profiler.curr_node.get()
            if depth:
                run(profiler, descend(depth - 1))
                assert node is profiler.curr_node.get()
            paths.append(path_of(profiler))

        return look

    for _ in range(2):
        paths.clear()
        run(profiler, descend(20))
        assert paths == [f"{ITEM}:{'.'.join(['body'] * depth)}" for depth in range(21, 0, -1)]
    together = [in_flight(profiler) for _ in range(200)]
    assert len({id(node) for _, node in together}) == 200
    for generator, _ in together:
        generator.close()
    assert_fresh(profiler, run)


def in_flight(profiler: publisher.Profiler) -> tuple[Any, MethodTreeNode]:
    @profiler.profile
    def body() -> Any:
        yield profiler.curr_node.get()

    generator = body()
    return generator, next(generator)
