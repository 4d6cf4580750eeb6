"""The steps around a call: their order, what hooks are given and what they can see."""

from __future__ import annotations

import asyncio
import sys

import pytest
from phanos.metrics import Counter
from support import (
    HOOK_NAMES,
    JOB,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
    path_of,
)

ITEM = __name__.rpartition(".")[2]


def counted_steps(handler):
    """Profiler whose hooks and handler note `(step, records waiting, path)`."""
    steps: list[tuple[str, int, str]] = []
    profiler = make_profiler(handler, response_size_profile=True)

    def note(step):
        steps.append((step, profiler.get_records_count(), path_of(profiler)))

    profiler.before_root_func = lambda func, args, kwargs: note("before_root_func")
    profiler.before_func = lambda func, args, kwargs: note("before_func")
    profiler.after_func = lambda result, args, kwargs: note("after_func")
    profiler.after_root_func = lambda result, args, kwargs: note("after_root_func")
    return profiler, steps, note


EXPECTED_STEPS = [
    ("before_root_func", 0, f"{ITEM}:outer"),
    ("before_func", 0, f"{ITEM}:outer"),
    ("call", 0, f"{ITEM}:outer"),
    ("before_func", 0, f"{ITEM}:outer.leaf"),
    ("call", 0, f"{ITEM}:outer.leaf"),
    # Time is stored before `after_func`, response size after it.
    ("after_func", 1, f"{ITEM}:outer.leaf"),
    ("after_func", 2, f"{ITEM}:outer"),
    ("after_root_func", 3, f"{ITEM}:outer"),
    # One batch per metric; the metrics are empty before any handler runs.
    ("handler response_size", 0, f"{ITEM}:outer"),
    ("handler time_profiler", 0, f"{ITEM}:outer"),
    ("after the call", 0, ""),
]


def test_the_order_of_the_steps_of_a_sync_call() -> None:
    handler = CollectingHandler()
    profiler, steps, note = counted_steps(handler)
    handler.on_handle = lambda records, name: note(f"handler {name}")

    @profiler.profile
    def leaf():
        note("call")

    @profiler.profile
    def outer():
        note("call")
        leaf()

    outer()
    note("after the call")
    assert steps == EXPECTED_STEPS
    assert_tree_at_rest(profiler)


def test_the_order_of_the_steps_of_an_async_call() -> None:
    handler = CollectingHandler()
    profiler, steps, note = counted_steps(handler)
    handler.on_handle = lambda records, name: note(f"handler {name}")

    @profiler.profile
    async def leaf():
        await asyncio.sleep(0)
        note("call")

    @profiler.profile
    async def outer():
        note("call")
        await leaf()

    async def main():
        await outer()
        note("after the call")

    asyncio.run(main())
    assert steps == EXPECTED_STEPS
    assert_tree_at_rest(profiler)


def test_the_order_of_the_steps_with_an_async_handler() -> None:
    async def look(records, name):
        note(f"handler {name}")

    handler = AsyncCollectingHandler(on_handle=look)
    profiler, steps, note = counted_steps(handler)

    @profiler.profile
    def leaf():
        note("call")

    @profiler.profile
    async def outer():
        note("call")
        leaf()

    async def main():
        await outer()
        note("after the call")

    asyncio.run(main())
    assert steps == EXPECTED_STEPS
    assert_tree_at_rest(profiler)


def test_response_size_is_measured_after_after_func() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    profiler.after_func = lambda result, args, kwargs: result.extend(range(1000))

    @profiler.profile
    def outer():
        return []

    result = outer()
    assert len(result) == 1000
    ((_, size),) = [record["value"] for record in handler.of_metric("response_size")]
    assert size == float(sys.getsizeof(result))
    assert type(size) is float


def test_hooks_get_the_function_and_its_packed_arguments() -> None:
    profiler = make_profiler(CollectingHandler())
    given = []

    def before(func, args, kwargs):
        given.append((func, args, kwargs))

    def before_root(func, args, kwargs):
        given.append((func, args, kwargs))

    def after(result, args, kwargs):
        given.append((result, args, kwargs))

    def after_root(fn_result, args, kwargs):
        given.append((fn_result, args, kwargs))

    profiler.before_func, profiler.before_root_func = before, before_root
    profiler.after_func, profiler.after_root_func = after, after_root

    def plain(first, *rest, named, **others):
        return "result"

    assert profiler.profile(plain)(1, 2, named=3, other=4) == "result"
    arguments = ((1, 2), {"named": 3, "other": 4})
    assert given == [
        (plain, *arguments),
        (plain, *arguments),
        ("result", *arguments),
        ("result", *arguments),
    ]


def test_hooks_of_a_method_get_self_among_the_arguments() -> None:
    profiler = make_profiler(CollectingHandler())
    given = []
    profiler.before_func = lambda func, args, kwargs: given.append(args)

    class Service:
        @profiler.profile
        def work(self, value):
            return value

        @classmethod
        @profiler.profile
        def of_class(cls, value):
            return value

        @staticmethod
        @profiler.profile
        def of_nobody(value):
            return value

    service = Service()
    assert [service.work(1), service.of_class(2), Service.of_nobody(3)] == [1, 2, 3]
    assert given == [(service, 1), (Service, 2), (3,)]


