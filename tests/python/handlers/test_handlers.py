"""The built-in handlers, what they write, and handlers of the users' own."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest
from phanos import metrics, publisher
from phanos.handlers import LoggerHandler, NamedLoggerHandler, OutputFormatter, StreamHandler
from support import CollectingHandler, make_profiler, run_python

MODULE = __name__


def record(**changes: Any) -> dict[str, Any]:
    return {
        "item": "A",
        "metric": "histogram",
        "units": "mS",
        "job": "JOB",
        "method": "A:b.c",
        "labels": {"place": "here", "count": 2},
        "value": ("observe", 1.5),
        **changes,
    }


LINE = "profiler: a_name, method: A:b.c, value: 1.5 mS, labels: place=here, count=2"
BARE_LINE = "profiler: a_name, method: A:b.c, value: 1.5 mS"

LINES = [
    (record(), LINE),
    (record(labels={}), BARE_LINE),
    (record(labels={"error_raised": True}), f"{BARE_LINE}, labels: error_raised=True"),
    (record(labels={"none": None, "t": (1, 2)}), f"{BARE_LINE}, labels: none=None, t=(1, 2)"),
    (record(method="", labels={}), "profiler: a_name, method: , value: 1.5 mS"),
    (
        record(value=("info", {"version": "1"}), units="info", labels={}),
        "profiler: a_name, method: A:b.c, value: {'version': '1'} info",
    ),
    (
        record(value=("state", "on"), units="enum", labels={}),
        "profiler: a_name, method: A:b.c, value: on enum",
    ),
    (record(value=["observe", 1.5], labels={}), BARE_LINE),
    (record(value=("inc", 3), labels={}), "profiler: a_name, method: A:b.c, value: 3 mS"),
    (record(value=("inc", 3.0), labels={}), "profiler: a_name, method: A:b.c, value: 3.0 mS"),
    (
        record(value=("set", float("nan")), labels={}),
        "profiler: a_name, method: A:b.c, value: nan mS",
    ),
    (
        record(value=("set", 1e22), labels={}),
        "profiler: a_name, method: A:b.c, value: 1e+22 mS",
    ),
]


BREAKS = [("\n", "\\n"), ("\r", "\\r"), ("\r\n", "\\r\\n")]


@pytest.mark.parametrize(("given", "line"), LINES)
def test_text_of_a_record(given: dict[str, Any], line: str) -> None:
    assert OutputFormatter.record_to_str("a_name", given) == line
    assert OutputFormatter().record_to_str("a_name", given) == line


@pytest.mark.parametrize(("given", "line"), LINES)
def test_stream_handler_writes_a_line_per_record(given: dict[str, Any], line: str) -> None:
    output = io.StringIO()
    assert StreamHandler("stream", output).handle([given, given], "a_name") is None
    assert output.getvalue() == f"{line}\n{line}\n"


def test_stream_handler_writes_nothing_for_an_empty_batch() -> None:
    output = io.StringIO()
    StreamHandler("stream", output).handle([], "a_name")
    assert output.getvalue() == ""


def test_handle_has_a_name_by_default() -> None:
    output = io.StringIO()
    StreamHandler("stream", output).handle([record(labels={})])
    assert output.getvalue() == "profiler: profiler, method: A:b.c, value: 1.5 mS\n"


@pytest.mark.parametrize(("given", "escaped"), BREAKS)
def test_line_breaks_cannot_forge_a_line(given: str, escaped: str) -> None:
    forged = f"x{given}profiler: forged"
    in_label = OutputFormatter.record_to_str("a_name", record(labels={"place": forged}))
    assert in_label == f"{BARE_LINE}, labels: place=x{escaped}profiler: forged"
    in_value = OutputFormatter.record_to_str("a_name", record(value=("state", forged), labels={}))
    assert in_value == f"profiler: a_name, method: A:b.c, value: x{escaped}profiler: forged mS"


@pytest.mark.parametrize(("given", "escaped"), BREAKS)
def test_line_breaks_of_a_profiled_call_are_escaped(given: str, escaped: str) -> None:
    output = io.StringIO()
    profiler = make_profiler(StreamHandler("stream", output), time_profile=False)
    metric = metrics.Enum("a_name", "JOB", {f"on{given}off"}, "mS", {"place"})
    profiler.add_metric(metric)

    @profiler.profile
    def work() -> None:
        metric.state(f"on{given}off", {"place": f"here{given}there"})

    work()
    labels = f"place=here{escaped}there, error_raised=False"
    method = f"{MODULE}:work"
    assert output.getvalue() == (
        f"profiler: a_name, method: {method}, value: on{escaped}off mS, labels: {labels}\n"
    )


class Output:
    """Notes what is called, in order."""

    def __init__(self) -> None:
        self.written = ""
        self.flushed_after: list[str] = []

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        self.flushed_after.append(self.written)


def counting(*handlers: publisher.BaseHandler) -> Any:
    """A profiled function that counts each of its arguments, recorded without times."""
    profiler = make_profiler(*handlers, time_profile=False, error_raised_label=False)
    metric = metrics.Counter("a_counter", "JOB", "units")
    profiler.add_metric(metric)

    @profiler.profile
    def count(*values: float) -> None:
        for value in values:
            metric.inc(value)

    return count


def lines(*values: float) -> list[str]:
    return [f"profiler: a_counter, method: {MODULE}:count, value: {v} units" for v in values]


def test_stream_is_flushed_after_a_batch() -> None:
    output = Output()
    count = counting(StreamHandler("stream", output))  # type: ignore[arg-type]
    count(1, 2)
    expected = "".join(f"{line}\n" for line in lines(1.0, 2.0))
    assert output.written == expected
    assert output.flushed_after[-1] == expected


def test_stream_handler_given_directly_flushes_too() -> None:
    output = Output()
    StreamHandler("stream", output).handle([record()], "a_name")  # type: ignore[arg-type]
    assert output.written == f"{LINE}\n"
    assert output.flushed_after[-1] == f"{LINE}\n"


def test_stream_can_be_exchanged() -> None:
    first, second = io.StringIO(), io.StringIO()
    handler = StreamHandler("stream", first)
    assert handler.output is first
    count = counting(handler)
    count(1)
    handler.output = second
    count(2)
    assert first.getvalue() == f"{lines(1.0)[0]}\n"
    assert second.getvalue() == f"{lines(2.0)[0]}\n"


def test_stream_handler_writes_to_standard_output_by_default() -> None:
    completed = run_python(
        """
        import phanos
        phanos.profiler.config(job="JOB", time_profile=False)
        phanos.profiler.add_handler(phanos.handlers.StreamHandler("stream"))
        metric = phanos.metrics.Counter("a_counter", "JOB", "units")
        phanos.profiler.add_metric(metric)

        @phanos.profile
        def work():
            metric.inc(1)

        work()
        """
    )
    expected = "profiler: a_counter, method: __main__:work, value: 1.0 units"
    assert completed.stdout == f"{expected}, labels: error_raised=False\n"
    assert completed.stderr == ""


def test_text_that_the_stream_cannot_encode_harms_nobody() -> None:
    buffer = io.BytesIO()
    output = io.TextIOWrapper(buffer, encoding="ascii", errors="strict")
    profiler = make_profiler(StreamHandler("stream", output), time_profile=False)
    metric = metrics.Counter("a_counter", "JOB", "units", {"place"})
    profiler.add_metric(metric)

    @profiler.profile
    def work(place: str) -> str:
        metric.inc(1, {"place": place})
        return place

    assert work("Žilina") == "Žilina"
    assert work("here") == "here"
    output.flush()
    assert b"place=here" in buffer.getvalue()


def logged(caplog: pytest.LogCaptureFixture, name: str) -> list[tuple[int, str]]:
    return [(entry.levelno, entry.getMessage()) for entry in caplog.records if entry.name == name]


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.ERROR])
@pytest.mark.parametrize("kind", ["logger", "name"])
def test_a_batch_is_one_log_message(
    kind: str, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    name = "test_handlers.records"
    caplog.set_level(logging.DEBUG, name)
    handler: publisher.SyncBaseHandler
    if kind == "logger":
        handler = LoggerHandler("a_handler", logging.getLogger(name), level)
    else:
        handler = NamedLoggerHandler("a_handler", name, level)
    count = counting(handler)
    count(1, 2, 3)
    count(4)
    assert logged(caplog, name) == [
        (level, "\n".join(lines(1.0, 2.0, 3.0))),
        (level, lines(4.0)[0]),
    ]
    handler.handle([record(), record(labels={})], "a_name")
    assert logged(caplog, name)[2:] == [(level, f"{LINE}\n{BARE_LINE}")]


def test_records_are_logged_at_debug_by_default(caplog: pytest.LogCaptureFixture) -> None:
    name = "test_handlers.default_level"
    caplog.set_level(logging.DEBUG, name)
    assert LoggerHandler("first", logging.getLogger(name)).level == logging.DEBUG
    counting(LoggerHandler("first", logging.getLogger(name)))(1)
    counting(NamedLoggerHandler("second", name))(2)
    assert [level for level, _ in logged(caplog, name)] == [logging.DEBUG] * 2


def test_percent_signs_are_logged_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    handler = NamedLoggerHandler("a_handler", "test_handlers.percent", logging.INFO)
    caplog.set_level(logging.INFO, "test_handlers.percent")
    handler.handle([record(labels={"share": "100%s %d"})], "a_name")
    [(_, message)] = logged(caplog, "test_handlers.percent")
    assert message == f"{BARE_LINE}, labels: share=100%s %d"


def test_logger_handler_takes_a_logger_adapter(caplog: pytest.LogCaptureFixture) -> None:
    name = "test_handlers.adapted"
    caplog.set_level(logging.DEBUG, name)

    class Prefixing(logging.LoggerAdapter):  # type: ignore[type-arg]
        def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
            return f"prefix {msg}", kwargs

    counting(LoggerHandler("a_handler", Prefixing(logging.getLogger(name), {})))(1)
    assert logged(caplog, name) == [(logging.DEBUG, f"prefix {lines(1.0)[0]}")]


def test_named_logger_handler_finds_its_logger() -> None:
    handler = NamedLoggerHandler("a_handler", "test_handlers.named", logging.INFO)
    assert handler.logger is logging.getLogger("test_handlers.named")
    assert (handler.handler_name, handler.level) == ("a_handler", logging.INFO)


def test_logger_handler_without_a_logger_uses_its_own_on_standard_output() -> None:
    completed = run_python(
        """
        import logging, phanos
        handlers = [phanos.handlers.LoggerHandler(name) for name in ("first", "second", "third")]
        own = logging.getLogger("PHANOS")
        assert all(handler.logger is own for handler in handlers)
        assert own.level == logging.DEBUG
        record = {"item": "A", "metric": "counter", "units": "u", "job": "J", "method": "A:b",
                  "labels": {}, "value": ("inc", 1.0)}
        handlers[0].handle([record, record], "once")
        phanos.handlers.LoggerHandler("info", None, logging.INFO).handle([record], "again")
        """
    )
    line = "method: A:b, value: 1.0 u"
    assert completed.stdout == (
        f"profiler: once, {line}\nprofiler: once, {line}\nprofiler: again, {line}\n"
    )
    assert completed.stderr == ""


@pytest.mark.parametrize(
    ("cls", "missing"),
    [
        (StreamHandler, "handler_name"),
        (LoggerHandler, "handler_name"),
        (NamedLoggerHandler, "handler_name"),
    ],
)
def test_a_handler_needs_a_name(cls: Any, missing: str) -> None:
    with pytest.raises(TypeError, match=missing):
        cls()
    with pytest.raises(TypeError, match="bogus"):
        cls("a_handler", bogus=1)


def test_named_logger_handler_needs_the_loggers_name() -> None:
    with pytest.raises(TypeError, match="logger_name"):
        NamedLoggerHandler("a_handler")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "labels", [{"error_raised": True}, {"error_raised": "True"}, {"a": 1, "error_raised": True}]
)
def test_failed_calls_are_logged_as_text(
    labels: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("test_handlers.failed")
    caplog.set_level(logging.DEBUG, logger.name)
    failed = record(labels=labels)
    publisher.log_error_profiling("a_name", OutputFormatter(), logger, [record(), failed])
    text = "\n".join(message for _, message in logged(caplog, logger.name))
    assert OutputFormatter.record_to_str("a_name", failed) in text.splitlines()


@pytest.mark.parametrize("labels", [{}, {"error_raised": False}, {"error_raised": "False"}])
def test_calls_that_did_not_fail_are_not_logged(
    labels: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("test_handlers.failed")
    caplog.set_level(logging.DEBUG, logger.name)
    publisher.log_error_profiling("a_name", OutputFormatter(), logger, [record(labels=labels)])
    assert logged(caplog, logger.name) == []


def test_several_handlers_get_the_same_batches_in_order() -> None:
    output = io.StringIO()
    first, second = CollectingHandler("first"), CollectingHandler("second")
    order: list[str] = []
    first.on_handle = lambda records, name: order.append("first")
    second.on_handle = lambda records, name: order.append("second")
    count = counting(first, StreamHandler("stream", output), second)
    count(1, 2)
    assert first.batches == second.batches
    assert [each["value"] for each in first.records] == [("inc", 1.0), ("inc", 2.0)]
    assert output.getvalue().splitlines() == lines(1.0, 2.0)
    assert order == ["first", "second"]


def test_a_handler_is_given_back_as_what_it_is() -> None:
    stream = StreamHandler("stream", io.StringIO())
    profiler = make_profiler(stream)
    assert profiler.get_handler("stream", StreamHandler) is stream
    assert profiler.get_handler("stream") is stream
    with pytest.raises(KeyError, match="did you mean 'stream'"):
        profiler.get_handler("stram", StreamHandler)
    with pytest.raises(TypeError, match="handler 'stream' is no LoggerHandler"):
        profiler.get_handler("stream", LoggerHandler)
