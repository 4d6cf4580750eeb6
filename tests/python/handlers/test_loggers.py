"""Loggers of other libraries, and any object with a method `log`, wherever phanos takes one."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from collections.abc import Callable
from typing import Any

import loguru
import pytest
import structlog
from phanos import log, messaging, metrics, publisher, tree
from support import (
    DEADLINE_S,
    AsyncCollectingHandler,
    CollectingHandler,
    drive,
    make_profiler,
)

MODULE = __name__


class OnlyLog:
    """Has nothing but `log`, and takes no arguments beyond level and text."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, level: int, text: str) -> None:
        assert isinstance(level, int)
        self.lines.append(text)

    def text(self) -> str:
        return "\n".join(self.lines)


class Loguru:
    """loguru's logger, with what it wrote."""

    def __init__(self) -> None:
        self.output = io.StringIO()
        self.logger = loguru.logger
        self.logger.remove()
        self.logger.add(self.output, format="{message}", level=0)

    def text(self) -> str:
        return self.output.getvalue()


class Structlog:
    """structlog's logger, with what it wrote."""

    def __init__(self) -> None:
        self.output = io.StringIO()
        self.logger = structlog.wrap_logger(
            structlog.PrintLogger(self.output),
            processors=[structlog.processors.KeyValueRenderer(key_order=["event"])],
            wrapper_class=structlog.make_filtering_bound_logger(0),
        )

    def text(self) -> str:
        # The text is written as a literal, in which quotation marks and breaks are escaped.
        return self.output.getvalue().replace("\\n", "\n").replace("\\'", "'")


class Own:
    def __init__(self) -> None:
        self.logger = OnlyLog()

    def text(self) -> str:
        return self.logger.text()


@pytest.fixture(params=[Own, Loguru, Structlog])
def written(request: pytest.FixtureRequest) -> Any:
    return request.param()


def counting(profiler: publisher.Profiler) -> Callable[[], None]:
    metric = metrics.Counter("a_counter", "TEST", "units", {"place"})
    profiler.add_metric(metric)

    @profiler.profile
    def count() -> None:
        metric.inc(1, {"place": "{here} 100%s"})

    return count


LINE = (
    f"profiler: a_counter, method: {MODULE}:count, value: 1.0 units, labels: place={{here}} 100%s"
)


def test_records_are_logged(written: Any) -> None:
    handler = publisher.LoggerHandler("log", written.logger, logging.INFO)
    profiler = make_profiler(handler, time_profile=False, error_raised_label=False)
    counting(profiler)()
    handler.handle([{**record(), "labels": {"place": "again {there}"}}], "a_counter")
    assert LINE in written.text()
    assert "place=again {there}" in written.text()


def test_what_a_profiler_has_to_say(written: Any) -> None:
    profiler = make_profiler(logger=written.logger)

    class Failing(publisher.SyncBaseHandler):
        def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            raise ValueError("{what} 100%s")

    profiler.add_handler(Failing("fails {here}"))
    profiler.profile(lambda: None)()
    assert "phanos - handler 'fails {here}' raised ValueError" in written.text()
    assert "Traceback (most recent call last)" in written.text()
    assert "ValueError: {what} 100%s" in written.text()
    profiler.warning("%s of %d", "one", 2)
    assert "phanos - one of 2" in written.text()


def test_what_metrics_trees_and_nodes_have_to_say(written: Any) -> None:
    metric = metrics.Counter("a_counter", "TEST", "units", logger=written.logger)
    metric.inc(-1)
    assert "metric 'a_counter' operation 'inc' accepts only real numbers >= 0" in written.text()
    context_tree = tree.ContextTree(written.logger)
    context_tree.delete_node(context_tree.root)
    assert "the root node cannot be deleted" in written.text()
    tree.MethodTreeNode(None, written.logger).error("a node's line")
    assert "phanos - a node's line" in written.text()
    mixin = log.InstanceLoggerMixin(logged_name="100%", logger=written.logger)
    try:
        raise KeyError("{missing}")
    except KeyError:
        mixin.exception("has failed")
    assert "100% - has failed" in written.text()
    assert "KeyError: '{missing}'" in written.text()


def test_what_publishers_have_to_say(written: Any) -> None:
    made = messaging.BlockingPublisher(port=1, retry=0, logger=written.logger)
    with pytest.raises(messaging.RabbitMQError):
        made.publish([record()])
    made.reconnect(silent=True)
    assert re.search(
        "BlockingPublisher - connection failed on RabbitMQ(Refused)?Error", written.text()
    )
    with pytest.raises(RuntimeError):
        publisher.ImpProfHandler("rabbit", port=1, retry=0, logger=written.logger)
    assert "ImpProfHandler cannot connect to RabbitMQ because of" in written.text()


