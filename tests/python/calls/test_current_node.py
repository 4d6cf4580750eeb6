"""`curr_node` seen from hooks, handlers and plain code of synchronous calls."""

from __future__ import annotations

import asyncio
import contextvars

import phanos
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


def test_curr_node_is_a_real_context_variable_with_the_tree_root_as_its_value() -> None:
    profiler = make_profiler(CollectingHandler())
    assert type(profiler.curr_node) is contextvars.ContextVar
    assert profiler.curr_node.get() is profiler.tree.root
    assert path_of(profiler) == ""


def test_the_current_node_hangs_below_the_node_that_was_current_before() -> None:
    profiler = make_profiler(CollectingHandler())
    root = profiler.tree.root
    seen = []

    @profiler.profile
    def leaf():
        node = profiler.curr_node.get()
        seen.append((path_of(profiler), str(node.parent.ctx)))
        assert list(node.parent.children) == [node]

    @profiler.profile
    def outer():
        node = profiler.curr_node.get()
        assert node.parent is root
        assert list(root.children) == [node]
        leaf()
        assert profiler.curr_node.get() is node
        assert list(node.children) == []
        leaf()
        assert profiler.curr_node.get() is node

    outer()
    leaf()
    assert seen == [
        (f"{ITEM}:outer.leaf", f"{ITEM}:outer"),
        (f"{ITEM}:outer.leaf", f"{ITEM}:outer"),
        (f"{ITEM}:leaf", ""),
    ]
    assert_tree_at_rest(profiler)


def test_every_hook_sees_the_node_of_its_own_call() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    seen = watch_hooks(profiler)

    @profiler.profile
    def leaf():
        return 1

    @profiler.profile
    def outer():
        leaf()
        return leaf()

    assert outer() == 1
    top, below = f"{ITEM}:outer", f"{ITEM}:outer.leaf"
    assert seen == [
        ("before_root_func", top),
        ("before_func", top),
        ("before_func", below),
        ("after_func", below),
        ("before_func", below),
        ("after_func", below),
        ("after_func", top),
        ("after_root_func", top),
    ]
    assert_tree_at_rest(profiler)


def test_hooks_of_an_async_call_see_the_node_of_their_own_call() -> None:
    profiler = make_profiler(CollectingHandler())
    seen = watch_hooks(profiler)

    @profiler.profile
    async def leaf():
        await asyncio.sleep(0)

    @profiler.profile
    async def outer():
        await leaf()

    asyncio.run(outer())
    top, below = f"{ITEM}:outer", f"{ITEM}:outer.leaf"
    assert seen == [
        ("before_root_func", top),
        ("before_func", top),
        ("before_func", below),
        ("after_func", below),
        ("after_func", top),
        ("after_root_func", top),
    ]
    assert_tree_at_rest(profiler)


