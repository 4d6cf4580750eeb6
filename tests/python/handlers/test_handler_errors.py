"""Hooks and handlers that raise: logged with traceback, and the caller never notices."""

from __future__ import annotations

import asyncio
import logging

import pytest
from support import (
    HOOK_NAMES,
    AsyncCollectingHandler,
    CollectingHandler,
    assert_tree_at_rest,
    drive,
    make_profiler,
)

ITEM = __name__.rpartition(".")[2]


class Unusual(BaseException):
    pass


SWALLOWED = [ValueError, AssertionError, RecursionError, StopIteration, TimeoutError, MemoryError]
PASSED_ON = [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit, Unusual]


class ListHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.log_records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.log_records.append(record)

    def errors(self) -> list[BaseException]:
        """Exceptions whose traceback was logged at level ERROR or above."""
        return [
            record.exc_info[1]
            for record in self.log_records
            if record.levelno >= logging.ERROR and record.exc_info
        ]


@pytest.fixture
def log() -> ListHandler:
    handler = ListHandler()
    logger = logging.getLogger(ITEM)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    return handler


def profiler_that_logs(*handlers, **settings):
    return make_profiler(*handlers, logger=logging.getLogger(ITEM), **settings)


def raising(error):
    def body(*args, **kwargs):
        raise error

    return body


