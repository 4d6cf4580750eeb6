"""What is dropped is freed: profilers, metrics, handlers, functions, nodes, arguments."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from freed import Thing, assert_freed
from phanos.metrics import Counter
from support import (
    HOOK_NAMES,
    JOB,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
)

pytestmark = pytest.mark.usefixtures("collected_garbage")


def use_once(profiler) -> None:
    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    def numbers():
        leaf()
        yield 1

    @profiler.profile
    def outer():
        leaf()
        list(numbers())

    outer()


def test_a_profiler_with_all_it_holds() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    metric = Counter("events", JOB, "events")
    profiler.add_metric(metric)
    use_once(profiler)
    references = {
        "profiler": weakref.ref(profiler),
        "handler": weakref.ref(handler),
        "metric": weakref.ref(metric),
        "time_profile": weakref.ref(profiler.time_profile),
    }
    del profiler, handler, metric
    assert_freed(**references)


def test_a_profiler_that_was_never_used() -> None:
    profiler = make_profiler()
    reference = weakref.ref(profiler)
    del profiler
    assert_freed(profiler=reference)


def test_cycles_through_hooks_handlers_metrics_and_functions() -> None:
    class OwningHandler(CollectingHandler):
        pass

    class OwningMetric(Counter):
        pass

    def build():
        handler = OwningHandler()
        profiler = make_profiler(handler)
        metric = OwningMetric("events", JOB, "events")
        profiler.add_metric(metric)
        handler.owner = metric.owner = profiler
        thing = Thing()
        thing.owner = profiler

        def hook(*arguments, thing=thing):
            return profiler

        for name in HOOK_NAMES:
            setattr(profiler, name, hook)

        @profiler.profile
        def call():
            return profiler, handler, metric

        handler.function = call
        call()
        return {
            "profiler": weakref.ref(profiler),
            "handler": weakref.ref(handler),
            "metric": weakref.ref(metric),
            "hook": weakref.ref(hook),
            "function": weakref.ref(call),
            "thing": weakref.ref(thing),
        }

    assert_freed(**build())


def test_a_cycle_through_a_handler_with_waiting_records() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    handler.owner = profiler
    metric = Counter("events", JOB, "events", {"label"})
    profiler.add_metric(metric)
    metric.inc(1, {"label": "waits"})
    references = {"profiler": weakref.ref(profiler), "metric": weakref.ref(metric)}
    del profiler, handler, metric
    assert_freed(**references)


def test_a_profiler_with_async_handlers() -> None:
    def build():
        handler = AsyncCollectingHandler()
        profiler = make_profiler(handler)
        handler.owner = profiler

        @profiler.profile
        async def async_call():
            use_once(profiler)
            await asyncio.sleep(0)

        asyncio.run(async_call())
        # Once more without a loop, so that batches wait for one.
        use_once(profiler)
        asyncio.run(profiler.aflush())
        return {"profiler": weakref.ref(profiler), "handler": weakref.ref(handler)}

    assert_freed(**build())


def test_what_is_deleted_or_replaced_is_freed_while_the_profiler_lives() -> None:
    handler, replaced = CollectingHandler("deleted"), CollectingHandler("replaced")
    profiler = make_profiler(handler, replaced)
    metric = Counter("events", JOB, "events")
    profiler.add_metric(metric)
    time_profile = weakref.ref(profiler.time_profile)
    use_once(profiler)
    references = {
        "handler": weakref.ref(handler),
        "replaced": weakref.ref(replaced),
        "metric": weakref.ref(metric),
    }
    profiler.delete_handler("deleted")
    profiler.add_handler(CollectingHandler("replaced"))
    profiler.delete_metric("events")
    del handler, replaced, metric
    profiler.config(job="AGAIN")
    assert_freed(time_profile=time_profile, **references)
    use_once(profiler)
    assert_tree_at_rest(profiler)


def test_a_hook_that_is_removed() -> None:
    profiler = make_profiler(CollectingHandler())

    def hook(*arguments):
        return None

    for name in HOOK_NAMES:
        setattr(profiler, name, hook)
    use_once(profiler)
    for name in HOOK_NAMES:
        setattr(profiler, name, None)
    reference = weakref.ref(hook)
    del hook
    assert_freed(hook=reference)


def test_a_decorated_function_that_was_called() -> None:
    profiler = make_profiler(CollectingHandler())
    held = Thing()

    def plain(argument=held):
        return argument

    decorated = profiler.profile(plain)
    decorated()
    references = {
        "plain": weakref.ref(plain),
        "decorated": weakref.ref(decorated),
        "held": weakref.ref(held),
    }
    del plain, decorated, held
    assert_freed(**references)
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("kind", ["coroutine", "generator", "async generator"])
def test_other_kinds_of_decorated_functions_that_were_called(kind: str) -> None:
    profiler = make_profiler(CollectingHandler())
    held = Thing()

    async def coroutine(argument=held):
        return argument

    def generator(argument=held):
        yield argument

    async def async_generator(argument=held):
        yield argument

    async def consume(source):
        return [each async for each in source]

    if kind == "coroutine":
        decorated = profiler.profile(coroutine)
        asyncio.run(decorated())
    elif kind == "generator":
        decorated = profiler.profile(generator)
        list(decorated())
    else:
        decorated = profiler.profile(async_generator)
        asyncio.run(consume(decorated()))
    references = {"decorated": weakref.ref(decorated), "held": weakref.ref(held)}
    del coroutine, generator, async_generator, decorated, held
    assert_freed(**references)


def test_a_node_of_a_finished_call() -> None:
    profiler = make_profiler(CollectingHandler())
    nodes: list[weakref.ref] = []

    @profiler.profile
    def leaf():
        nodes.append(weakref.ref(profiler.curr_node.get()))

    @profiler.profile
    def outer():
        nodes.append(weakref.ref(profiler.curr_node.get()))
        leaf()

    outer()
    gc.collect()
    assert [node() for node in nodes] == [None, None]


def test_a_kept_node_keeps_its_path_and_not_the_profiler() -> None:
    def build():
        profiler = make_profiler(CollectingHandler())

        @profiler.profile
        def outer(variable):
            # The node knows its function: one that knew the profiler would keep it.
            return variable.get()

        return outer(profiler.curr_node), weakref.ref(profiler)

    node, reference = build()
    assert_freed(profiler=reference)
    assert str(node.ctx) == "test_dropped_objects:outer"


def test_arguments_results_and_errors() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    profiler.before_func = lambda func, args, kwargs: None
    profiler.after_func = lambda result, args, kwargs: None

    class Error(Exception):
        pass

    @profiler.profile
    def give_back(first, *, second):
        return second

    @profiler.profile
    def fail(error):
        raise error

    first, second, error = Thing(), Thing(), Error()
    references = {
        "first": weakref.ref(first),
        "second": weakref.ref(second),
        "error": weakref.ref(error),
    }
    result = give_back(first, second=second)
    assert result is second
    with pytest.raises(Error):
        fail(error)
    del first, second, error, result
    assert_freed(**references)
    assert len(handler.records) == 4


def test_the_instance_of_a_profiled_method() -> None:
    profiler = make_profiler(CollectingHandler())

    class Service:
        @profiler.profile
        def work(self):
            return None

    service = Service()
    service.work()
    instance, class_reference = weakref.ref(service), weakref.ref(Service)
    del service
    assert_freed(instance=instance)
    del Service
    assert_freed(service_class=class_reference)


def test_labels_and_values_of_records_that_were_handed_over() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    metric = Counter("events", JOB, "events", {"label"})
    profiler.add_metric(metric)

    class Text(str):
        pass

    label = Text("value")
    reference = weakref.ref(label)
    metric.inc(1, {"label": label})
    profiler.flush()
    handler.clear()
    del label
    assert_freed(label=reference)
