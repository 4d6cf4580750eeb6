"""The call tree: which profiled calls are under way, under which other."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ._phanos import Context, MethodTreeNode
from ._watching import registry
from ._watching.replaced import Originals, WatchedType
from .log import LOGGING_METHODS, InstanceLoggerMixin
from .types import LoggerLike

__all__ = ["Context", "ContextTree", "MethodTreeNode", "curr_node"]

curr_node: ContextVar[MethodTreeNode]
"""The default profiler's current node; set when `phanos` is imported."""


def _logging_method(name: str) -> Callable[..., None]:
    def method(node: MethodTreeNode, *args: Any, **kwargs: Any) -> None:
        getattr(InstanceLoggerMixin, name)(node, *args, **kwargs)

    return functools.update_wrapper(method, getattr(InstanceLoggerMixin, name))


# A native class cannot have a Python base: its logging methods call those of the mixin.
for _name in LOGGING_METHODS:
    setattr(MethodTreeNode, _name, _logging_method(_name))


TREE_STEPS = frozenset({"delete_node", "find_and_delete_node"})
"""Methods of a tree that a profiled call takes, unless they are the ones of this package."""


class ContextTree(InstanceLoggerMixin, metaclass=WatchedType):
    """
    The tree of live calls of one profiler; root calls hang under `root`.

    Args:
        logger: where messages go; by default the logger `phanos.tree`.
    """

    root: MethodTreeNode

    def __init__(self, logger: LoggerLike | None = None) -> None:
        super().__init__(logged_name="phanos", logger=logger, logger_name="phanos.tree")
        self.root = MethodTreeNode(None, self.logger)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in TREE_STEPS:
            registry.component_changed(self)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in TREE_STEPS:
            registry.component_changed(self)

    def delete_node(self, node: MethodTreeNode) -> bool:
        """
        Take `node` out of its tree; its children move up to its parent.

        Returns False, and logs a warning, for the root, which stays.
        """
        if node is self.root:
            self.warning("ContextTree.delete_node: the root node cannot be deleted")
            return False
        node._remove()
        return True

    def find_and_delete_node(
        self, node: MethodTreeNode, root: MethodTreeNode | None = None
    ) -> bool:
        """
        Delete `node` if it hangs under `root` (default: the root of this tree).

        Returns whether it did; a warning is logged if not.
        """
        top = self.root if root is None else root
        if node is self.root:
            return self.delete_node(node)
        above: MethodTreeNode | None = node
        while above is not None and above is not top:
            above = above.parent
        if above is None:
            self.warning("ContextTree.find_and_delete_node: node %r was not found", str(node.ctx))
            return False
        return self.delete_node(node)

    def clear(self, root: MethodTreeNode | None = None) -> None:
        """Take all nodes below `root` (default: the root of this tree) out."""
        top = self.root if root is None else root
        if TREE_ORIGINALS.are_replaced_in(self):
            # Leaves first, as children of a deleted node move up.
            below = list(top.children)
            for node in below:
                below.extend(node.children)
            for node in reversed(below):
                self.delete_node(node)
        top._clear_below()


TREE_ORIGINALS = Originals(ContextTree, TREE_STEPS)
