"""The steps of a profiled call, taken one by one by the caller."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import pytest
from phanos import metrics, publisher
from support import AsyncCollectingHandler, CollectingHandler, assert_tree_at_rest, make_profiler

MODULE = __name__


def function() -> None:
    pass


def test_current_node_can_be_set_and_deleted() -> None:
    profiler = make_profiler(CollectingHandler())
    outer = profiler.set_curr_node(function)
    assert profiler.curr_node.get() is outer
    assert outer.parent is profiler.tree.root
    assert str(outer.ctx) == f"{MODULE}:function"
    inner = profiler.set_curr_node(function)
    assert profiler.curr_node.get() is inner
    assert inner.parent is outer
    assert str(inner.ctx) == f"{MODULE}:function.function"
    assert profiler.delete_curr_node(inner) is None
    assert profiler.curr_node.get() is outer
    assert profiler.delete_curr_node(outer) is None
    assert_tree_at_rest(profiler)


def test_profiled_calls_continue_a_node_set_by_hand() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    leaf = profiler.profile(function)
    outer = profiler.set_curr_node(test_profiled_calls_continue_a_node_set_by_hand)
    leaf()
    profiler.delete_curr_node(outer)
    profiler.profile_ext.handle_records_clear()
    assert handler.methods() == [
        f"{MODULE}:test_profiled_calls_continue_a_node_set_by_hand.function"
    ]
    assert_tree_at_rest(profiler)


def test_start_is_a_time_only_while_time_is_measured() -> None:
    profiler = make_profiler()
    start = profiler.measure_execution_start()
    assert isinstance(start, datetime.datetime)
    profiler.delete_metric(publisher.TIME_PROFILER)
    assert profiler.measure_execution_start() is None


def test_steps_by_hand_record_and_call_hooks_like_a_call() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    events: list[tuple[Any, ...]] = []
    profiler.before_root_func = lambda func, args, kwargs: events.append(("root", func, args))
    profiler.before_func = lambda func, args, kwargs: events.append(("before", func, kwargs))
    profiler.after_func = lambda result, args, kwargs: events.append(("after", result, args))
    profiler.after_root_func = lambda result, args, kwargs: events.append(("end", result, kwargs))

    outer = profiler.set_curr_node(function)
    outer_start = profiler.before_func_profiling(function, (1,), {"two": 2})
    inner = profiler.set_curr_node(function)
    inner_start = profiler.before_func_profiling(function, (), {})
    profiler.after_function_profiling("inner", inner_start, (), {})
    profiler.delete_curr_node(inner)
    profiler.after_function_profiling("outer", outer_start, (1,), {"two": 2})
    assert handler.batches == []
    assert profiler.get_records_count() == 3
    profiler.profile_ext.handle_records_clear()
    profiler.delete_curr_node(outer)

    assert events == [
        ("root", function, (1,)),
        ("before", function, {"two": 2}),
        ("before", function, {}),
        ("after", "inner", ()),
        ("after", "outer", (1,)),
        ("end", "outer", {"two": 2}),
    ]
    path = f"{MODULE}:function"
    assert handler.methods(publisher.TIME_PROFILER) == [f"{path}.function", path]
    assert handler.methods(publisher.RESPONSE_SIZE) == [path]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("name", ["handle_records_clear", "force_handle_records_clear"])
@pytest.mark.parametrize("owner", ["profiler", "profile_ext"])
def test_waiting_records_can_be_handed_over(name: str, owner: str) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    metric = metrics.Counter("a_counter", "JOB", "units")
    profiler.add_metric(metric)
    metric.inc(1)
    metric.inc(2)
    target = profiler if owner == "profiler" else profiler.profile_ext
    assert getattr(target, name)() is None
    assert [record["value"] for record in handler.records] == [("inc", 1.0), ("inc", 2.0)]
    assert profiler.get_records_count() == 0
    getattr(target, name)()
    assert len(handler.batches) == 1


@pytest.mark.parametrize("name", ["handle_records_clear", "force_handle_records_clear"])
def test_waiting_records_can_be_handed_over_to_async_handlers(name: str) -> None:
    async def main() -> None:
        handler, sync_handler = AsyncCollectingHandler(), CollectingHandler()
        profiler = make_profiler(handler, sync_handler)
        metric = metrics.Counter("a_counter", "JOB", "units")
        profiler.add_metric(metric)
        metric.inc(1)
        await getattr(profiler.profile_ext, name)()
        assert [record["value"] for record in handler.records] == [("inc", 1.0)]
        assert [record["value"] for record in sync_handler.records] == [("inc", 1.0)]
        assert profiler.get_records_count() == 0

    asyncio.run(main())


def test_needs_profiling_tells_whether_anything_would_be_done() -> None:
    profiler = publisher.Profiler()
    assert not profiler.needs_profiling()
    profiler.config(job="JOB")
    assert not profiler.needs_profiling()
    profiler.add_handler(CollectingHandler())
    assert profiler.needs_profiling()
    profiler.handle_records = False
    assert not profiler.needs_profiling()
    profiler.handle_records = True
    assert profiler.needs_profiling()
    profiler.delete_metrics(True, True)
    assert not profiler.needs_profiling()
    profiler.add_metric(metrics.Counter("a_counter", "JOB", "units"))
    assert profiler.needs_profiling()
    profiler.delete_handlers()
    assert not profiler.needs_profiling()


def test_clear_forgets_records_and_nodes_but_not_the_configuration() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    metric = metrics.Counter("a_counter", "JOB", "units")
    profiler.add_metric(metric)
    metric.inc(1)
    profiler.set_curr_node(function)
    profiler.clear()
    assert metric.values == []
    assert profiler.get_records_count() == 0
    assert_tree_at_rest(profiler)
    assert list(profiler.metrics) == ["response_size", "time_profiler", "a_counter"]
    assert profiler.handlers == {handler.handler_name: handler}
    assert handler.batches == []
