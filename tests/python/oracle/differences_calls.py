"""Differences in what a profiled call does: hooks, handlers, errors, generators, the tree."""

from __future__ import annotations

import copy
import pickle
import sys
import types
import warnings
from typing import Any

from differences import (
    Recorder,
    configured,
    count_nodes,
    current_path,
    difference,
    equip,
    outcome,
)
from phanos import metrics, publisher, tree

HOOKS = ("before_root_func", "before_func", "after_func", "after_root_func")


@difference("C01", upstream="AttributeError", ours="returned")
def call_before_configuration() -> Any:
    profiler = publisher.Profiler()
    profiler.add_metric(metrics.Gauge("gauge", "JOB", "V"))
    profiler.handlers["recorder"] = Recorder()
    profiler.handle_records = True

    @profiler.profile
    def early() -> None:
        pass

    return outcome(early)


@difference(
    "C02",
    upstream={
        "before_root_func": ["ArithmeticError", "outer", 1],
        "before_func": ["ArithmeticError", "outer", 1],
        "after_func": ["ArithmeticError", "outer.inner", 2],
        "after_root_func": ["ArithmeticError", "outer", 1],
    },
    ours={hook: ["returned", "", 0] for hook in HOOKS},
)
def raising_hook() -> Any:
    found: dict[str, Any] = {}
    for hook in HOOKS:
        profiler, _ = configured()

        def fail(*_: Any) -> None:
            raise ArithmeticError

        @profiler.profile
        def inner() -> None:
            pass

        @profiler.profile
        def outer() -> None:
            inner()

        setattr(profiler, hook, fail)
        caller = outcome(outer)
        found[hook] = [caller, current_path(profiler), count_nodes(profiler)]
    return found


@difference(
    "C03",
    upstream={"caller": "ArithmeticError", "path": "work", "nodes": 1, "next": []},
    ours={"caller": "returned", "path": "", "nodes": 0, "next": ["work"]},
)
def raising_handler() -> Any:
    profiler = publisher.Profiler()
    profiler.config(job="JOB")

    class Failing(publisher.SyncBaseHandler):
        def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            raise ArithmeticError

    profiler.add_handler(Failing("failing"))
    recorder = equip(profiler)

    @profiler.profile
    def work() -> None:
        pass

    caller = outcome(work)
    return {
        "caller": caller,
        "path": current_path(profiler),
        "nodes": count_nodes(profiler),
        "next": recorder.methods(),
    }


@difference(
    "C04",
    upstream={"caller": "KeyboardInterrupt", "path": "work", "nodes": 1},
    ours={"caller": "KeyboardInterrupt", "path": "", "nodes": 0},
)
def interrupted_hook() -> Any:
    profiler, _ = configured()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    @profiler.profile
    def work() -> None:
        pass

    profiler.after_func = interrupt
    caller = outcome(work)
    return {"caller": caller, "path": current_path(profiler), "nodes": count_nodes(profiler)}


@difference(
    "C05",
    upstream={"time": [True, False], "size": [True], "operation": [True]},
    ours={"time": [False, False], "size": [False], "operation": [True]},
)
def clean_call_in_an_except_block() -> Any:
    gauge = metrics.Gauge("gauge", "JOB", "V")
    profiler, recorder = configured(gauge, response_size_profile=True)

    @profiler.profile
    def clean() -> None:
        pass

    @profiler.profile
    def outer() -> None:
        try:
            raise ValueError
        except ValueError:
            gauge.set(1.0, profiler.curr_node.get())
            clean()

    try:
        raise ValueError
    except ValueError:
        clean()
    size = [record["labels"]["error_raised"] for record in recorder.records("response_size")]
    recorder.batches.clear()
    outer()
    return {
        "time": [record["labels"]["error_raised"] for record in recorder.records("time_profiler")],
        "size": size,
        "operation": [record["labels"]["error_raised"] for record in recorder.records("gauge")],
    }