def test_hooks_may_change_between_calls_and_be_removed() -> None:
    profiler = make_profiler(CollectingHandler())
    seen: list[str] = []

    @profiler.profile
    def call():
        return None

    profiler.before_func = lambda func, args, kwargs: seen.append("first")
    call()
    profiler.before_func = lambda func, args, kwargs: seen.append("second")
    call()
    profiler.before_func = None
    call()
    assert seen == ["first", "second"]
    assert profiler.before_func is None


def test_any_callable_may_be_a_hook_and_is_given_back_as_it_was() -> None:
    profiler = make_profiler(CollectingHandler())
    seen: list[str] = []

    class Callable:
        def __call__(self, func, args, kwargs):
            seen.append("object")

        def method(self, func, args, kwargs):
            seen.append("method")

    hook = Callable()
    profiler.before_func = hook
    assert profiler.before_func is hook
    profiler.before_root_func = hook.method
    assert profiler.before_root_func == hook.method
    profiler.profile(lambda: None)()
    assert seen == ["method", "object"]


@pytest.mark.parametrize("name", HOOK_NAMES)
def test_what_cannot_be_a_hook_is_refused_when_assigned(name: str) -> None:
    profiler = make_profiler(CollectingHandler())

    def good(*args, **kwargs):
        return None

    async def coroutine_function(*args, **kwargs):
        return None

    setattr(profiler, name, good)
    for bad in (coroutine_function, 42, "text", lambda: None):
        with pytest.raises(TypeError, match=name):
            setattr(profiler, name, bad)
        assert getattr(profiler, name) is good


def test_operations_in_hooks_are_recorded_under_the_call() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, error_raised_label=False)
    counter = Counter("calls", JOB, "calls", {"step"})
    profiler.add_metric(counter)

    def counting(step):
        return lambda *_: counter.inc(1, {"step": step})

    profiler.before_root_func = counting("before root")
    profiler.before_func = counting("before")
    profiler.after_func = counting("after")
    profiler.after_root_func = counting("after root")

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    def outer():
        leaf()

    outer()
    recorded = [
        (record["method"], record["labels"]["step"]) for record in handler.of_metric("calls")
    ]
    assert recorded == [
        (f"{ITEM}:outer", "before root"),
        (f"{ITEM}:outer", "before"),
        (f"{ITEM}:outer.leaf", "before"),
        (f"{ITEM}:outer.leaf", "after"),
        (f"{ITEM}:outer", "after"),
        (f"{ITEM}:outer", "after root"),
    ]


def watch_exceptions(profiler, seen):
    def look(step):
        return lambda *_: seen.append((step, sys.exc_info()[1]))

    for name in HOOK_NAMES:
        setattr(profiler, name, look(name))


@pytest.mark.parametrize("error_type", [ValueError, KeyboardInterrupt, SystemExit])
def test_exit_hooks_and_handlers_see_the_exception_of_a_sync_call(
    error_type: type[BaseException],
) -> None:
    seen = []
    handler = CollectingHandler(
        on_handle=lambda records, name: seen.append((name, sys.exc_info()[1]))
    )
    profiler = make_profiler(handler)
    watch_exceptions(profiler, seen)
    error = error_type("from the call")

    @profiler.profile
    def outer():
        raise error

    with pytest.raises(error_type) as raised:
        outer()
    assert raised.value is error
    assert seen == [
        ("before_root_func", None),
        ("before_func", None),
        ("after_func", error),
        ("after_root_func", error),
        ("time_profiler", error),
    ]
    assert sys.exc_info() == (None, None, None)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_exit_hooks_and_handlers_see_the_exception_of_an_async_call(asynchronous: bool) -> None:
    seen = []

    def look(records, name):
        seen.append((name, sys.exc_info()[1]))

    async def async_look(records, name):
        look(records, name)

    if asynchronous:
        profiler = make_profiler(AsyncCollectingHandler(on_handle=async_look))
    else:
        profiler = make_profiler(CollectingHandler(on_handle=look))
    watch_exceptions(profiler, seen)
    error = ValueError("from the call")

    @profiler.profile
    async def outer():
        await asyncio.sleep(0)
        raise error

    with pytest.raises(ValueError, match="from the call") as raised:
        asyncio.run(outer())
    assert raised.value is error
    assert seen == [
        ("before_root_func", None),
        ("before_func", None),
        ("after_func", error),
        ("after_root_func", error),
        ("time_profiler", error),
    ]


def test_a_clean_call_inside_an_except_block_sees_only_the_exception_around_it() -> None:
    seen = []
    profiler = make_profiler(CollectingHandler())
    watch_exceptions(profiler, seen)
    around = ValueError("being handled")

    @profiler.profile
    def clean():
        return sys.exc_info()[1]

    try:
        raise around
    except ValueError:
        assert clean() is around
        assert sys.exc_info()[1] is around
    assert [error for _, error in seen] == [around] * 4
    seen.clear()
    assert clean() is None
    assert [error for _, error in seen] == [None] * 4


def test_a_failed_call_gives_its_exit_hooks_none_as_the_result() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    results = []
    profiler.after_func = lambda result, args, kwargs: results.append((result, args, kwargs))
    profiler.after_root_func = lambda result, args, kwargs: results.append((result, args, kwargs))

    @profiler.profile
    def fails(value, named):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fails(1, named=2)
    assert results == [(None, (1,), {"named": 2})] * 2
    assert [record["value"] for record in handler.of_metric("response_size")] == [("observe", 16.0)]
