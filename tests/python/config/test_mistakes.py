"""What is said of misspelt names, arguments as others have them, and what was forgotten."""

from __future__ import annotations

import asyncio
import logging
import logging.config
from typing import Any

import pytest
from phanos import metrics, publisher
from phanos.handlers import AsyncImpProfHandler, ImpProfHandler
from support import CollectingHandler, make_profiler, run_python


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("StreamHandler", "phanos.handlers.StreamHandler"),
        ("phanos.StreamHandler", "phanos.handlers.StreamHandler"),
        ("phanos.handlers.StreamHandlr", "phanos.handlers.StreamHandler"),
        ("ImpProfHandler", "phanos.handlers.ImpProfHandler"),
    ],
)
def test_a_class_without_its_full_name(name: str, meant: str) -> None:
    settings = {"job": "JOB", "handlers": {"out": {"class": name, "handler_name": "out"}}}
    with pytest.raises((ImportError, AttributeError)) as caught:
        publisher.Profiler().dict_config(settings)
    assert str(caught.value).startswith(f"handler 'out': cannot import class '{name}': ")
    assert str(caught.value).endswith(f"; did you mean '{meant}'?")


@pytest.mark.parametrize("kind", [ImpProfHandler, AsyncImpProfHandler])
@pytest.mark.parametrize(("given", "meant"), [("hosts", "host"), ("virtual_hots", "virtual_host")])
def test_a_misspelt_connection_argument(kind: Any, given: str, meant: str) -> None:
    with pytest.raises(TypeError, match=rf"unexpected .*{given}; .*; did you mean '{meant}'\?$"):
        kind("rabbit", **{given: "broker"})


def test_a_misspelt_argument_in_settings() -> None:
    handler = {"class": "phanos.handlers.StreamHandler", "handler_name": "out", "outptu": None}
    with pytest.raises(TypeError, match=r"wrong arguments .*; did you mean 'output'\?$"):
        publisher.Profiler().dict_config({"job": "JOB", "handlers": {"out": handler}})


def test_a_misspelt_setting(caplog: pytest.LogCaptureFixture) -> None:
    publisher.Profiler().config(jbo="shop")  # type: ignore[arg-type]
    assert "unknown keys, ignored: jbo; did you mean 'job'?" in caplog.text


@pytest.mark.parametrize("kind", [metrics.Counter, metrics.Histogram, metrics.Gauge, metrics.Info])
def test_a_metric_as_prometheus_client_takes_it(kind: Any) -> None:
    with pytest.raises(TypeError, match=r"units must be a str, got .*\(name, job, units, labels\)"):
        kind("orders", "orders that were placed", ["shop"])


def test_what_prometheus_does_not_take_as_a_name(caplog: pytest.LogCaptureFixture) -> None:
    profiler = make_profiler()
    profiler.add_metric(metrics.Counter("orders_placed", "JOB", "orders"))
    assert caplog.text == ""
    profiler.add_metric(metrics.Counter("orders-placed", "JOB", "orders"))
    assert "Prometheus does not take 'orders-placed' as a name: names have" in caplog.text


def test_what_exists_and_what_does_not(caplog: pytest.LogCaptureFixture) -> None:
    profiler = make_profiler(CollectingHandler("out"))
    profiler.add_handler(CollectingHandler("out"))
    profiler.add_metric(metrics.Counter("orders", "JOB", "orders"))
    profiler.add_metric(metrics.Counter("orders", "JOB", "orders"))
    profiler.delete_handler("otu")
    profiler.delete_metric("order")
    assert [record.getMessage() for record in caplog.records] == [
        "phanos - add_handler: handler 'out' already exists and is replaced",
        "phanos - add_metric: metric 'orders' already exists and is replaced",
        "phanos - delete_handler: there is no handler 'otu', only 'out'; did you mean 'out'?",
        "phanos - delete_metric: there is no metric 'order', only 'time_profiler', 'orders'; "
        "did you mean 'orders'?",
    ]


def test_a_handler_that_was_not_awaited() -> None:
    profiler = publisher.Profiler()
    profiler.async_config(job="JOB")
    with pytest.raises(TypeError, match=r"coroutine that nobody awaited: write add_handler\(await"):
        profiler.add_handler(AsyncImpProfHandler.create("rabbit"))  # type: ignore[arg-type]

    async def make(handler_name: str) -> CollectingHandler:
        return CollectingHandler(handler_name)

    settings = {"job": "JOB", "handlers": {"out": {"class": make, "handler_name": "out"}}}
    with pytest.raises(TypeError, match=r"makes a coroutine, which nobody awaits; name the class"):
        publisher.Profiler().dict_config(settings)
    with pytest.raises(TypeError, match=r"makes a coroutine, which nobody awaits; name the class"):
        asyncio.run(publisher.Profiler().async_dict_config(settings))


def test_a_metric_that_nobody_has_says_so_when_100_records_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counter = metrics.Counter("orders", "JOB", "orders")
    for _ in range(99):
        counter.inc(1)
    assert caplog.text == ""
    for _ in range(30):
        counter.inc(1)
    [line] = caplog.messages
    assert "metric 'orders' has 100 records that nobody takes" in line
    counter.cleanup()
    owned = metrics.Counter("owned", "JOB", "orders")
    make_profiler().add_metric(owned)
    for _ in range(200):
        owned.inc(1)
    assert len(caplog.messages) == 1


def test_a_metric_that_nobody_has_says_so_at_the_end() -> None:
    done = run_python(
        """
        from phanos import metrics, publisher
        lost = metrics.Counter("lost", "JOB", "orders")
        lost.inc(1)
        profiler = publisher.Profiler()
        profiler.config(job="JOB")
        unused, added = (metrics.Counter(name, "JOB", "orders") for name in ("unused", "added"))
        profiler.add_metric(added)
        added.inc(1)
        """
    )
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "phanos - 1 records of metric 'lost' were never taken: it belongs to no profiler, see "
        "Profiler.add_metric"
    ]


def test_a_logger_that_was_disabled_is_warned_of_once() -> None:
    profiler = make_profiler(logger="test_mistakes.disabled")
    logging.config.dictConfig({"version": 1})  # It disables the loggers that are there.
    with pytest.warns(
        UserWarning, match=r"there is no handler 'x'.*'test_mistakes.disabled' is di"
    ):
        profiler.delete_handler("x")
    profiler.delete_handler("x")
    profiler.debug("what nobody has to hear")


def test_a_logger_that_is_enabled_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    profiler = make_profiler(logger="test_mistakes.enabled")
    profiler.delete_handler("x")
    assert len(caplog.messages) == 1
