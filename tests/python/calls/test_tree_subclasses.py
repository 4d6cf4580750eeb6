"""Contexts, nodes and trees subclassed by users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from phanos import publisher
from phanos.tree import Context, ContextTree, MethodTreeNode
from support import CollectingHandler, assert_tree_at_rest

MODULE = __name__


def function() -> None:
    pass


class Owner:
    def method(self) -> None:
        pass

    @staticmethod
    def static() -> None:
        pass


class ShoutingContext(Context):
    def __init__(self, method: Callable[..., Any] | None = None, mark: str = "") -> None:
        super().__init__(method)
        self.mark = mark

    def __str__(self) -> str:
        return super().__str__().upper() + self.mark


class NotingNode(MethodTreeNode):
    def __init__(self, method: Callable[..., Any] | None = None, note: str = "none") -> None:
        super().__init__(method)
        self.note = note

    def add_child(self, child: MethodTreeNode) -> MethodTreeNode:
        self.note = f"added {child.ctx}"
        return super().add_child(child)


def test_a_context_of_ones_own_takes_further_arguments() -> None:
    context = ShoutingContext(function, mark="!")
    assert str(context) == "FUNCTION!"
    assert context.value == "function"
    assert context.method is function


def test_a_node_of_ones_own_takes_further_arguments() -> None:
    root = NotingNode(note="new")
    assert (root.note, str(root.ctx)) == ("new", "")
    child = root.add_child(NotingNode(function))
    assert root.note == "added function"
    assert isinstance(child, NotingNode)
    assert str(child.ctx) == f"{MODULE}:function"


def test_a_node_that_only_overrides_methods() -> None:
    class Counting(MethodTreeNode):
        def add_child(self, child: MethodTreeNode) -> MethodTreeNode:
            self.added = getattr(self, "added", 0) + 1
            return super().add_child(child)

    root = Counting()
    root.add_child(Counting(function))
    root.add_child(MethodTreeNode(function))
    assert root.added == 2
    assert len(root.children) == 2


class TellingTree(ContextTree):
    """Notes which nodes are deleted, and by which of the two ways."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted: list[str] = []
        self.searched: list[str] = []

    def delete_node(self, node: MethodTreeNode) -> bool:
        self.deleted.append(str(node.ctx))
        return super().delete_node(node)

    def find_and_delete_node(
        self, node: MethodTreeNode, root: MethodTreeNode | None = None
    ) -> bool:
        self.searched.append(str(node.ctx))
        return super().find_and_delete_node(node, root)


def test_search_calls_an_overridden_delete_node() -> None:
    context_tree = TellingTree()
    first = context_tree.root.add_child(MethodTreeNode(Owner.method))
    assert context_tree.find_and_delete_node(first) is True
    assert context_tree.deleted == ["Owner:method"]


def test_clear_calls_an_overridden_delete_node() -> None:
    context_tree = TellingTree()
    context_tree.root.add_child(MethodTreeNode(Owner.static))
    context_tree.clear()
    assert context_tree.deleted == ["Owner:static"]
    assert list(context_tree.root.children) == []


@pytest.fixture
def profiler() -> publisher.Profiler:
    """A configured profiler whose tree notes what happens to it."""
    profiler = publisher.Profiler()
    profiler.tree = TellingTree()
    profiler.curr_node.set(profiler.tree.root)
    profiler.config(job="JOB")
    return profiler


def test_calls_hang_under_the_root_of_a_tree_of_ones_own(profiler: publisher.Profiler) -> None:
    handler = CollectingHandler()
    profiler.add_handler(handler)

    @profiler.profile
    def root() -> None:
        assert profiler.curr_node.get().parent is profiler.tree.root

    root()
    assert handler.methods() == [f"{MODULE}:root"]
    assert_tree_at_rest(profiler)


def test_nodes_of_calls_are_deleted_by_a_tree_of_ones_own(profiler: publisher.Profiler) -> None:
    profiler.add_handler(CollectingHandler())
    leaf = profiler.profile(function)

    @profiler.profile
    def root() -> None:
        leaf()

    root()
    paths = [f"{MODULE}:root.function", f"{MODULE}:root"]
    assert isinstance(profiler.tree, TellingTree)
    assert profiler.tree.searched == paths
    assert profiler.tree.deleted == paths
    assert_tree_at_rest(profiler)


def test_a_tree_that_was_exchanged_needs_no_further_step() -> None:
    profiler = publisher.Profiler()
    profiler.tree = TellingTree()
    profiler.config(job="JOB")
    profiler.add_handler(CollectingHandler())
    parents: list[Any] = []

    @profiler.profile
    def root() -> None:
        parents.append(profiler.curr_node.get().parent)

    root()
    assert parents == [profiler.tree.root]
    assert list(profiler.tree.root.children) == []
