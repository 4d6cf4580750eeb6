"""Metrics, handlers, hooks and configuration changed inside of calls."""

from __future__ import annotations

import asyncio

import pytest
from phanos.metrics import Counter
from support import (
    JOB,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    async_wait_until,
    make_profiler,
    path_of,
)

ITEM = __name__.rpartition(".")[2]


def events_metric(profiler, name: str = "events") -> Counter:
    metric = Counter(name, JOB, "events")
    profiler.add_metric(metric)
    return metric


def values(handler, metric: str) -> list[float]:
    return [record["value"][1] for record in handler.of_metric(metric)]


def layered(profiler, between):
    """Return a profiled `outer` that runs `between()` between two calls of `leaf`."""

    @profiler.profile
    def leaf():
        return path_of(profiler)

    @profiler.profile
    def outer():
        node = profiler.curr_node.get()
        leaf()
        between()
        assert profiler.curr_node.get() is node
        return leaf()

    return outer


OUTER, LEAF = f"{ITEM}:outer", f"{ITEM}:outer.leaf"


def test_a_deleted_handler_gets_what_waited_for_it() -> None:
    first, second = CollectingHandler("first"), CollectingHandler("second")
    profiler = make_profiler(first, second)
    outer = layered(profiler, lambda: profiler.delete_handler("first"))
    outer()
    assert first.methods() == [LEAF]
    assert second.methods() == [LEAF, LEAF, OUTER]
    assert_tree_at_rest(profiler)


def test_a_replaced_handler_gets_what_waited_for_it_and_the_new_one_the_rest() -> None:
    old, new = CollectingHandler("same name"), CollectingHandler("same name")
    profiler = make_profiler(old)
    outer = layered(profiler, lambda: profiler.add_handler(new))
    outer()
    assert old.methods() == [LEAF]
    assert new.methods() == [LEAF, OUTER]
    assert profiler.handlers["same name"] is new


def test_deleting_all_handlers_delivers_and_a_new_one_starts_with_the_rest() -> None:
    old, new = CollectingHandler("old"), CollectingHandler("new")
    profiler = make_profiler(old)

    def change():
        profiler.delete_handlers()
        assert old.methods() == [LEAF]
        profiler.add_handler(new)

    layered(profiler, change)()
    assert old.methods() == [LEAF]
    assert new.methods() == [LEAF, OUTER]
    assert_tree_at_rest(profiler)


def test_what_waits_in_a_deleted_metric_still_goes_out() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    metric = events_metric(profiler)

    def change():
        metric.inc(1)
        profiler.delete_metric("events")
        metric.inc(2)

    layered(profiler, change)()
    assert handler.of_metric("events")[0]["method"] == OUTER
    assert values(handler, "events")[0] == 1.0
    assert handler.counts("time_profiler") == {LEAF: 2, OUTER: 1}
    assert "events" not in profiler.metrics


def test_what_waits_in_a_replaced_metric_still_goes_out() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    old = events_metric(profiler)

    def change():
        old.inc(1)
        events_metric(profiler).inc(2)

    layered(profiler, change)()
    assert values(handler, "events") == [1.0, 2.0]


def test_deleting_all_metrics_inside_a_call() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    metric = events_metric(profiler)

    def change():
        metric.inc(1)
        profiler.delete_metrics(rm_time_profile=True, rm_resp_size_profile=True)

    outer = layered(profiler, change)
    outer()
    assert values(handler, "events") == [1.0]
    assert handler.methods("time_profiler") == [LEAF]
    assert handler.of_metric("response_size") == []
    assert profiler.time_profile is None
    assert profiler.resp_size_profile is None
    assert_tree_at_rest(profiler)
    outer()
    assert len(handler.records) == 2
    assert_tree_at_rest(profiler)


def test_a_metric_that_appears_while_a_call_runs_skips_that_call() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    metric = events_metric(profiler)

    def change():
        metric.inc(1)
        profiler.create_time_profiler()
        profiler.create_response_size_profiler()

    outer = layered(profiler, change)
    outer()
    assert handler.methods("time_profiler") == [LEAF]
    assert handler.of_metric("response_size") == []
    handler.clear()
    layered(profiler, lambda: None)()
    assert handler.counts("time_profiler") == {LEAF: 2, OUTER: 1}
    assert handler.counts("response_size") == {OUTER: 1}


def test_configuring_again_inside_a_call() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    before = profiler.time_profile
    outer = layered(profiler, lambda: profiler.config(job="AGAIN"))
    outer()
    assert profiler.time_profile is not before
    recorded = [(record["method"], record["job"]) for record in handler.records]
    assert recorded[:2] == [(LEAF, JOB), (LEAF, "AGAIN")]
    # The running call began under the metric that was replaced: one record at most.
    assert recorded[2:] in ([], [(OUTER, "AGAIN")])
    handler.clear()
    outer()
    assert {record["job"] for record in handler.records} == {"AGAIN"}
    assert_tree_at_rest(profiler)


