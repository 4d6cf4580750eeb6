"""Handlers and formatters written by users, and the list of attached handlers."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Any

import pytest
from phanos import metrics, publisher
from phanos.handlers import (
    LoggerHandler,
    NamedLoggerHandler,
    OutputFormatter,
    StreamHandler,
    SyncBaseHandler,
)
from support import AsyncCollectingHandler, CollectingHandler, make_profiler

MODULE = __name__
RECORD = {
    "item": MODULE,
    "metric": "counter",
    "units": "units",
    "job": "TEST",
    "method": f"{MODULE}:count",
    "labels": {},
    "value": ("inc", 1.0),
}
LINE = f"profiler: a_counter, method: {MODULE}:count, value: 1.0 units\n"


def counting(*handlers: publisher.BaseHandler) -> tuple[publisher.Profiler, Any]:
    """A profiler and a function of it that records `RECORD` at each call."""
    profiler = make_profiler(*handlers, time_profile=False, error_raised_label=False)
    metric = metrics.Counter("a_counter", "TEST", "units")
    profiler.add_metric(metric)

    @profiler.profile
    def count() -> None:
        metric.inc(1)

    return profiler, count


def test_a_handler_of_ones_own_gets_lists_of_dicts() -> None:
    received: list[tuple[Any, str]] = []

    class Own(SyncBaseHandler):
        def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            received.append((records, profiler_name))

    _, count = counting(Own("own"))
    count()
    assert received == [([RECORD], "a_counter")]
    records = received[0][0]
    assert type(records) is list
    assert type(records[0]) is dict
    assert type(records[0]["value"]) is tuple


def test_the_name_of_the_metric_is_given_by_position() -> None:
    names: list[str] = []

    class Own(SyncBaseHandler):
        def handle(self, records: Any, differently_called: str) -> None:  # type: ignore[override]
            names.append(differently_called)

    _, count = counting(Own("own"))
    count()
    assert names == ["a_counter"]


def test_a_handler_need_not_inherit_an_init() -> None:
    class Own(SyncBaseHandler):
        def __init__(self) -> None:
            self.handler_name = "named by hand"
            self.count = 0

        def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            self.count += len(records)

    own = Own()
    profiler, count = counting(own)
    count()
    assert own.count == 1
    assert profiler.handlers == {"named by hand": own}


def test_a_subclass_of_stream_handler_can_override_handle() -> None:
    class Prefixing(StreamHandler):
        def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            self.output.write(f"{len(records)}> ")
            super().handle(records, profiler_name)

    output = io.StringIO()
    _, count = counting(Prefixing("prefixing", output))
    count()
    count()
    assert output.getvalue() == f"1> {LINE}" * 2


@pytest.mark.parametrize("base", [LoggerHandler, NamedLoggerHandler])
def test_a_subclass_of_a_logger_handler_can_override_handle(
    base: Any, caplog: pytest.LogCaptureFixture
) -> None:
    name = "test_custom_handlers.overridden"
    caplog.set_level(logging.DEBUG, name)

    class Doubling(base):  # type: ignore[misc]
        def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            super().handle([*records, *records], profiler_name)

    logger = logging.getLogger(name) if base is LoggerHandler else name
    _, count = counting(Doubling("doubling", logger))
    count()
    [entry] = caplog.records
    assert entry.getMessage() == f"{LINE}{LINE}".removesuffix("\n")


def test_a_subclass_that_overrides_nothing_writes_as_its_base() -> None:
    class Plain(StreamHandler):
        pass

    output = io.StringIO()
    _, count = counting(Plain("plain", output))
    count()
    assert output.getvalue() == LINE


@pytest.mark.parametrize("when", ["before", "after"])
def test_handle_assigned_to_an_instance_is_called(when: str) -> None:
    output = io.StringIO()
    handler = StreamHandler("stream", output)
    received: list[tuple[Any, str]] = []

    def handle(records: Any, profiler_name: str = "profiler") -> None:
        received.append((records, profiler_name))

    if when == "before":
        handler.handle = handle  # type: ignore[method-assign]
    _, count = counting(handler)
    if when == "after":
        count()
        assert output.getvalue() == LINE
        handler.handle = handle  # type: ignore[method-assign]
    count()
    assert received == [([RECORD], "a_counter")]
    assert output.getvalue() == ("" if when == "before" else LINE)


def test_handle_of_an_own_handler_assigned_to_an_instance_is_called() -> None:
    handler = CollectingHandler()
    _, count = counting(handler)
    received: list[str] = []
    handler.handle = lambda records, name="profiler": received.append(name)  # type: ignore[method-assign]
    count()
    assert received == ["a_counter"]
    assert handler.batches == []


class StaticFormatter(OutputFormatter):
    @staticmethod
    def record_to_str(name: str, record: Any) -> str:
        return f"{name}|{record['method']}|{record['value'][1]}"


class InstanceFormatter(OutputFormatter):
    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def record_to_str(self, name: str, record: Any) -> str:  # type: ignore[override]
        return f"{self.prefix}{OutputFormatter.record_to_str(name, record)}"


OWN_FORMATTERS = [
    (StaticFormatter(), f"a_counter|{MODULE}:count|1.0\n"),
    (InstanceFormatter("-> "), f"-> {LINE}"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("formatter", "line"), OWN_FORMATTERS)
def test_a_formatter_of_ones_own_writes_the_lines(
    formatter: OutputFormatter, line: str, when: str
) -> None:
    output = io.StringIO()
    handler = StreamHandler("stream", output)
    if when == "before":
        handler.formatter = formatter
    _, count = counting(handler)
    handler.formatter = formatter
    count()
    assert output.getvalue() == line


@pytest.mark.parametrize(("formatter", "line"), OWN_FORMATTERS)
def test_a_formatter_of_ones_own_makes_the_log_message(
    formatter: OutputFormatter, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "test_custom_handlers.formatted")
    handler = NamedLoggerHandler("named", "test_custom_handlers.formatted")
    handler.formatter = formatter
    _, count = counting(handler)
    count()
    [entry] = caplog.records
    assert f"{entry.getMessage()}\n" == line


def test_changing_a_record_in_a_handler_does_not_break_the_next_call() -> None:
    class Destroying(SyncBaseHandler):
        def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            records[0].clear()
            records.clear()

    collecting = CollectingHandler()
    profiler, count = counting(collecting, Destroying("destroying"))
    count()
    count()
    assert len(collecting.batches) == 2
    assert profiler.get_records_count() == 0


def test_adding_needs_a_configured_profiler() -> None:
    profiler = publisher.Profiler()
    with pytest.raises(RuntimeError, match="configured"):
        profiler.add_handler(CollectingHandler())
    with pytest.raises(RuntimeError, match="configured"):
        profiler.add_handler(AsyncCollectingHandler())
    assert profiler.handlers == {}


def test_handlers_are_kept_by_name_in_order() -> None:
    profiler = make_profiler()
    first, second = CollectingHandler("first"), CollectingHandler("second")
    assert profiler.add_handler(first) is None
    assert profiler.addHandler(second) is None
    assert list(profiler.handlers.items()) == [("first", first), ("second", second)]


def test_a_deleted_handler_gets_nothing_more() -> None:
    handler = CollectingHandler("deleted")
    profiler, count = counting(handler)
    count()
    assert profiler.delete_handler("deleted") is None
    assert profiler.handlers == {}
    count()
    assert len(handler.records) == 1


@pytest.mark.parametrize("name", ["delete_handler", "deleteHandler"])
def test_deleting_an_unknown_handler_warns(name: str, caplog: pytest.LogCaptureFixture) -> None:
    handler = CollectingHandler("kept")
    profiler = make_profiler(handler)
    getattr(profiler, name)("never_added")
    [entry] = caplog.records
    assert entry.levelname == "WARNING"
    assert "never_added" in entry.getMessage()
    assert profiler.handlers == {"kept": handler}


def test_a_replaced_handler_gets_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    first, second = CollectingHandler("same"), CollectingHandler("same")
    profiler, count = counting(first)
    count()
    profiler.add_handler(second)
    [entry] = caplog.records
    assert entry.levelname == "WARNING"
    assert "same" in entry.getMessage()
    count()
    assert profiler.handlers == {"same": second}
    assert (len(first.records), len(second.records)) == (1, 1)


@pytest.mark.parametrize("how", ["delete", "delete all", "replace"])
def test_waiting_records_still_go_to_the_handler_that_leaves(how: str) -> None:
    leaving = CollectingHandler("leaving")
    profiler = make_profiler(leaving, time_profile=False)
    metric = metrics.Counter("a_counter", "TEST", "units")
    profiler.add_metric(metric)

    @profiler.profile
    def work() -> None:
        metric.inc(1)
        if how == "delete":
            profiler.delete_handler("leaving")
        elif how == "delete all":
            profiler.delete_handlers()
        else:
            profiler.add_handler(CollectingHandler("leaving"))
        assert [record["value"] for record in leaving.records] == [("inc", 1.0)]

    work()
    assert len(leaving.records) == 1


def test_waiting_records_of_a_deleted_metric_still_go_out() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    metric = metrics.Counter("a_counter", "TEST", "units")
    profiler.add_metric(metric)

    @profiler.profile
    def work() -> None:
        metric.inc(1)
        profiler.delete_metric("a_counter")

    work()
    assert [record["value"] for record in handler.of_metric("a_counter")] == [("inc", 1.0)]


def test_a_handler_can_delete_itself() -> None:
    handler = CollectingHandler("once")
    profiler, count = counting(handler)
    handler.on_handle = lambda records, name: profiler.delete_handler("once")
    count()
    count()
    assert len(handler.records) == 1
    assert profiler.handlers == {}


@pytest.mark.parametrize("given", [None, 5, "handler", object(), StreamHandler])
def test_what_is_no_handler_is_refused(given: Any) -> None:
    profiler = make_profiler()
    with pytest.raises((TypeError, ValueError, AttributeError)):
        profiler.add_handler(given)
    assert profiler.handlers == {}


def test_an_async_handler_needs_an_async_profiler() -> None:
    profiler = make_profiler()
    with pytest.raises(ValueError, match="refused"):
        profiler.add_handler(AsyncCollectingHandler("refused"))
    assert profiler.handlers == {}


def test_an_async_profiler_takes_both_kinds() -> None:
    async def main() -> None:
        sync_handler, async_handler = CollectingHandler(), AsyncCollectingHandler()
        profiler = make_profiler(sync_handler, async_handler)

        @profiler.profile
        async def work() -> str:
            return "done"

        assert await work() == "done"
        assert sync_handler.methods() == async_handler.methods() == [f"{MODULE}:work"]
        assert sync_handler.batches == async_handler.batches

    asyncio.run(main())