def test_values_that_json_cannot_hold(written: Any) -> None:
    handler = publisher.AsyncImpProfHandler("rabbit", port=1, logger=written.logger)
    kind = type(f"KindOf{type(written).__name__}", (), {})  # Each kind is told of once a minute.
    handler._enqueue([{**record(), "labels": {"kind": kind()}}], "a_counter")
    assert "JSON cannot hold" in written.text()
    assert kind.__name__ in written.text()
    failed = {**record(), "labels": {"error_raised": True}}
    handler._enqueue([failed], "a_counter")
    assert "labels: error_raised=True" in written.text()
    asyncio.run(handler.close(0))


def test_failed_calls_of_a_handler_for_rabbitmq(written: Any) -> None:
    handler = publisher.AsyncImpProfHandler("rabbit", port=1, logger=written.logger)
    profiler = make_profiler(handler)

    @profiler.profile
    def failing() -> None:
        raise ValueError("expected")

    with pytest.raises(ValueError, match="expected"):
        failing()
    assert f"method: {MODULE}:failing" in written.text()
    assert "error_raised=True" in written.text()
    asyncio.run(handler.close(0))


@pytest.mark.parametrize("logger", [5, object(), "", [], {"log": print}])
def test_what_cannot_log_is_refused(logger: Any) -> None:
    makers: list[Callable[[], Any]] = [
        lambda: publisher.Profiler().config(logger=logger),
        lambda: publisher.LoggerHandler("log", logger),
        lambda: messaging.BlockingPublisher(logger=logger),
    ]
    if logger == "":
        makers = makers[1:2]  # Elsewhere it is the name of the root logger.
    for make in makers:
        with pytest.raises(TypeError, match=r"logger.* got .*, which has no method log"):
            make()


def test_a_logger_that_says_no_gets_nothing() -> None:
    class Disabled(OnlyLog):
        def isEnabledFor(self, level: int) -> bool:
            return False

    logger: Any = Disabled()
    profiler = make_profiler(publisher.LoggerHandler("log", logger))
    profiler.profile(lambda: None)()
    profiler.handlers["log"].handle([record()], "a_counter")
    publisher.log_error_profiling(
        "a_counter",
        publisher.OutputFormatter(),
        logger,
        [{**record(), "labels": {"error_raised": True}}],
    )
    assert logger.lines == []


def test_levels_are_the_loggers_own(written: Any) -> None:
    if isinstance(written, Loguru):
        publisher.LoggerHandler("log", written.logger, "SUCCESS").handle([record()])  # type: ignore[arg-type]
        assert "method: A:root" in written.text()
    with pytest.raises(TypeError, match="expects an int as level"):
        publisher.LoggerHandler("log", logging.getLogger("a_logger"), "INFO")  # type: ignore[arg-type]


class FullDisk:
    """What a profiler has to say cannot be written."""

    def __init__(self) -> None:
        self.lines = 0
        self.is_full = False

    def log(self, *_: Any, **__: Any) -> None:
        if not self.is_full:
            return
        self.lines += 1
        raise OSError("no space left on device")

    def isEnabledFor(self, level: int) -> bool:
        raise OSError("no space left on device")


class FailingAsync(publisher.AsyncBaseHandler):
    """Has an attribute to show that it was called; always raises."""

    calls = 0

    @classmethod
    async def create(cls, handler_name: str, *_: Any, **__: Any) -> FailingAsync:
        return cls(handler_name)

    async def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        self.calls += 1
        raise ValueError("handler")


def run_in_time(main: Any) -> Any:
    return asyncio.run(asyncio.wait_for(main, DEADLINE_S))


@pytest.mark.parametrize("run", [run_in_time, drive])
def test_a_logger_that_raises_keeps_no_coroutine_waiting(run: Callable[..., Any]) -> None:
    logger: Any = FullDisk()
    failing, after = FailingAsync("fails"), AsyncCollectingHandler()
    profiler = make_profiler(failing, after, logger=logger)

    @profiler.profile
    async def call() -> int:
        return 1

    async def main() -> list[int]:
        return [await call(), await call()]

    logger.is_full = True
    assert run(main()) == [1, 1]
    assert (failing.calls, len(after.records)) == (2, 2)
    assert logger.lines > 0


def test_a_logger_that_raises_ends_nothing() -> None:
    logger: Any = FullDisk()

    def fail(*_: Any) -> None:
        raise ValueError

    class Failing(publisher.SyncBaseHandler):
        def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            raise ValueError

    collecting = CollectingHandler()
    profiler = make_profiler(Failing("fails"), collecting, logger=logger)
    count = counting(profiler)
    profiler.before_func = profiler.after_func = fail
    handler = publisher.LoggerHandler("log", logger)
    profiler.add_handler(handler)
    logger.is_full = True
    profiler.metrics["a_counter"].store_operation("unknown")
    count()
    assert collecting.counts() == {f"{MODULE}:count": 2}
    publisher.log_error_profiling(
        "a_counter",
        publisher.OutputFormatter(),
        logger,
        [{**record(), "labels": {"error_raised": True}}],
    )


def record() -> Any:
    return {
        "item": "A",
        "metric": "counter",
        "units": "units",
        "job": "JOB",
        "method": "A:root",
        "labels": {},
        "value": ("inc", 1.0),
    }
