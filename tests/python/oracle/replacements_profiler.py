"""What a profiler is made of, its steps and its metrics, replaced."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import Any
from unittest import mock

from phanos import metrics, publisher, tree
from replacements import RECORD, Calls, Keeping, Setting, plain, replacement

WHERE = ("class", "object")


def spying(calls: Calls, name: str, original: Any) -> Any:
    """Call the original, and note its name."""

    def spy(*args: Any, **kwargs: Any) -> Any:
        calls.made.append([name, sorted(kwargs)])
        return original(*args, **kwargs)

    return spy


def spied(target: Any, calls: Calls, *names: str) -> Any:
    """Replace methods of `target` by ones that note and do what the original does."""
    return mock.patch.multiple(
        target, **{name: spying(calls, name, getattr(target, name)) for name in names}
    )


@replacement(*WHERE)
def steps_of_a_profiler(where: str) -> Any:
    names = (
        "needs_profiling",
        "set_curr_node",
        "before_func_profiling",
        "measure_execution_start",
        "after_function_profiling",
        "delete_curr_node",
    )
    calls, setting, keeping = Calls(), Setting(), Keeping()
    setting.profiler.add_handler(keeping)
    setting.call()
    with spied(publisher.Profiler if where == "class" else setting.profiler, calls, *names):
        result = setting.call()
    setting.call()
    return [result, [name for name, _ in calls.made], len(keeping.batches)]


@replacement(*WHERE)
def steps_of_sync_ext_profiler(where: str) -> Any:
    calls, setting, keeping = Calls(), Setting(), Keeping()
    setting.profiler.add_handler(keeping)
    setting.call()
    target = publisher.SyncExtProfiler if where == "class" else setting.profiler.profile_ext
    with spied(target, calls, "sync_inner", "handle_records_clear"):
        result = setting.call()
    setting.call()
    return [result, [name for name, _ in calls.made], len(keeping.batches)]


@replacement(*WHERE)
def steps_of_async_ext_profiler(where: str) -> Any:
    calls = Calls()

    async def main() -> Any:
        setting, keeping = Setting(is_async=True), Keeping()
        setting.profiler.add_handler(keeping)
        await setting.call_async()
        target = publisher.AsyncExtProfiler if where == "class" else setting.profiler.profile_ext
        with spied(target, calls, "async_inner", "handle_records_clear"):
            result = await setting.call_async()
        await setting.call_async()
        return [result, [name for name, _ in calls.made], len(keeping.batches)]

    return asyncio.run(main())


@replacement("SyncExtProfiler", "AsyncExtProfiler")
def ext_profilers(name: str) -> Any:
    profiler = publisher.Profiler()
    with mock.patch.object(publisher, name) as replaced:
        if name == "SyncExtProfiler":
            profiler.config(job="JOB")
        else:
            profiler.async_config(job="JOB")
    profiler.add_handler(Keeping())
    replaced.return_value.sync_inner.return_value = "from the mock"

    @profiler.profile
    def root(value: int) -> int:
        return value

    results = [root(5), root(value=6)]
    calls = replaced.return_value.sync_inner.call_args_list
    return [
        profiler.profile_ext is replaced.return_value,
        results,
        [[plain(call.args[1:]), plain(call.kwargs)] for call in calls],
    ]


@replacement(*WHERE)
def methods_of_a_tree(where: str) -> Any:
    calls, setting = Calls(), Setting()
    setting.profiler.add_handler(Keeping())
    setting.call()
    target = publisher.ContextTree if where == "class" else setting.profiler.tree
    with spied(target, calls, "find_and_delete_node"):
        setting.call()
    setting.call()
    return [[name for name, _ in calls.made], len(setting.profiler.tree.root.children)]


@replacement()
def context_tree() -> Any:
    class Own(tree.ContextTree):
        pass

    with mock.patch("phanos.publisher.ContextTree", Own):
        profiler = publisher.Profiler()
    return [type(profiler.tree).__name__, type(publisher.Profiler().tree).__name__]


@replacement()
def context_tree_by_a_mock() -> Any:
    with mock.patch("phanos.publisher.ContextTree") as replaced:
        profiler = publisher.Profiler()
        profiler.config(job="JOB")
    profiler.tree.clear()
    return [profiler.tree is replaced.return_value, len(replaced.return_value.clear.mock_calls)]


@replacement("before", "after")
def method_tree_node(when: str) -> Any:
    class Own(tree.MethodTreeNode):
        made = 0

        def __init__(self, method: Any = None, logger: Any = None) -> None:
            super().__init__(method, logger)
            type(self).made += 1

    setting, keeping = Setting(), Keeping()
    if when == "after":
        setting.profiler.add_handler(keeping)
        setting.call()
    with mock.patch("phanos.publisher.MethodTreeNode", Own):
        if when == "before":
            setting.profiler.add_handler(keeping)
        setting.call()
    setting.call()
    methods = [record["method"] for records, _ in keeping.batches for record in records]
    return [Own.made, methods]


@replacement("TIME_PROFILER", "RESPONSE_SIZE")
def names_of_metrics(name: str) -> Any:
    profiler = publisher.Profiler()
    with mock.patch.object(publisher, name, "renamed"):
        profiler.config(job="JOB", response_size_profile=True)
    return sorted(profiler.metrics)


@replacement("TimeProfiler", "ResponseSize")
def built_in_metrics(name: str) -> Any:
    profiler, calls, keeping = publisher.Profiler(), Calls(), Keeping()
    attribute, operation = (
        ("time_profile", "stop") if name == "TimeProfiler" else ("resp_size_profile", "rec")
    )
    with mock.patch.object(publisher, name) as replaced:
        replaced.return_value.to_records.return_value = [RECORD]
        replaced.return_value.name = "of the mock"
        getattr(replaced.return_value, operation).side_effect = lambda **arguments: (
            calls.made.append(sorted(arguments))
        )
        profiler.config(
            job="JOB",
            time_profile=name == "TimeProfiler",
            response_size_profile=name == "ResponseSize",
        )
    profiler.add_handler(keeping)

    @profiler.profile
    def root() -> str:
        return "result"

    result = root()
    return [
        result,
        [[plain(call.args), plain(call.kwargs)] for call in replaced.call_args_list],
        getattr(profiler, attribute) is replaced.return_value,
        calls.made,
        keeping.batches,
        len(replaced.return_value.cleanup.mock_calls),
    ]


@replacement(*[(where, name) for where in WHERE for name in ("to_records", "cleanup")])
def methods_of_a_metric(where: str, name: str) -> Any:
    calls, setting, keeping = Calls(), Setting(), Keeping()
    setting.profiler.add_handler(keeping)
    setting.call()
    with spied(metrics.Counter if where == "class" else setting.metric, calls, name):
        setting.call()
    setting.call()
    return [[name for name, _ in calls.made], [plain(batch) for batch in keeping.batches]]


@replacement(*[(where, name) for where in WHERE for name in ("stop", "rec")])
def operations_of_built_in_metrics(where: str, name: str) -> Any:
    calls, keeping = Calls(), Keeping()
    profiler = publisher.Profiler()
    profiler.config(job="JOB", response_size_profile=True)
    profiler.add_handler(keeping)
    metric: Any = profiler.time_profile if name == "stop" else profiler.resp_size_profile

    @profiler.profile
    def root() -> str:
        return "result"

    root()
    with spied(type(metric) if where == "class" else metric, calls, name):
        root()
    root()
    return [calls.made, sorted(name for _, name in keeping.batches)]


class Own:
    """A metric that has what a profiler needs, and no more."""

    name = "own"

    def __init__(self) -> None:
        self.label_names: set[str] = set()
        self.steps: list[str] = []
        self.values: list[Any] = []

    def to_records(self) -> Any:
        self.steps.append("to_records")
        return [RECORD]

    def cleanup(self) -> None:
        self.steps.append("cleanup")


@replacement("own", "magic mock", "mock")
def a_metric_of_ones_own(kind: str) -> Any:
    setting, keeping = Setting(), Keeping()
    setting.profiler.error_raised_label = True
    setting.profiler.add_handler(keeping)
    metric: Any = (
        Own() if kind == "own" else mock.MagicMock() if kind == "magic mock" else mock.Mock()
    )
    if kind != "own":
        metric.to_records.return_value = [RECORD]
        metric.name = "own"
    setting.profiler.add_metric(metric)
    setting.call()
    setting.call()
    batches = list(keeping.batches)
    if kind == "own":
        called = [*metric.steps, *sorted(metric.label_names)]
    else:
        called = [name for name, _, _ in metric.mock_calls if not name.startswith("values")]
    setting.profiler.delete_metric("own")
    keeping.batches.clear()
    setting.call()
    return [batches, called, [name for _, name in keeping.batches]]


@replacement("list", "empty", "None", "tuple")
def a_metric_put_into_the_dict(given: str) -> Any:
    setting, keeping = Setting(), Keeping()
    setting.profiler.add_handler(keeping)
    returned = {"list": [RECORD], "empty": [], "None": None, "tuple": (RECORD,)}[given]
    metric = mock.MagicMock(to_records=mock.Mock(return_value=returned))
    metric.name = "own"
    setting.profiler.metrics["key"] = metric
    setting.call()
    del setting.profiler.metrics["key"]
    setting.call()
    return [keeping.batches[:2], len(keeping.batches), len(metric.cleanup.mock_calls)]


@replacement()
def a_metric_alone() -> Any:
    """There is nothing that the profiler itself records."""
    profiler, keeping = publisher.Profiler(), Keeping()
    profiler.config(job="JOB", time_profile=False)
    profiler.add_handler(keeping)
    metric = Own()
    profiler.add_metric(metric)  # type: ignore[arg-type]

    @profiler.profile
    def nested() -> None:
        pass

    @profiler.profile
    def root() -> str:
        nested()
        return "result"

    return [root(), keeping.batches, metric.steps, profiler.get_records_count()]


@replacement()
def methods_of_a_profiler() -> Any:
    """Those that its own methods call."""
    profiler, calls = publisher.Profiler(), Calls()
    names = ("create_time_profiler", "create_response_size_profiler", "add_metric", "add_handler")
    with spied(profiler, calls, *names):
        profiler.dict_config(
            {
                "job": "JOB",
                "time_profile": True,
                "response_size_profile": True,
                "handlers": {"key": {"class": Keeping}},
            }
        )
    with spied(profiler, calls, "delete_metric"):
        profiler.delete_metrics(True, True)
    return sorted(name for name, _ in calls.made)


@replacement()
def logging_methods() -> Any:
    """Of everything that logs, at once."""
    calls = Calls()
    setting = Setting()
    node = tree.MethodTreeNode(setting.call)
    with mock.patch(
        "phanos.log.InstanceLoggerMixin.log", lambda self, level, *_: calls.made.append(level)
    ):
        for one in (setting.profiler, setting.metric, setting.profiler.tree, node):
            one.warning("a line")
            one.error("a line")
    return calls.made


@replacement()
def logging_arguments() -> Any:
    logger, profiler = mock.Mock(), publisher.Profiler()
    profiler.config(logger=logger, job="JOB", time_profile=False)
    logger.log.reset_mock()
    logged = []
    profiler.warning("%s of %d", "one", 2)
    for call in logger.log.call_args_list:
        level, message, *args = call.args
        logged.append([level, message % tuple(args) if args else message])
    return logged


@replacement()
def parent_of_a_node() -> Any:
    def first() -> None:
        pass

    def second() -> None:
        pass

    def third() -> None:
        pass

    root = tree.MethodTreeNode()
    one, two, three = (tree.MethodTreeNode(method) for method in (first, second, third))
    root.add_child(one)
    root.add_child(two)
    one.add_child(three)
    path = str(three.ctx)
    three.parent = two
    moved = three.parent is two
    three.parent = None
    return [moved, three.parent is None, str(three.ctx) == path]


ASKED = ("own class", "a base beside it", "class", "object", "module")


@replacement(*((where, said) for where in ASKED for said in (True, False)))
def eq_labels(where: str, said: bool) -> Any:
    calls, setting, keeping = Calls(), Setting(), Keeping()
    setting.profiler.add_handler(keeping)
    setting.profiler.error_raised_label = True
    setting.profiler.create_time_profiler()

    class Beside:
        def eq_labels(self, labels: Any) -> bool:
            calls.made.append(sorted(labels))
            return said

    class Own(metrics.Counter):
        eq_labels = Beside.eq_labels

    class Based(Beside, metrics.Counter):
        pass

    kind = {"own class": Own, "a base beside it": Based}.get(where, metrics.Counter)
    metric = kind("labelled", "JOB", "units", {"known"})
    setting.profiler.add_metric(metric)

    @setting.profiler.profile
    def call() -> None:
        for labels in ({"known": 1}, {"anything": "goes"}, {}):
            metric.inc(1.0, setting.profiler.curr_node.get(), labels)

    with contextlib.ExitStack() as stack:
        if where == "class":
            new = Beside.eq_labels
            stack.enter_context(mock.patch.object(metrics.Counter, "eq_labels", new))
        if where == "object":
            new = functools.partial(Beside.eq_labels, None)
            stack.enter_context(mock.patch.object(metric, "eq_labels", new))
        if where == "module":
            new = Beside.eq_labels
            stack.enter_context(mock.patch("phanos.metrics.MetricWrapper.eq_labels", new))
        call()
    call()
    records = [[name, record["labels"]] for batch, name in keeping.batches for record in batch]
    return [calls.made, records]


@replacement("handle", "record_to_str")
def one_handler_that_logs_and_not_the_other(name: str) -> Any:
    setting, calls = Setting(), Calls()
    setting.profiler.add_handler(publisher.LoggerHandler("one", mock.Mock()))
    setting.profiler.add_handler(publisher.NamedLoggerHandler("other", "other"))
    target = publisher.LoggerHandler if name == "handle" else publisher.OutputFormatter
    with mock.patch.object(target, name, calls.noting(name, "text")):
        setting.call()
    relations = [
        issubclass(one, other)
        for one in (publisher.LoggerHandler, publisher.NamedLoggerHandler)
        for other in (publisher.LoggerHandler, publisher.NamedLoggerHandler)
    ]
    return [len(calls.made), relations]
