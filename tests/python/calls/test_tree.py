"""Contexts, nodes and trees, used by hand and by profiled calls."""

from __future__ import annotations

import json
import logging
import weakref
import xml.sax.saxutils
from collections.abc import Callable
from typing import Any

import pytest
from phanos import metrics, tree
from phanos.tree import Context, ContextTree, MethodTreeNode
from support import CollectingHandler, assert_tree_at_rest, make_profiler

MODULE = __name__


def function() -> None:
    pass


class Owner:
    def method(self) -> None:
        pass

    @staticmethod
    def static() -> None:
        pass

    @classmethod
    def of_class(cls) -> None:
        pass

    class Nested:
        def method(self) -> None:
            pass


class Heir(Owner):
    pass


def local_function() -> Callable[..., Any]:
    def inner() -> None:
        pass

    return inner


def local_method() -> Callable[..., Any]:
    class Local:
        def method(self) -> None:
            pass

    return Local.method


def node(method: Callable[..., Any] = function) -> MethodTreeNode:
    return MethodTreeNode(method)


def texts(nodes: Any) -> list[str]:
    return [str(each.ctx) for each in nodes]


def test_an_empty_context_is_the_empty_text() -> None:
    context = Context()
    assert context.method is None
    assert context.value == ""
    assert str(context) == ""
    assert repr(context) == "''"


def test_a_context_keeps_its_method_and_name() -> None:
    context = Context(function)
    assert context.method is function
    assert context.value == "function"
    assert str(context) == "function"
    assert repr(context) == "'function'"


def test_a_context_can_be_given_another_text() -> None:
    context = Context(function)
    context.value = "A:b"
    assert (str(context), repr(context)) == ("A:b", "'A:b'")
    context.method = Owner.method
    assert context.method is Owner.method


OWNERS = [
    (function, f"{MODULE}:function"),
    (Owner.method, "Owner:method"),
    (Owner().method, "Owner:method"),
    (Owner.static, "Owner:static"),
    (Owner.of_class, "Owner:of_class"),
    (Heir.method, "Owner:method"),
    (Heir.static, "Owner:static"),
    (Heir.of_class, "Owner:of_class"),
    (Owner.Nested.method, f"{MODULE}:method"),
    (local_function(), f"{MODULE}:inner"),
    (local_method(), f"{MODULE}:method"),
    (Owner, f"{MODULE}:Owner"),
    (Owner.__init__, "object:__init__"),
    (int.__add__, "int:__add__"),
    (str.join, "str:join"),
    (len, "builtins:len"),
    (json.dumps, "json:dumps"),
    (xml.sax.saxutils.escape, "saxutils:escape"),
    (lambda: None, f"{MODULE}:<lambda>"),
]


@pytest.mark.parametrize(("method", "path"), OWNERS, ids=[path for _, path in OWNERS])
def test_the_owner_goes_before_the_name(method: Callable[..., Any], path: str) -> None:
    context = Context(method)
    assert context.prepend_method_class() is None
    assert context.value == path


@pytest.mark.parametrize(("method", "path"), OWNERS, ids=[path for _, path in OWNERS])
def test_a_child_of_the_root_starts_with_the_owner(method: Callable[..., Any], path: str) -> None:
    assert str(MethodTreeNode().add_child(node(method)).ctx) == path


def test_a_new_node_stands_alone() -> None:
    alone = node()
    assert alone.parent is None
    assert list(alone.children) == []
    assert alone.ctx.method is function
    assert str(alone.ctx) == "function"
    root = MethodTreeNode()
    assert (root.parent, list(root.children), str(root.ctx)) == (None, [], "")
    assert root.ctx.method is None


def test_add_child_links_both_nodes_and_returns_the_child() -> None:
    root, child = MethodTreeNode(), node(Owner.method)
    assert root.add_child(child) is child
    assert child.parent is root
    assert list(root.children) == [child]
    assert root.children[0] is child


def test_paths_grow_from_parent_to_child() -> None:
    child = MethodTreeNode().add_child(node(Owner.method))
    grandchild = child.add_child(node())
    assert str(grandchild.ctx) == "Owner:method.function"
    assert str(grandchild.add_child(node(Owner.static)).ctx) == "Owner:method.function.static"
    assert str(child.ctx) == "Owner:method"


def test_children_keep_their_order() -> None:
    root = MethodTreeNode()
    added = [root.add_child(node()) for _ in range(5)]
    assert list(root.children) == added
    assert all(child.parent is root for child in added)
    assert root.children == added
    assert len(root.children) == 5


def test_paths_grow_from_a_text_that_was_given() -> None:
    parent = MethodTreeNode().add_child(node())
    parent.ctx.value = "Elsewhere:root"
    assert str(parent.add_child(node()).ctx) == "Elsewhere:root.function"


def test_nodes_are_compared_by_identity() -> None:
    first, second = node(), node()
    assert first != second
    assert first == first
    assert len({first, second, first}) == 2
    assert weakref.ref(first)() is first


def test_nodes_and_contexts_take_attributes() -> None:
    each = node()
    each.note = "kept"  # type: ignore[attr-defined]
    assert each.note == "kept"  # type: ignore[attr-defined]


def test_add_child_refuses_what_is_no_node() -> None:
    with pytest.raises((TypeError, AttributeError)):
        MethodTreeNode().add_child(5)  # type: ignore[arg-type]


@pytest.fixture
def branch() -> tuple[ContextTree, list[MethodTreeNode]]:
    """A tree `root -> a -> b -> c` with `d` beside `b`."""
    context_tree = ContextTree()
    a = context_tree.root.add_child(node())
    b = a.add_child(node())
    c = b.add_child(node())
    d = a.add_child(node())
    return context_tree, [a, b, c, d]