@difference(
    "C06",
    upstream=["recorded", "body", "consumer"],
    ours=["body", "consumer", "recorded"],
)
def generator() -> Any:
    events: list[str] = []
    profiler, _ = configured()
    profiler.after_func = lambda result, args, kwargs: events.append("recorded")

    @profiler.profile
    def numbers() -> Any:
        events.append("body")
        yield 1

    events.extend("consumer" for _ in numbers())
    return events


@difference(
    "C07",
    upstream={"body": "", "consumer": "", "calls inside": ["numbers", "inner"]},
    ours={"body": "numbers", "consumer": "", "calls inside": ["numbers.inner", "numbers"]},
)
def node_of_a_generator() -> Any:
    profiler, recorder = configured()
    found: dict[str, Any] = {}

    @profiler.profile
    def inner() -> None:
        pass

    @profiler.profile
    def numbers() -> Any:
        found["body"] = current_path(profiler)
        inner()
        yield 1

    for _ in numbers():
        found["consumer"] = current_path(profiler)
    found["calls inside"] = recorder.methods()
    return found


@difference(
    "C08",
    upstream=["returned", "returned", "returned"],
    ours=["TypeError", "TypeError", "TypeError"],
)
def hooks_that_cannot_work() -> Any:
    profiler, _ = configured()

    async def coroutine_function(func: Any, args: Any, kwargs: Any) -> None:
        pass

    return [
        outcome(lambda: setattr(profiler, "before_func", coroutine_function)),
        outcome(lambda: setattr(profiler, "after_root_func", coroutine_function)),
        outcome(lambda: setattr(profiler, "before_root_func", 3)),
    ]


@difference(
    "C09",
    upstream=["returned", "returned", "returned"],
    ours=["TypeError", "TypeError", "TypeError"],
)
def decorating_what_cannot_be_called() -> Any:
    profiler, _ = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            outcome(lambda: profiler.profile(3)),
            outcome(lambda: profiler.profile(classmethod(lambda cls: None))),
            outcome(lambda: profiler.profile(property(lambda self: None))),
        ]


@difference("C10", upstream="LookupError", ours="the root of the tree")
def current_node_before_the_first_call() -> Any:
    profiler, _ = configured()
    try:
        node = profiler.curr_node.get()
    except LookupError:
        return "LookupError"
    return "the root of the tree" if node is profiler.tree.root else repr(node)


@difference("C11", upstream=["TypeError", ["func"]], ours=["returned", ["func", "fn_result"]])
def hook_named_as_in_the_first_generation() -> Any:
    profiler, _ = configured()
    called: list[str] = []

    def before_func(*, func: Any, args: Any, kwargs: Any) -> None:
        called.append("func")

    def after_func(*, fn_result: Any, args: Any, kwargs: Any) -> None:
        called.append("fn_result")

    @profiler.profile
    def work() -> None:
        pass

    profiler.before_func = lambda func, args, kwargs: before_func(
        func=func, args=args, kwargs=kwargs
    )
    profiler.after_func = after_func
    return [outcome(work), called]


@difference(
    "C12",
    upstream={"time": ["TypeError", 1], "size": ["returned", ["work"]]},
    ours={"time": ["returned", 0], "size": ["returned", []]},
)
def metric_that_appears_during_a_call() -> Any:
    found: dict[str, Any] = {}
    profiler, recorder = configured(metrics.Gauge("gauge", "JOB", "V"), time_profile=False)

    @profiler.profile
    def timed() -> None:
        profiler.create_time_profiler()

    caller = outcome(timed)
    found["time"] = [caller, count_nodes(profiler)]
    profiler, recorder = configured()

    @profiler.profile
    def work() -> None:
        profiler.create_response_size_profiler()

    caller = outcome(work)
    found["size"] = [caller, recorder.methods("response_size")]
    return found