@pytest.mark.parametrize("kind", SWALLOWED)
@pytest.mark.parametrize("hook", HOOK_NAMES)
def test_a_hook_that_raises_harms_nobody(
    hook: str, kind: type[Exception], log: ListHandler
) -> None:
    handler = CollectingHandler()
    profiler = profiler_that_logs(handler, response_size_profile=True)
    error = kind("from the hook")
    setattr(profiler, hook, raising(error))

    @profiler.profile
    def outer(value):
        return value + 1

    assert outer(1) == 2
    assert log.errors() == [error]
    assert handler.methods("time_profiler") == [f"{ITEM}:outer"]
    assert handler.methods("response_size") == [f"{ITEM}:outer"]
    # The call itself did not fail.
    assert all(record["labels"] == {"error_raised": False} for record in handler.records)
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("hook", HOOK_NAMES)
def test_a_hook_that_raises_around_an_async_call(hook: str, log: ListHandler) -> None:
    handler = CollectingHandler()
    profiler = profiler_that_logs(handler)
    error = ValueError("from the hook")
    setattr(profiler, hook, raising(error))

    @profiler.profile
    async def outer(value):
        await asyncio.sleep(0)
        return value + 1

    assert asyncio.run(outer(1)) == 2
    assert log.errors() == [error]
    assert handler.methods() == [f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


def test_all_four_hooks_run_though_each_of_them_raises(log: ListHandler) -> None:
    handler = CollectingHandler()
    profiler = profiler_that_logs(handler)
    errors = {name: ValueError(name) for name in HOOK_NAMES}
    for name, error in errors.items():
        setattr(profiler, name, raising(error))

    @profiler.profile
    def outer():
        return "result"

    assert outer() == "result"
    assert log.errors() == [errors[name] for name in HOOK_NAMES]
    assert handler.methods() == [f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("hook", HOOK_NAMES)
def test_an_error_of_the_call_wins_over_one_of_a_hook(
    hook: str, fails: bool, log: ListHandler
) -> None:
    handler = CollectingHandler()
    profiler = profiler_that_logs(handler)
    setattr(profiler, hook, raising(ValueError("from the hook")))
    error = KeyError("from the call")

    @profiler.profile
    def outer():
        if fails:
            raise error

    if fails:
        with pytest.raises(KeyError) as raised:
            outer()
        assert raised.value is error
        assert error.__context__ is None
    else:
        outer()
    assert [str(logged) for logged in log.errors()] == ["from the hook"]
    assert [record["labels"]["error_raised"] for record in handler.records] == [fails]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("kind", PASSED_ON)
@pytest.mark.parametrize("hook", HOOK_NAMES)
def test_what_is_no_exception_passes_through_a_hook_once_the_tree_is_right(
    hook: str, kind: type[BaseException], log: ListHandler
) -> None:
    profiler = profiler_that_logs(CollectingHandler())
    error = kind("from the hook")
    called: list[str] = []

    @profiler.profile
    def outer():
        called.append("outer")

    @profiler.profile
    async def async_outer():
        called.append("async_outer")

    setattr(profiler, hook, raising(error))
    with pytest.raises(kind) as raised:
        outer()
    assert raised.value is error
    assert_tree_at_rest(profiler)
    with pytest.raises(kind) as raised:
        drive(async_outer())
    assert raised.value is error
    assert_tree_at_rest(profiler)
    assert called == ([] if hook.startswith("before") else ["outer", "async_outer"])


@pytest.mark.parametrize("kind", PASSED_ON)
def test_what_is_no_exception_passes_through_a_nested_hook(kind: type[BaseException]) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    error = kind("from the hook")

    def before(func, args, kwargs):
        if func.__name__ == "leaf":
            raise error

    profiler.before_func = before

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    def outer():
        node = profiler.curr_node.get()
        try:
            leaf()
        finally:
            assert profiler.curr_node.get() is node
            assert list(node.children) == []

    with pytest.raises(kind) as raised:
        outer()
    assert raised.value is error
    assert handler.methods()[-1] == f"{ITEM}:outer"
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("kind", SWALLOWED)
def test_a_handler_that_raises_harms_nobody(kind: type[Exception], log: ListHandler) -> None:
    error = kind("from the handler")
    first, second = CollectingHandler("first"), CollectingHandler("second")
    bad = CollectingHandler("bad", on_handle=raising(error))
    profiler = profiler_that_logs(first, bad, second)

    @profiler.profile
    def outer():
        return "result"

    assert outer() == "result"
    assert log.errors() == [error]
    assert outer() == "result"
    # The others get every batch, once.
    assert first.methods() == second.methods() == [f"{ITEM}:outer"] * 2
    assert_tree_at_rest(profiler)


def test_every_handler_that_fails_is_logged(log: ListHandler) -> None:
    bad = CollectingHandler("bad", on_handle=raising(ValueError("from the handler")))
    worse = CollectingHandler("worse", on_handle=raising(KeyError("from the other")))
    good = CollectingHandler("good")
    profiler = profiler_that_logs(bad, worse, good, response_size_profile=True)

    @profiler.profile
    def outer():
        return None

    outer()
    # Two metrics, two handlers: a line for each handler, and no more than one for a batch.
    logged = [type(error) for error in log.errors()]
    assert set(logged) == {ValueError, KeyError}
    assert len(logged) <= 4
    assert [name for name, _ in good.batches] == ["response_size", "time_profiler"]


def test_a_failing_handler_does_not_hide_the_error_of_the_call(log: ListHandler) -> None:
    good = CollectingHandler("good")
    bad = CollectingHandler("bad", on_handle=raising(ValueError("from the handler")))
    profiler = profiler_that_logs(bad, good)
    error = KeyError("from the call")

    @profiler.profile
    def outer():
        raise error

    with pytest.raises(KeyError) as raised:
        outer()
    assert raised.value is error
    assert error.__context__ is None
    assert [str(logged) for logged in log.errors()] == ["from the handler"]
    assert good.methods() == [f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("kind", SWALLOWED)
def test_an_async_handler_that_raises_harms_nobody(kind: type[Exception], log: ListHandler) -> None:
    async def fail(records, name):
        await asyncio.sleep(0)
        raise kind("from the handler")

    good = AsyncCollectingHandler("good")
    plain = CollectingHandler("plain")
    profiler = profiler_that_logs(AsyncCollectingHandler("bad", on_handle=fail), good, plain)

    @profiler.profile
    async def outer():
        return "result"

    assert asyncio.run(outer()) == "result"
    assert len(log.errors()) == 1
    assert good.methods() == plain.methods() == [f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("kind", PASSED_ON)
def test_what_is_no_exception_passes_through_a_handler_once_the_tree_is_right(
    kind: type[BaseException],
) -> None:
    error = kind("from the handler")
    handler = CollectingHandler(on_handle=raising(error))
    profiler = make_profiler(handler)

    @profiler.profile
    def outer():
        return None

    @profiler.profile
    async def async_outer():
        return None

    with pytest.raises(kind) as raised:
        outer()
    assert raised.value is error
    assert_tree_at_rest(profiler)
    with pytest.raises(kind) as raised:
        drive(async_outer())
    assert raised.value is error
    assert_tree_at_rest(profiler)
    # The profiler works on.
    handler.on_handle = None
    outer()
    assert f"{ITEM}:outer" in handler.methods()
    assert_tree_at_rest(profiler)


def test_errors_go_to_the_packages_own_logger_when_none_was_given(
    caplog: pytest.LogCaptureFixture,
) -> None:
    profiler = make_profiler(CollectingHandler(on_handle=raising(ValueError("from the handler"))))
    profiler.before_func = raising(KeyError("from the hook"))

    @profiler.profile
    def outer():
        return None

    with caplog.at_level(logging.DEBUG, "phanos.publisher"):
        outer()
    logged = [record for record in caplog.records if record.exc_info]
    assert [record.name for record in logged] == ["phanos.publisher"] * 2
    assert [type(record.exc_info[1]) for record in logged] == [KeyError, ValueError]
    assert all(record.levelno == logging.ERROR for record in logged)
    assert all(record.getMessage().startswith("phanos - ") for record in logged)


def test_the_log_names_the_handler_and_the_hook_that_failed(log: ListHandler) -> None:
    bad = CollectingHandler("the-bad-one", on_handle=raising(ValueError("from the handler")))
    profiler = profiler_that_logs(bad)
    profiler.after_func = raising(KeyError("from the hook"))

    @profiler.profile
    def outer():
        return None

    outer()
    messages = [record.getMessage() for record in log.log_records if record.exc_info]
    assert len(messages) == 2
    assert "after_func" in messages[0]
    assert "the-bad-one" in messages[1]