def test_a_sync_handler_sees_the_node_of_the_call_that_hands_over() -> None:
    seen: list[tuple[str, bool]] = []

    def look(records, name):
        node = profiler.curr_node.get()
        seen.append(
            (path_of(profiler), any(child is node for child in profiler.tree.root.children))
        )

    handler = CollectingHandler(on_handle=look)
    profiler = make_profiler(handler)

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    def outer():
        leaf()

    outer()
    assert seen == [(f"{ITEM}:outer", True)]
    assert handler.methods() == [f"{ITEM}:outer.leaf", f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


def test_a_profiled_function_called_by_a_hook_or_a_handler_hangs_below_the_call() -> None:
    paths = []
    depth = [0]

    def look(*_):
        # The helper is profiled too: without the guard its own hooks would recurse for ever.
        if depth[0] == 0:
            depth[0] += 1
            try:
                helper()
            finally:
                depth[0] -= 1

    profiler = make_profiler(CollectingHandler(on_handle=look))

    @profiler.profile
    def helper():
        paths.append(path_of(profiler))

    @profiler.profile
    def outer():
        return None

    def before(func, args, kwargs):
        look()

    def after(result, args, kwargs):
        look()

    profiler.before_func = profiler.before_root_func = before
    profiler.after_func = profiler.after_root_func = after
    outer()
    assert paths == [f"{ITEM}:outer.helper"] * 5
    assert_tree_at_rest(profiler)


def test_early_return_and_recursion_put_the_node_back() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    after_each_call = []

    @profiler.profile
    def countdown(number):
        before = profiler.curr_node.get()
        if number == 0:
            return "early"
        result = countdown(number - 1)
        after_each_call.append(profiler.curr_node.get() is before)
        return result

    assert countdown(3) == "early"
    assert after_each_call == [True] * 3
    names = [".".join(["countdown"] * depth) for depth in (4, 3, 2, 1)]
    assert handler.methods() == [f"{ITEM}:{name}" for name in names]
    assert_tree_at_rest(profiler)


def test_a_copied_context_keeps_its_own_current_node() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def leaf():
        return path_of(profiler)

    @profiler.profile
    def outer():
        copied = contextvars.copy_context()
        assert copied[profiler.curr_node] is profiler.curr_node.get()
        inside = copied.run(leaf)
        fresh = contextvars.Context().run(leaf)
        assert path_of(profiler) == f"{ITEM}:outer"
        return copied, inside, fresh

    copied, inside, fresh = outer()
    assert inside == f"{ITEM}:outer.leaf"
    assert fresh == f"{ITEM}:leaf"
    assert_tree_at_rest(profiler)
    # The copy outlived the call it was made in: the full path stays, nothing is left behind.
    before = copied[profiler.curr_node]
    handler.clear()
    assert copied.run(leaf) == f"{ITEM}:outer.leaf"
    assert copied[profiler.curr_node] is before
    assert handler.methods() == [f"{ITEM}:outer.leaf"]
    assert_tree_at_rest(profiler)


def test_profilers_do_not_share_their_current_node() -> None:
    first = make_profiler(CollectingHandler())
    second = make_profiler(CollectingHandler())
    assert first.curr_node is not second.curr_node

    @second.profile
    def leaf():
        return path_of(first), path_of(second)

    @first.profile
    def outer():
        return leaf()

    assert outer() == (f"{ITEM}:outer", f"{ITEM}:leaf")
    assert_tree_at_rest(first)
    assert_tree_at_rest(second)


def test_the_default_profilers_variable_is_published_under_its_old_name() -> None:
    handler = CollectingHandler()
    phanos.profiler.config(job="TEST")
    phanos.profiler.add_handler(handler)

    @phanos.profile
    def look():
        return str(publisher.curr_node.get().ctx), str(phanos.tree.curr_node.get().ctx)

    assert publisher.curr_node is phanos.profiler.curr_node
    assert look() == (f"{ITEM}:look", f"{ITEM}:look")
    assert_tree_at_rest(phanos.profiler)


@pytest.mark.parametrize("missing", ["configuration", "handler", "metric", "handle_records"])
def test_an_idle_profiler_makes_no_node(missing: str) -> None:
    profiler = publisher.Profiler()
    if missing != "configuration":
        profiler = make_profiler(
            time_profile=missing != "metric", handle_records=missing != "handle_records"
        )
        if missing != "handler":
            profiler.add_handler(CollectingHandler())
    hooks = watch_hooks(profiler)

    @profiler.profile
    def look(value, *, other):
        assert list(profiler.tree.root.children) == []
        return profiler.curr_node.get() is profiler.tree.root, value, other

    assert look(1, other=2) == (True, 1, 2)
    assert hooks == []
    assert_tree_at_rest(profiler)


def test_a_profiler_that_becomes_idle_during_a_call_still_puts_the_node_back() -> None:
    handler = CollectingHandler("goes")
    profiler = make_profiler(handler)

    @profiler.profile
    def leaf():
        return path_of(profiler)

    @profiler.profile
    def outer():
        leaf()
        profiler.delete_handler("goes")
        return leaf()

    outer()
    assert handler.methods() == [f"{ITEM}:outer.leaf"]
    assert_tree_at_rest(profiler)


def test_a_profiler_that_wakes_up_during_a_call_starts_with_the_next_one() -> None:
    handler = CollectingHandler()
    profiler = make_profiler()

    @profiler.profile
    def leaf():
        return path_of(profiler)

    @profiler.profile
    def outer():
        profiler.add_handler(handler)
        return leaf()

    assert outer() == f"{ITEM}:leaf"
    assert handler.methods() == [f"{ITEM}:leaf"]
    assert_tree_at_rest(profiler)
