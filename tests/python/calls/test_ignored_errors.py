"""`ignored_errors`: exceptions that are normal answers are not labelled as errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from phanos import publisher
from support import CollectingHandler, assert_tree_at_rest, make_profiler


class NotFoundError(Exception):
    """As of Werkzeug."""

    code = 404


class OwnSteps(publisher.SyncExtProfiler):
    """Takes the steps of a call in Python."""

    def sync_inner(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        return super().sync_inner(func, *args, **kwargs)


def calls(profiler: publisher.Profiler) -> list[Callable[[type[BaseException]], None]]:
    """A function, a coroutine function and a generator function that raise what they are given."""

    @profiler.profile
    def plain(error: type[BaseException]) -> None:
        raise error("own")

    @profiler.profile
    async def coroutine(error: type[BaseException]) -> None:
        await asyncio.sleep(0)
        raise error("own")

    @profiler.profile
    def generator(error: type[BaseException]) -> Any:
        yield 1
        raise error("own")

    return [plain, lambda error: asyncio.run(coroutine(error)), lambda error: [*generator(error)]]


def labels(handler: CollectingHandler) -> list[bool]:
    return [record["labels"]["error_raised"] for record in handler.records]


@pytest.mark.parametrize("own_steps", [False, True])
@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize(
    "ignored",
    [NotFoundError, (KeyError, NotFoundError), [NotFoundError], lambda error: error.code == 404],
)
def test_what_is_ignored_is_no_error(
    ignored: Any, kind: int, own_steps: bool, handler: CollectingHandler
) -> None:
    profiler = make_profiler(handler, ignored_errors=ignored, response_size_profile=True)
    if own_steps:
        profiler.profile_ext = OwnSteps(profiler)
    call = calls(profiler)[kind]
    with pytest.raises(NotFoundError, match="own"):
        call(NotFoundError)
    assert labels(handler) == [False, False]
    handler.clear()
    with pytest.raises(ValueError, match="own"):
        call(ValueError)
    assert labels(handler) == [True, True]
    assert_tree_at_rest(profiler)


def test_all_are_errors_unless_asked_otherwise(handler: CollectingHandler) -> None:
    profiler = make_profiler(handler, ignored_errors=())
    with pytest.raises(NotFoundError):
        calls(profiler)[0](NotFoundError)
    assert labels(handler) == [True]


def test_a_function_that_raises_is_logged(
    handler: CollectingHandler, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(error: BaseException) -> bool:
        raise LookupError("cannot tell")

    profiler = make_profiler(handler, ignored_errors=broken)
    with pytest.raises(NotFoundError, match="own"):
        calls(profiler)[0](NotFoundError)
    assert labels(handler) == [True]
    assert "ignored_errors raised LookupError" in caplog.text


def test_an_interrupt_in_the_function_goes_on(handler: CollectingHandler) -> None:
    def interrupted(error: BaseException) -> bool:
        raise KeyboardInterrupt

    profiler = make_profiler(handler, ignored_errors=interrupted)
    with pytest.raises(KeyboardInterrupt):
        calls(profiler)[0](NotFoundError)
    assert labels(handler) == [True]
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("given", ["ValueError", 5, (ValueError, 5), int])
def test_they_are_checked(given: Any) -> None:
    with pytest.raises(TypeError, match=r"ignored_errors must be classes of exceptions, or a fun"):
        publisher.Profiler().config(ignored_errors=given)
