"""Handlers and hooks that `mock` makes from a specification."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from phanos import publisher
from support import CollectingHandler, make_profiler

CONFIGURED = {
    "job": "TEST",
    "handlers": {"made": {"class": "phanos.publisher.StreamHandler", "handler_name": "made"}},
}


def of_class(spec: Any) -> Any:
    handler = mock.create_autospec(spec, instance=True)
    handler.handler_name = "mocked"
    return handler


def with_handle(handle: Any) -> Any:
    handler = CollectingHandler("mocked")
    handler.handle = handle  # type: ignore[method-assign]
    return handler


SYNCHRONOUS = [
    pytest.param(lambda: of_class(publisher.SyncBaseHandler), id="SyncBaseHandler"),
    pytest.param(lambda: of_class(publisher.StreamHandler), id="StreamHandler"),
    pytest.param(lambda: of_class(publisher.ImpProfHandler), id="ImpProfHandler"),
    pytest.param(
        lambda: with_handle(mock.create_autospec(CollectingHandler().handle)), id="its handle"
    ),
    pytest.param(lambda: with_handle(mock.MagicMock()), id="MagicMock"),
]


@pytest.mark.parametrize("make", SYNCHRONOUS)
def test_a_mock_of_a_synchronous_handler_is_synchronous(make: Callable[[], Any]) -> None:
    handler = make()
    profiler = make_profiler()
    profiler.config(job="TEST")
    profiler.add_handler(handler)
    profiler.profile(lambda: None)()
    [call] = handler.handle.call_args_list
    records, name = call.args
    assert (len(records), name) == (1, "time_profiler")


def test_a_patched_handler_class_in_settings() -> None:
    with mock.patch("phanos.publisher.StreamHandler", autospec=True) as made:
        made.return_value.handler_name = "made"
        profiler = publisher.Profiler()
        profiler.dict_config(CONFIGURED)
        profiler.profile(lambda: None)()
    made.return_value.handle.assert_called_once()


@pytest.mark.parametrize("spec", [publisher.AsyncBaseHandler, publisher.AsyncImpProfHandler])
def test_a_mock_of_an_asynchronous_handler_is_awaited(spec: Any) -> None:
    handler = of_class(spec)
    profiler = make_profiler(handler)

    @profiler.profile
    async def call() -> None:
        pass

    asyncio.run(call())
    handler.handle.assert_awaited_once()
    with pytest.raises(ValueError, match="is asynchronous"):
        profiler.config(job="TEST")


def test_a_mock_of_a_method_can_be_a_hook() -> None:
    class Hooks:
        def before(self, func: Any, args: Any, kwargs: Any) -> None:
            """What the mock is made from."""

    hooks = mock.create_autospec(Hooks, instance=True)
    profiler = make_profiler(CollectingHandler())
    profiler.before_func = hooks.before
    profiler.profile(lambda: None)()
    hooks.before.assert_called_once()