Branch = tuple[ContextTree, list[MethodTreeNode]]


def test_a_new_tree_has_an_empty_root() -> None:
    context_tree = ContextTree()
    assert isinstance(context_tree.root, MethodTreeNode)
    assert str(context_tree.root.ctx) == ""
    assert context_tree.root.parent is None
    assert list(context_tree.root.children) == []


@pytest.mark.parametrize("delete", ["delete_node", "find_and_delete_node"])
def test_children_of_a_deleted_node_move_up(branch: Branch, delete: str) -> None:
    context_tree, (a, b, c, d) = branch
    assert getattr(context_tree, delete)(b) is True
    assert set(a.children) == {c, d}
    assert c.parent is a
    assert b.parent is None
    assert list(b.children) == []


def test_a_moved_node_keeps_its_path(branch: Branch) -> None:
    context_tree, (_, b, c, _) = branch
    before = str(c.ctx)
    assert before == f"{MODULE}:function.function.function"
    context_tree.delete_node(b)
    assert str(c.ctx) == before


def test_children_of_a_deleted_top_node_move_to_the_root(branch: Branch) -> None:
    context_tree, (a, b, _, d) = branch
    assert context_tree.delete_node(a) is True
    assert set(context_tree.root.children) == {b, d}
    assert b.parent is context_tree.root


@pytest.mark.parametrize("index", range(4))
def test_any_node_is_found(branch: Branch, index: int) -> None:
    context_tree, nodes = branch
    assert context_tree.find_and_delete_node(nodes[index]) is True
    assert nodes[index].parent is None


def test_a_node_of_another_tree_is_not_found(branch: Branch) -> None:
    context_tree, (a, b, _, d) = branch
    assert context_tree.find_and_delete_node(node()) is False
    assert list(a.children) == [b, d]


def test_a_search_can_start_at_a_node(branch: Branch) -> None:
    context_tree, (a, b, c, d) = branch
    assert context_tree.find_and_delete_node(d, b) is False
    assert d.parent is a
    assert context_tree.find_and_delete_node(c, b) is True
    assert context_tree.find_and_delete_node(a, context_tree.root) is True


@pytest.mark.parametrize("delete", ["delete_node", "find_and_delete_node"])
def test_the_root_cannot_be_deleted(
    branch: Branch, delete: str, caplog: pytest.LogCaptureFixture
) -> None:
    context_tree, (a, *_) = branch
    assert getattr(context_tree, delete)(context_tree.root) is False
    assert list(context_tree.root.children) == [a]
    assert [record.levelname for record in caplog.records] in (["WARNING"], [])


def test_clear_leaves_only_the_root(branch: Branch) -> None:
    context_tree, nodes = branch
    root = context_tree.root
    assert context_tree.clear() is None
    assert context_tree.root is root
    assert list(root.children) == []
    assert [each.parent for each in nodes] == [None] * 4
    assert [list(each.children) for each in nodes] == [[]] * 4


def test_clear_of_a_profiler_empties_its_tree() -> None:
    profiler = make_profiler(CollectingHandler())
    profiler.set_curr_node(function)
    profiler.set_curr_node(function)
    profiler.clear()
    assert list(profiler.tree.root.children) == []


def test_loggers_of_tree_and_node() -> None:
    own = logging.getLogger("test_tree.own")
    assert ContextTree(own).logger is own
    assert MethodTreeNode(function, own).logger is own
    assert ContextTree().logger.name == "phanos.tree"


def test_nodes_of_profiled_calls() -> None:
    profiler = make_profiler(CollectingHandler())
    seen: list[Any] = []

    def undecorated_leaf() -> None:
        current = profiler.curr_node.get()
        assert isinstance(current, tree.MethodTreeNode)
        assert current.ctx.method is undecorated_leaf
        assert current.parent is not None
        assert list(current.parent.children) == [current]
        assert current.parent.parent is profiler.tree.root
        assert texts(profiler.tree.root.children) == [f"{MODULE}:root"]
        seen.append((str(current.ctx), current.ctx.value, str(current.parent.ctx)))

    leaf = profiler.profile(undecorated_leaf)

    @profiler.profile
    def root() -> None:
        leaf()
        assert str(profiler.curr_node.get().ctx) == f"{MODULE}:root"
        assert list(profiler.curr_node.get().children) == []

    root()
    path = f"{MODULE}:root.undecorated_leaf"
    assert seen == [(path, path, f"{MODULE}:root")]
    assert_tree_at_rest(profiler)


def test_a_node_kept_after_its_call_keeps_its_path() -> None:
    profiler = make_profiler(CollectingHandler())
    kept: list[MethodTreeNode] = []

    @profiler.profile
    def leaf() -> None:
        kept.append(profiler.curr_node.get())

    @profiler.profile
    def root() -> None:
        leaf()

    root()
    [ended] = kept
    assert str(ended.ctx) == f"{MODULE}:root.leaf"
    assert ended.parent is None
    metric = metrics.Counter("a_counter", "JOB", "units")
    metric.inc(1, ended)
    assert metric.method == [f"{MODULE}:root.leaf"]


def test_nodes_that_change_places_do_not_stand_above_each_other() -> None:
    first, second = MethodTreeNode(function), MethodTreeNode(function)
    first.add_child(second)
    ContextTree().delete_node(second)
    second.add_child(first)
    assert (first.parent, second.parent) == (second, None)
    # Looked for on the way up, which ends.
    assert (first.logger.name, second.logger.name) == ("phanos", "phanos")  # type: ignore[attr-defined]
