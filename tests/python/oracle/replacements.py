"""
What users replace in tests and plug-ins, as programs that run under 0.3.2 and under this package.

Each returns what was called, in order, as JSON can hold it; both must say the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from unittest import mock

from phanos import metrics, publisher

REPLACEMENTS: dict[str, Callable[[], Any]] = {}

RECORD: Any = {
    "item": "A",
    "metric": "counter",
    "units": "units",
    "job": "JOB",
    "method": "A:root",
    "labels": {},
    "value": ("inc", 1.0),
}


def replacement(*parameters: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """
    Register a program, once for each of the parameters if there are any.

    Its name says which public name it replaces: `name` or `name_1__what`.
    """

    def register(program: Callable[..., Any]) -> Callable[..., Any]:
        if not parameters:
            REPLACEMENTS[program.__name__] = program
        for parameter in parameters:
            given = parameter if isinstance(parameter, tuple) else (parameter,)
            name = "-".join([program.__name__, *map(str, given)])
            REPLACEMENTS[name] = lambda given=given: program(*given)
        return program

    return register


class Calls:
    """Notes calls, in order."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    def noting(self, name: str, result: Any = None) -> Callable[..., Any]:
        def noted(*args: Any, **kwargs: Any) -> Any:
            self.made.append([name, plain(args), plain(kwargs)])
            return result

        return noted

    def awaited(self, name: str, result: Any = None) -> Callable[..., Any]:
        async def noted(*args: Any, **kwargs: Any) -> Any:
            self.made.append([name, plain(args), plain(kwargs)])
            return result

        return noted


def plain(value: Any) -> Any:
    """What JSON holds of a value; the kind of any other object."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, logging.Logger):
        return f"logger {value.name}"
    return type(value).__name__


class Setting:
    """A profiler with one counter, and a root call that counts."""

    def __init__(self, *, is_async: bool = False) -> None:
        self.profiler = publisher.Profiler()
        self.arguments = {"job": "JOB", "time_profile": False, "error_raised_label": False}
        if is_async:
            self.profiler.async_config(**self.arguments)
        else:
            self.profiler.config(**self.arguments)
        self.metric = metrics.Counter("a_counter", "JOB", "units")
        self.profiler.add_metric(self.metric)

        def counted() -> str:
            node = self.profiler.curr_node.get()
            self.metric.inc(1.0, current_node=node, label_values={})
            return "counted"

        async def counted_async() -> str:
            return counted()

        self.call = self.profiler.profile(counted)
        self.call_async = self.profiler.profile(counted_async)


class Keeping(publisher.SyncBaseHandler):
    """Keeps what it gets."""

    def __init__(self, handler_name: str = "keeping") -> None:
        super().__init__(handler_name)
        self.batches: list[Any] = []

    def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        self.batches.append([plain(records), plain(profiler_name)])


def fake_publisher(calls: Calls) -> Any:
    """A publisher without a broker, as tests make one."""
    made = mock.Mock(spec=["connect", "close", "publish"])
    made.connect.side_effect = calls.noting("connect")
    made.close.side_effect = calls.noting("close")
    made.publish.side_effect = calls.noting("publish", True)
    return made


def fake_async_publisher(calls: Calls) -> Any:
    """The same for coroutines."""
    made = mock.Mock(spec=["connect", "close", "publish"])
    made.connect = calls.awaited("connect")
    made.close = calls.awaited("close")
    made.publish = calls.awaited("publish", True)
    return made
