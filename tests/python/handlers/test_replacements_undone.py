"""What was replaced and put back costs nothing any more: the native core does the work again."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from phanos import metrics, publisher, tree
from support import CollectingHandler, make_profiler


class Scene:
    """A profiler with a handler that the native core writes for."""

    def __init__(self) -> None:
        self.output = io.StringIO()
        self.handler: Any = publisher.StreamHandler("stream", self.output)
        self.profiler: Any = make_profiler(self.handler, response_size_profile=True)
        self.call = self.profiler.profile(lambda: None)
        self.call()

    def is_handled_natively(self) -> bool:
        """A method put past assignment is one that only calls by name would reach."""
        return self._bypasses(self.handler, "handle")

    def takes_steps_natively(self) -> bool:
        return self._bypasses(self.profiler, "before_func_profiling")

    def makes_records_natively(self) -> bool:
        return self._bypasses(self.profiler.time_profile, "cleanup")

    def _bypasses(self, target: Any, name: str) -> bool:
        original = getattr(target, name)
        noting = mock.Mock(side_effect=original)
        before = dict(vars(target))
        vars(target)[name] = noting
        try:
            self.call()
        finally:
            del vars(target)[name]
            vars(target).update({name: before[name]} if name in before else {})
        return not noting.called


Check = Callable[[Scene], bool]
HANDLED, STEPS, RECORDS = (
    Scene.is_handled_natively,
    Scene.takes_steps_natively,
    Scene.makes_records_natively,
)
REPLACED: list[tuple[str, Callable[[Scene], Any], str, Check]] = [
    ("handle of a class", lambda scene: publisher.StreamHandler, "handle", HANDLED),
    ("handle of an object", lambda scene: scene.handler, "handle", HANDLED),
    ("a formatter's class", lambda scene: publisher.OutputFormatter, "record_to_str", HANDLED),
    ("a formatter", lambda scene: scene.handler.formatter, "record_to_str", HANDLED),
    ("a handler's formatter", lambda scene: scene.handler, "formatter", HANDLED),
    ("a profiler's class", lambda scene: publisher.Profiler, "set_curr_node", STEPS),
    ("a profiler", lambda scene: scene.profiler, "after_function_profiling", STEPS),
    ("the class of steps", lambda scene: publisher.SyncExtProfiler, "sync_inner", STEPS),
    ("steps", lambda scene: scene.profiler.profile_ext, "handle_records_clear", STEPS),
    ("the class of trees", lambda scene: tree.ContextTree, "delete_node", STEPS),
    ("a tree", lambda scene: scene.profiler.tree, "find_and_delete_node", STEPS),
    ("the class of nodes", lambda scene: publisher, "MethodTreeNode", STEPS),
    ("stop of a class", lambda scene: metrics.TimeProfiler, "stop", STEPS),
    ("stop of an object", lambda scene: scene.profiler.time_profile, "stop", STEPS),
    ("rec of a class", lambda scene: metrics.ResponseSize, "rec", STEPS),
    ("observe of a base", lambda scene: metrics.Histogram, "observe", STEPS),
    ("a base of metrics", lambda scene: metrics.MetricWrapper, "to_records", RECORDS),
    ("a metric", lambda scene: scene.profiler.time_profile, "cleanup", RECORDS),
]


@pytest.mark.parametrize(("_id", "target", "name", "check"), REPLACED, ids=[r[0] for r in REPLACED])
def test_the_native_core_works_before_and_after(
    _id: str, target: Callable[[Scene], Any], name: str, check: Check
) -> None:
    scene = Scene()
    assert check(scene)
    owner = target(scene)
    original = getattr(owner, name)
    new: Any = mock.Mock(wraps=original)
    if name == "MethodTreeNode":
        new = type("Node", (tree.MethodTreeNode,), {})
    elif name == "record_to_str" and isinstance(owner, type):
        new = staticmethod(new)
    elif isinstance(owner, type):

        def new(*args: Any, **kwargs: Any) -> Any:
            return original(*args, **kwargs)

    with mock.patch.object(owner, name, new):
        assert not check(scene)
    assert check(scene)


def test_subclasses_are_told_apart() -> None:
    class Own(publisher.StreamHandler):
        pass

    scene = Scene()
    with mock.patch.object(Own, "handle"):
        assert scene.is_handled_natively()
        scene.handler = Own("own", scene.output)
        scene.profiler.add_handler(scene.handler)
        assert not scene.is_handled_natively()
    assert scene.is_handled_natively()


def test_a_handler_made_while_its_constructor_is_replaced_harms_nobody() -> None:
    keeping = CollectingHandler()
    with mock.patch.object(publisher.ImpProfHandler, "__init__", return_value=None):
        handler: Any = publisher.ImpProfHandler("rabbit")
    handler.handler_name = "rabbit"
    profiler = make_profiler(handler, keeping)
    profiler.profile(lambda: None)()
    assert len(keeping.records) == 1
    assert profiler.flush()