@difference("C13", upstream=[4], ours=[2, 2])
def limit_of_waiting_records_set_on_one_profiler() -> Any:
    profiler, recorder = configured()
    profiler.RECORDS_LEN_LIMIT = 2

    @profiler.profile
    def inner() -> None:
        pass

    @profiler.profile
    def outer() -> None:
        for _ in range(3):
            inner()

    outer()
    return [len(batch) for _, batch in recorder.batches]


@difference(
    "C14",
    upstream={"first": ["second"], "second": ["second"]},
    ours={"first": [], "second": ["second"]},
)
def node_moved_to_another_parent() -> Any:
    forest = tree.ContextTree()
    first = forest.root.add_child(tree.MethodTreeNode(node_moved_to_another_parent))
    second = forest.root.add_child(tree.MethodTreeNode(outcome))
    moved = tree.MethodTreeNode(configured)
    first.add_child(moved)
    second.add_child(moved)
    return {
        "first": ["second" for child in first.children if child is moved],
        "second": ["second" for child in second.children if child is moved],
    }


@difference("C15", upstream="returned", ours="TypeError")
def node_added_below_itself() -> Any:
    forest = tree.ContextTree()
    parent = forest.root.add_child(tree.MethodTreeNode(outcome))
    child = parent.add_child(tree.MethodTreeNode(configured))
    return outcome(lambda: child.add_child(parent))


@difference("C16", upstream=2, ours=0)
def clearing_a_tree() -> Any:
    forest = tree.ContextTree()
    for _ in range(4):
        forest.root.add_child(tree.MethodTreeNode(outcome))
    forest.clear()
    return len(forest.root.children)


@difference(
    "C17",
    upstream={"node": "root of nothing", "after the call": "no current node"},
    ours={"node": "child of the root", "after the call": "the root of the tree"},
)
def handing_over_by_force_during_a_call() -> Any:
    profiler, _ = configured()
    found: dict[str, str] = {}

    @profiler.profile
    def work() -> None:
        profiler.profile_ext.force_handle_records_clear()
        parent = profiler.curr_node.get().parent
        found["node"] = "child of the root" if parent is profiler.tree.root else "root of nothing"

    work()
    node = profiler.curr_node.get()
    found["after the call"] = (
        "no current node" if node is None else "the root of the tree" * (node is profiler.tree.root)
    )
    return found


@difference("C19", upstream=["returned"] * 3, ours=["TypeError"] * 3)
def copies_of_a_node() -> Any:
    node = tree.MethodTreeNode(outcome)
    copies = (copy.copy, copy.deepcopy, pickle.dumps)
    return [outcome(lambda made=made: made(node)) for made in copies]


@difference(
    "C20",
    upstream={"code": "a closure's", "defaults": None, "assigned": "ValueError", "result": "old"},
    ours={"code": "its own", "defaults": [1], "assigned": "returned", "result": "new"},
)
def code_of_a_decorated_function() -> Any:
    profiler, _ = configured()

    def work(number: int = 1) -> str:
        return "old"

    def other(number: int = 2) -> str:
        return "new"

    decorated: Any = profiler.profile(work)
    found = {
        "code": "its own" if decorated.__code__ is work.__code__ else "a closure's",
        "defaults": decorated.__defaults__ and list(decorated.__defaults__),
        "assigned": outcome(lambda: setattr(decorated, "__code__", other.__code__)),
    }
    return {**found, "result": decorated()}


@difference("C21", upstream=["work", "work"], ours=["work"])
def copy_of_a_decorated_function() -> Any:
    profiler, recorder = configured()

    @profiler.profile
    def work() -> None:
        pass

    copied = types.FunctionType(
        work.__code__, work.__globals__, "work", work.__defaults__, work.__closure__
    )
    work()
    copied()
    return recorder.methods()


@difference("C22", upstream=0, ours=1)
def decorated_class_statement() -> Any:
    module = types.ModuleType("of_a_user")
    vars(module)["profile"] = publisher.Profiler().profile
    sys.modules["of_a_user"] = module
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec("@profile\nclass Shop: pass", vars(module))
    return len(caught)
