"""Code of a user of the library: it must pass a strict type check, and it must run."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import io
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import Any

import phanos
from phanos import metrics, publisher
from phanos.handlers import (
    AsyncBaseHandler,
    AsyncImpProfHandler,
    ImpProfHandler,
    LoggerHandler,
    NamedLoggerHandler,
    OutputFormatter,
    StreamHandler,
    SyncBaseHandler,
)
from phanos.messaging import BlockingPublisher
from phanos.testing import Recording, recording
from phanos.tree import MethodTreeNode
from phanos.types import Record


@phanos.profile
def plain(a: int, b: str = "b", *, c: bool) -> list[int]:
    return [a] if c else [len(b)]


@phanos.profile(name="named")
def named(a: int) -> str:
    return str(a)


@phanos.profile
def variadic(*numbers: float, **names: str) -> float:
    return sum(numbers) + len(names)


@phanos.profiler.profile
async def later(a: int, *, b: str = "b") -> str:
    return b * a


@phanos.profile
def numbers(count: int) -> Iterator[int]:
    yield from range(count)


@phanos.profile
def conversation(start: int) -> Generator[int, str, bool]:
    return (yield start) == "stop"


@phanos.profile
async def numbers_later(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


class Service:
    def __init__(self, offset: int) -> None:
        self.offset = offset

    @phanos.profile
    def fetch(self, key: str, *, default: int = 0) -> int:
        return self.offset + default + len(key)

    @phanos.profile
    async def fetch_later(self, key: str) -> bytes:
        return key.encode()

    @staticmethod
    @phanos.profile
    def static(key: str) -> str:
        return key

    @classmethod
    @phanos.profile
    def make(cls, offset: int) -> Service:
        return cls(offset)

    @property
    @phanos.profile
    def shown(self) -> str:
        return str(self.offset)

    @functools.cached_property
    @phanos.profile
    def cached(self) -> float:
        return self.offset / 2


class KeepingHandler(SyncBaseHandler):
    def __init__(self, handler_name: str) -> None:
        super().__init__(handler_name)
        self.kept: list[tuple[str, str]] = []

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        self.kept.extend((profiler_name, record["method"]) for record in records)


class AsyncKeepingHandler(AsyncBaseHandler):
    @classmethod
    async def create(cls, handler_name: str, *args: Any, **kwargs: Any) -> AsyncKeepingHandler:
        return cls(handler_name)

    async def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        await asyncio.sleep(0)


class UpperFormatter(OutputFormatter):
    @staticmethod
    def record_to_str(name: str, record: Record) -> str:
        return OutputFormatter.record_to_str(name, record).upper()


class CustomMetric(metrics.Counter):
    def __init__(self, name: str, job: str, units: str, labels: set[str]) -> None:
        super().__init__(name, job, units, labels)
        self.count = 0

    def custom_op(self, value: int = 0, label_values: dict[str, str] | None = None) -> None:
        self.count += value
        self.inc(self.count, label_values)

    def cleanup(self) -> None:
        super().cleanup()
        self.count = 0


class DecoratedMetric(metrics.Histogram):
    @metrics.StoreOperationDecorator
    def twice(
        self,
        value: float,
        current_node: MethodTreeNode,
        label_values: dict[str, Any] | None = None,
    ) -> None:
        if value < 0:
            raise metrics.InvalidValueError("negative")
        self.values.append(("twice", value * 2))


def before(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert func.__name__, (args, kwargs)


def after(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert result is not before, (args, kwargs)


def every_operation() -> None:
    node = phanos.profiler.curr_node.get()
    counter = metrics.Counter("counter", "JOB", "units", {"place"})
    metrics.Counter("unlabelled", "JOB", "units").inc(1)
    counter.inc(1.5, {"place": "here"})
    counter.inc(1, node, {"place": "here"})
    counter.inc(1, current_node=node, label_values={"place": "here"})
    counter.inc(1, label_values={"place": "here"})
    gauge = metrics.Gauge("gauge", "JOB", "units")
    gauge.inc(1)
    gauge.dec(1)
    gauge.set(-1.5)
    metrics.Histogram("histogram", "JOB", "units").observe(1)
    metrics.Summary("summary", "JOB", "units").observe(1.0)
    metrics.Info("info", "JOB").info_({"version": "1"})
    metrics.Enum("enum", "JOB", {"on", "off"}).state("on")
    counter.store_operation(
        operation="inc", method=str(node.ctx), value=1.0, label_values={"place": "here"}
    )
    custom = CustomMetric("custom", "JOB", "units", {"place"})
    custom.custom_op(2, {"place": "here"})
    decorated = DecoratedMetric("decorated", "JOB", "units")
    decorated.twice(2.0, node, {})
    assert custom.values[0] == ("inc", 2.0)
    assert list(custom.method) == [""]
    assert len(custom.label_values) == 1
    records = custom.to_records()
    assert records is not None
    assert records[0]["units"] == "units"
    assert custom.label_names == {"place"}


def configure(profiler: publisher.Profiler) -> KeepingHandler:
    logger = logging.getLogger("downstream")
    profiler.config(logger, True, True, True)
    profiler.config(
        job="JOB",
        sample_rate=0.5,
        names="qualified",
        fold_recursion=True,
        max_depth=9,
        max_paths=100,
        time_decimals=6,
        response_size_of="body",
        ignored_errors=(LookupError, ValueError),
    )
    profiler.config(ignored_errors=lambda error: isinstance(error, LookupError))
    profiler.config(logger, "JOB", time_profile=True, error_raised_label=False)
    settings: dict[str, Any] = {
        "job": "JOB",
        "handlers": {"key": {"class": StreamHandler, "handler_name": "s", "output": io.StringIO()}},
    }
    profiler.dict_config(settings)
    handler = KeepingHandler("keeping")
    stream = StreamHandler("stream", io.StringIO())
    stream.formatter = UpperFormatter()
    profiler.add_handler(handler)
    profiler.add_handler(stream)
    profiler.addHandler(LoggerHandler("logger", logger, logging.DEBUG))
    profiler.add_handler(NamedLoggerHandler("named", "downstream", level=logging.DEBUG))
    named_again: StreamHandler = profiler.get_handler("stream", StreamHandler)
    kept: KeepingHandler = profiler.get_handler("keeping", KeepingHandler)
    assert named_again is stream
    assert kept is handler
    for one in profiler.handlers.values():
        name: str = one.handler_name
        assert profiler.get_handler(name) is one
        if isinstance(one, LoggerHandler):
            level: int = one.level
            assert level == logging.DEBUG
    profiler.add_metric(CustomMetric("custom", "JOB", "units", {"place"}))
    profiler.before_func = before
    profiler.before_root_func = before
    profiler.after_func = after
    profiler.after_root_func = after
    return handler


async def configure_later(profiler: publisher.Profiler) -> None:
    profiler.async_config(None, "JOB")
    await profiler.async_dict_config({"job": "JOB"})
    profiler.add_handler(AsyncKeepingHandler("async"))
    profiler.add_handler(await AsyncKeepingHandler.create("created"))
    assert await profiler.aflush(timeout_s=1.0)


class BrokerHandler(ImpProfHandler):
    def __init__(self, handler_name: str, **arguments: Any) -> None:
        super().__init__(handler_name, "broker", logger="downstream", **arguments)


async def deliver(profiler: publisher.Profiler, arguments: dict[str, Any]) -> None:
    ImpProfHandler("handler", "broker", 5672, "user", "password", 47, 23, 0.5, 3, "profiling")
    profiler.add_handler(ImpProfHandler(handler_name="handler", host="broker", synchronous=True))
    profiler.add_handler(BrokerHandler("handler", ssl_options={"ca_file": "ca.pem"}))
    handler = await AsyncImpProfHandler.create("handler", port=5671, ssl_options=True)
    profiler.add_handler(handler)
    assert await handler.flush(timeout=1.0)
    assert BlockingPublisher(host="broker", virtual_host="/", **arguments).publish([])


async def use_later() -> None:
    assert await later(2, b="b") == "bb"
    assert await Service(1).fetch_later("key") == b"key"
    assert [number async for number in numbers_later(2)] == [0, 1]
    await configure_later(publisher.Profiler())


def use() -> None:
    handler = configure(phanos.profiler)
    assert plain(1, c=True) == [1]
    assert variadic(1, 2.5, name="n") == 4.5
    assert list(numbers(2)) == [0, 1]
    service = Service.make(1)
    assert service.fetch("key", default=2) == 6
    assert Service.static("key") == "key"
    assert (service.shown, service.cached) == ("1", 0.5)
    assert next(conversation(3)) == 3
    every_operation()
    assert phanos.profiler.flush(timeout_s=1.0)
    assert ("time_profiler", "Service:fetch") in handler.kept
    asyncio.run(use_later())


if sys.version_info >= (3, 11):
    from typing import assert_type

    async def inferred(service: Service, profiler: publisher.Profiler) -> None:
        assert_type(plain(1, "b", c=True), list[int])
        assert_type(variadic(1, name="n"), float)
        # The checkers name a coroutine's own type differently; what it gives is the same.
        coroutine: Coroutine[Any, Any, str] = later(1)
        assert_type(await coroutine, str)
        assert_type(numbers(1), Iterator[int])
        assert_type(conversation(1), Generator[int, str, bool])
        assert_type(numbers_later(1), AsyncIterator[int])
        assert_type(service.fetch("key", default=1), int)
        assert_type(Service.fetch(service, "key"), int)
        assert_type(await service.fetch_later("key"), bytes)
        assert_type(Service.static("key"), str)
        assert_type(Service.make(1), Service)
        assert_type(service.shown, str)
        assert_type(service.cached, float)
        assert_type(profiler.profile(len)([1]), int)
        assert_type(profiler.curr_node, contextvars.ContextVar[MethodTreeNode])
        assert_type(profiler.curr_node.get().ctx.value, str)
        assert_type(profiler.job, str)
        assert_type(profiler.handle_records, bool)
        assert_type(profiler.error_raised_label, bool)
        assert_type(profiler.metrics["name"], metrics.MetricWrapper)
        assert_type(profiler.time_profile, metrics.TimeProfiler | None)
        assert_type(profiler.resp_size_profile, metrics.ResponseSize | None)
        assert_type(profiler.get_records_count(), int)
        assert_type(profiler.flush(), bool)
        assert_type(await profiler.aflush(), bool)
        assert_type(profiler.tree.root, MethodTreeNode)
        assert_type(profiler.tree.root.parent, MethodTreeNode | None)
        assert_type(phanos.profiler, publisher.Profiler)
        assert_type(named(1), str)
        assert_type(profiler.sample_rate, float)
        assert_type(profiler.stats(), dict[str, Any])
        with recording(profiler) as calls:
            assert_type(calls, Recording)
            assert_type(calls.times("named"), int)
            calls.at_most({"named": 1}, plain=2)


if __name__ == "__main__":
    use()
