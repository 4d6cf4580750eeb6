"""Intended differences of what test suites and plug-ins replace."""

from __future__ import annotations

import contextvars
from typing import Any
from unittest import mock

from differences import configured, difference, outcome
from phanos import log, messaging, metrics, publisher, tree


def _profiled() -> tuple[Any, Any]:
    profiler, _ = configured()

    @profiler.profile
    def root() -> None:
        pass

    return profiler, root


@difference("T01", upstream=[1, 1], ours=[0, 0])
def methods_of_nodes_and_contexts() -> Any:
    _, root = _profiled()
    called = []
    for kind, name in ((tree.MethodTreeNode, "add_child"), (tree.Context, "prepend_method_class")):
        original = getattr(kind, name)
        made: list[None] = []

        def spy(*args: Any, original: Any = original, made: Any = made) -> Any:
            made.append(None)
            return original(*args)

        with mock.patch.object(kind, name, spy):
            root()
        called.append(len(made))
    return called


@difference("T02", upstream=1, ours=0)
def the_wrapper_of_operations() -> Any:
    profiler, _ = _profiled()
    metric = metrics.Counter("a_counter", "JOB", "units")
    with mock.patch.object(metrics.StoreOperationDecorator, "wrapper") as wrapper:
        metric.inc(1.0, current_node=profiler.curr_node.get(profiler.tree.root), label_values={})
    return len(wrapper.mock_calls)


@difference("T03", upstream=[1, 2], ours=[0, 1])
def what_is_put_past_assignment() -> Any:
    profiler, root = _profiled()
    handler = publisher.StreamHandler("quiet", mock.Mock())
    profiler.add_handler(handler)
    made: list[None] = []
    vars(handler)["handle"] = lambda *_: made.append(None)
    root()
    before = len(made)
    profiler.handle_records = True
    root()
    return [before, len(made)]


@difference("T04", upstream=[["first"], [], "returned"], ours=[[], ["first"], "TypeError"])
def the_parent_of_a_node() -> Any:
    def first() -> None:
        pass

    def second() -> None:
        pass

    one, two, moving = (tree.MethodTreeNode(method) for method in (second, second, first))
    one.add_child(moving)

    def close_the_ring() -> None:
        two.parent = moving

    moving.parent = two
    names = [[child.ctx.method.__name__ for child in node.children] for node in (one, two)]
    return [*names, outcome(close_the_ring)]


@difference("T05", upstream="AttributeError", ours="returned")
def a_publisher_that_does_not_connect() -> Any:
    record: Any = {"item": "A", "job": "JOB", "method": "A:root", "labels": {}, "value": ("inc", 1)}
    with (
        mock.patch.object(messaging.BlockingPublisher, "connect"),
        mock.patch.object(messaging.BlockingPublisher, "close"),
    ):
        return outcome(lambda: messaging.BlockingPublisher().publish([record]))


@difference("T06", upstream=[1, 1], ours=[0, 0])
def dicts_that_were_assigned() -> Any:
    profiler, _ = _profiled()
    handlers: dict[str, Any] = {}
    profiler.handlers = handlers
    handlers["late"] = publisher.StreamHandler("late", mock.Mock())
    kept: dict[str, Any] = {}
    profiler.metrics = kept
    kept["late"] = metrics.Gauge("late", "JOB", "units")
    return [len(profiler.handlers), len(profiler.metrics)]


@difference("T07", upstream="returned", ours="AttributeError")
def the_current_node_assigned() -> Any:
    profiler, _ = _profiled()

    def assign() -> None:
        profiler.curr_node = contextvars.ContextVar("another")

    return outcome(assign)


@difference("T08", upstream=["returned", True], ours=["AttributeError", False])
def a_method_of_one_node() -> Any:
    node = tree.MethodTreeNode()

    def replace() -> None:
        node.add_child = mock.Mock()

    return [outcome(replace), isinstance(node, log.InstanceLoggerMixin)]