def test_configuring_again_while_async_calls_are_suspended() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    events = events_metric(profiler)

    @profiler.profile
    async def leaf(go_on):
        await go_on.wait()
        events.inc(1)
        return path_of(profiler)

    @profiler.profile
    async def outer(go_on):
        return await asyncio.gather(leaf(go_on), leaf(go_on))

    async def main():
        go_on = asyncio.Event()
        tasks = [asyncio.create_task(outer(go_on)) for _ in range(10)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        profiler.config(job="AGAIN", response_size_profile=True)
        await asyncio.sleep(0)
        go_on.set()
        assert await asyncio.gather(*tasks) == [[LEAF, LEAF]] * 10
        assert_tree_at_rest(profiler)
        await outer(go_on)

    asyncio.run(main())
    assert handler.counts("events") == {LEAF: 22}
    # The time metric was replaced, so calls that ran meanwhile may have no record of it;
    # the one for response size is new, so they have none for certain.
    times = handler.counts("time_profiler")
    assert 2 <= times[LEAF] <= 22
    assert 1 <= times[OUTER] <= 11
    assert handler.counts("response_size") == {OUTER: 1}


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_failed_configuration_inside_a_call_changes_nothing(kind: str) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    metrics, handlers = dict(profiler.metrics), dict(profiler.handlers)
    bad = {"job": "BAD", "handlers": {"bad": {"class": "phanos.publisher.NoSuchHandler"}}}

    def configure():
        if kind == "sync":
            profiler.dict_config(bad)
        else:
            asyncio.run(profiler.async_dict_config(bad))

    def change():
        with pytest.raises((ImportError, AttributeError, ValueError)):
            configure()

    layered(profiler, change)()
    assert profiler.metrics == metrics
    assert profiler.handlers == handlers
    assert profiler.job == JOB
    assert handler.methods() == [LEAF, LEAF, OUTER]
    assert {record["job"] for record in handler.records} == {JOB}


def test_turning_records_off_inside_a_call() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    def change():
        profiler.handle_records = False

    outer = layered(profiler, change)
    outer()
    assert_tree_at_rest(profiler)
    profiler.handle_records = True
    handler.clear()
    outer_again = layered(profiler, lambda: None)
    outer_again()
    assert handler.counts()[OUTER] >= 1
    assert_tree_at_rest(profiler)


def test_hooks_changed_inside_a_call() -> None:
    profiler = make_profiler(CollectingHandler())
    seen: list[str] = []

    def change():
        profiler.after_func = lambda result, args, kwargs: seen.append(path_of(profiler))
        profiler.before_func = lambda func, args, kwargs: seen.append("before")

    layered(profiler, change)()
    assert seen == ["before", LEAF, OUTER]


def test_clearing_the_profiler_or_the_tree_inside_a_call() -> None:
    for clear in ("profiler", "tree"):
        handler = CollectingHandler()
        profiler = make_profiler(handler)

        @profiler.profile
        def leaf(profiler=profiler, clear=clear):
            profiler.clear() if clear == "profiler" else profiler.tree.clear()

        @profiler.profile
        def outer(leaf=leaf):
            leaf()
            return "result"

        assert outer() == "result"
        assert_tree_at_rest(profiler)
        assert outer() == "result"
        assert_tree_at_rest(profiler)


def test_a_variable_set_by_the_function_itself_is_put_back() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def leaf():
        profiler.curr_node.set(profiler.tree.root)

    @profiler.profile
    def outer():
        node = profiler.curr_node.get()
        leaf()
        assert profiler.curr_node.get() is node

    outer()
    assert handler.methods()[-1] == OUTER
    assert_tree_at_rest(profiler)


def test_handlers_that_change_the_configuration_while_they_are_called() -> None:
    def change(records, name):
        if name != "time_profiler":
            return
        profiler.delete_handler("busy")
        profiler.add_handler(late)
        profiler.config(job="AGAIN")
        profiler.delete_metric("events")

    late = CollectingHandler("late")
    busy, calm = CollectingHandler("busy", on_handle=change), CollectingHandler("calm")
    profiler = make_profiler(busy, calm)
    events_metric(profiler).inc(1)
    outer = layered(profiler, lambda: None)
    assert outer() == LEAF
    assert_tree_at_rest(profiler)
    assert calm.methods("time_profiler") == [LEAF, LEAF, OUTER]
    assert values(calm, "events") == [1.0]
    assert outer() == LEAF
    assert calm.counts("time_profiler") == {LEAF: 4, OUTER: 2}
    assert late.counts("time_profiler")[OUTER] >= 1
    assert busy.methods("time_profiler") == [LEAF, LEAF, OUTER]
    assert_tree_at_rest(profiler)


def test_deleting_an_async_handler_that_has_queued_batches() -> None:
    async def slowly(records, name):
        for _ in range(5):
            await asyncio.sleep(0)

    first = AsyncCollectingHandler("first", on_handle=slowly)
    second = AsyncCollectingHandler("second")
    profiler = make_profiler(first, second)

    @profiler.profile
    def step():
        return None

    async def main():
        step()
        step()
        profiler.delete_handler("first")
        step()
        await async_wait_until(lambda: len(second.records) == 3, "the batches of the second")
        await async_wait_until(lambda: len(first.records) == 2, "the batches of the first")

    asyncio.run(main())
    assert first.counts() == {f"{ITEM}:step": 2}
    assert second.counts() == {f"{ITEM}:step": 3}
