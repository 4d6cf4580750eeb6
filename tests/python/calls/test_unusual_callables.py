"""Profiled mocks, and generators that `types.coroutine` made awaitable."""

from __future__ import annotations

import asyncio
import functools
import inspect
import types
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from phanos import publisher
from support import CollectingHandler, assert_tree_at_rest, drive, make_profiler, path_of

ITEM = __name__.rpartition(".")[2]


@pytest.fixture(params=[False, True], ids=["native", "own steps"])
def profiler(request, handler):
    """A profiler that takes the steps of a call natively, or in Python."""
    profiler = make_profiler(handler)
    if request.param:

        class OwnExt(publisher.SyncExtProfiler):
            def sync_inner(self, func: Any, *args: Any, **kwargs: Any) -> Any:
                return super().sync_inner(func, *args, **kwargs)

        profiler.profile_ext = OwnExt(profiler)
    return profiler


def of_function(argument: int, *, key: str = "") -> None:
    """What a mock imitates."""


class OfClass:
    """What a mock imitates too."""

    def method(self, argument: int, *, key: str = "") -> None:
        """What the mock has one of."""


MAKE_MOCKS = [
    pytest.param(mock.Mock, "Mock", id="Mock"),
    pytest.param(mock.MagicMock, "MagicMock", id="MagicMock"),
    pytest.param(lambda: mock.Mock(name="called"), "Mock", id="with a name to print"),
    pytest.param(lambda: mock.Mock(__name__="known"), "known", id="with a __name__"),
    pytest.param(lambda: mock.Mock(spec=of_function), "Mock", id="that says it is a function"),
    pytest.param(lambda: mock.create_autospec(of_function), "of_function", id="autospec"),
    pytest.param(
        lambda: mock.create_autospec(OfClass, instance=True).method, "MagicMock", id="of a method"
    ),
]


@pytest.mark.parametrize(("make", "name"), MAKE_MOCKS)
def test_a_mock(
    make: Callable[[], Any], name: str, profiler: Any, handler: CollectingHandler
) -> None:
    mocked = make()
    mocked.return_value = "result"
    profiled = profiler.profile(mocked)
    assert profiled(1, key="x") == "result"
    mocked.assert_called_once_with(1, key="x")
    [record] = handler.records
    assert record["method"].rpartition(":")[2] == name
    assert record["labels"] == {"error_raised": False}
    assert_tree_at_rest(profiler)


def test_what_a_mock_says_can_be_asked_of_the_decorated_one(profiler: Any) -> None:
    mocked = mock.Mock()
    profiled = profiler.profile(mocked)
    profiled(1)
    profiled.assert_called_once_with(1)
    assert profiled.call_count == 1
    assert profiled.__wrapped__ is mocked
    assert not inspect.iscoroutinefunction(profiled)
    assert not inspect.isgeneratorfunction(profiled)


def test_a_mock_with_a_side_effect(profiler: Any, handler: CollectingHandler) -> None:
    paths: list[str] = []
    mocked = mock.Mock(side_effect=lambda: paths.append(path_of(profiler)))
    profiled = profiler.profile(mocked)
    profiled()
    assert paths == handler.methods()
    mocked.side_effect = error = ValueError("from the mock")
    with pytest.raises(ValueError, match="from the mock") as raised:
        profiled()
    assert raised.value is error
    assert [record["labels"]["error_raised"] for record in handler.records] == [False, True]
    assert_tree_at_rest(profiler)


def test_an_asynchronous_mock(profiler: Any, handler: CollectingHandler) -> None:
    mocked = mock.AsyncMock(return_value="result")
    profiled = profiler.profile(mocked)
    assert inspect.iscoroutinefunction(profiled)
    coroutine = profiled(1)
    assert inspect.iscoroutine(coroutine)
    assert handler.batches == []
    assert drive(coroutine) == "result"
    mocked.assert_awaited_once_with(1)
    assert len(handler.records) == 1
    assert_tree_at_rest(profiler)


@types.coroutine
def plain_old_style(value: Any, profiler: publisher.Profiler) -> Any:
    yield from asyncio.sleep(0).__await__()
    return value, path_of(profiler)


def above(profiler: publisher.Profiler) -> Callable[..., Any]:
    @types.coroutine
    @profiler.profile
    def old_style(value: Any, profiler: publisher.Profiler) -> Any:
        yield from asyncio.sleep(0)  # It may delegate to coroutines, which others may not.
        return value, path_of(profiler)

    return old_style


MAKE_OLD_STYLE = [
    pytest.param(lambda profiler: profiler.profile(plain_old_style), id="profile above"),
    pytest.param(above, id="types.coroutine above"),
    pytest.param(
        lambda profiler: profiler.profile(functools.partial(plain_old_style, profiler=profiler)),
        id="partial",
    ),
]


@pytest.mark.parametrize("make", MAKE_OLD_STYLE)
def test_a_generator_that_types_coroutine_made_awaitable(
    make: Callable[..., Any], profiler: Any, handler: CollectingHandler
) -> None:
    old_style = make(profiler)
    assert inspect.isgeneratorfunction(old_style)
    assert not inspect.iscoroutinefunction(old_style)
    name = old_style.__name__

    @profiler.profile
    async def outer() -> Any:
        made = old_style("result", profiler=profiler)
        assert inspect.isawaitable(made)
        assert inspect.isgenerator(made)
        assert made.__name__ == name
        return await made

    path = f"{ITEM}:outer.{name}"
    assert asyncio.run(outer()) == ("result", path)
    assert handler.methods() == [path, f"{ITEM}:outer"]
    with pytest.raises(TypeError, match="value"):
        old_style(profiler=profiler)
    assert_tree_at_rest(profiler)


def test_code_that_is_assigned_is_run(profiler: Any, handler: CollectingHandler) -> None:
    @profiler.profile
    def before() -> str:
        return "before"

    def after() -> str:
        return "after"

    before.__code__ = after.__code__
    assert before() == "after"
    assert before.__code__ is after.__code__
    with pytest.raises(TypeError, match="code"):
        before.__code__ = None
    assert before() == "after"
    assert len(handler.records) == 2


def test_a_builtin_gets_code_as_any_attribute(profiler: Any) -> None:
    profiled = profiler.profile(len)
    profiled.__code__ = "anything"
    assert profiled.__code__ == "anything"
    del profiled.__code__
    assert profiled([1]) == 1


def test_types_coroutine_of_a_function_that_returns_an_awaitable(
    profiler: Any, handler: CollectingHandler
) -> None:
    async def inner() -> str:
        return "result"

    @profiler.profile
    @types.coroutine
    def returning() -> Any:
        return inner()

    @types.coroutine
    @profiler.profile
    def returning_below() -> Any:
        return inner()

    async def outer() -> Any:
        return await returning(), await returning_below()

    assert asyncio.run(outer()) == ("result", "result")
    assert [method.rpartition(".")[2] for method in handler.methods()] == [
        f"{ITEM}:returning",
        f"{ITEM}:returning_below",
    ]
    assert_tree_at_rest(profiler)
