"""Configurations that fail half-way, in parts that belong to the user, change nothing."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Any

import pytest
from phanos import metrics, publisher
from phanos.handlers import StreamHandler
from profiler_state import state_of
from support import CollectingHandler, assert_tree_at_rest, make_profiler

FULL = {"job": "OTHER", "response_size_profile": True, "error_raised_label": False}


class FailingLogger(logging.Logger):
    """Raises at its nth message (from 0) and counts them."""

    def __init__(self, fails_at: int, error: BaseException) -> None:
        super().__init__("test_config_rollback.failing", logging.DEBUG)
        self.fails_at = fails_at
        self.error = error
        self.messages = 0

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        self.messages += 1
        if self.messages > self.fails_at:
            raise self.error


class Nameless(publisher.SyncBaseHandler):
    def __init__(self, handler_name: str) -> None:
        """Skip what the base class does."""

    def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        raise AssertionError("never added")


class Formless(StreamHandler):
    def __init__(self, handler_name: str) -> None:
        """Do half of what the base class does."""
        self.handler_name = handler_name


@pytest.fixture
def profiler(handler):
    profiler = make_profiler(handler)
    profiler.add_metric(metrics.Counter("a_counter", "TEST", "units"))
    return profiler


def apply(profiler: publisher.Profiler, method: str, settings: dict[str, Any]) -> None:
    if method == "dict_config":
        profiler.dict_config(settings)
    elif method == "async_dict_config":
        asyncio.run(profiler.async_dict_config(settings))
    else:
        getattr(profiler, method)(**settings)


def raised_by(profiler: publisher.Profiler, method: str, settings: dict[str, Any]) -> Any:
    """Apply settings; return what that raised, or None."""
    try:
        apply(profiler, method, settings)
    except BaseException as error:
        return error
    return None


def assert_records_as_before(profiler: publisher.Profiler, handler: CollectingHandler) -> None:
    counter = profiler.metrics["a_counter"]
    assert isinstance(counter, metrics.Counter)

    @profiler.profile
    def work() -> None:
        counter.inc(1)

    handler.clear()
    work()
    assert [(record["item"], record["job"], record["labels"]) for record in handler.records] == [
        (__name__, "TEST", {"error_raised": False})
    ] * 2
    assert_tree_at_rest(profiler)


METHODS = ["config", "async_config", "dict_config", "async_dict_config"]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("method", METHODS)
def test_a_logger_that_raises(
    method: str, kind: type[BaseException], profiler: Any, handler: CollectingHandler
) -> None:
    state = state_of(profiler)
    loggers = profiler.tree.logger, profiler.tree.root.logger
    attached = profiler.handlers
    for fails_at in range(20):
        logger = FailingLogger(fails_at, kind("from the logger"))
        error = raised_by(profiler, method, {**FULL, "logger": logger})
        if error is None:
            break
        assert error is logger.error
        assert state_of(profiler) == state
        assert (profiler.tree.logger, profiler.tree.root.logger) == loggers
        assert profiler.handlers is attached
        assert_records_as_before(profiler, handler)
    # Every message of a configuration was reached, and then it was complete.
    assert logger.messages == fails_at > 3
    assert profiler.job == "OTHER"
    assert profiler.logger is logger
    assert profiler.error_raised_label is False
    assert set(profiler.metrics) == {"a_counter", "time_profiler", "response_size"}


@pytest.mark.parametrize("method", METHODS)
def test_a_new_profiler_stays_new(method: str) -> None:
    profiler = publisher.Profiler()
    state = state_of(profiler)
    logger = FailingLogger(2, ValueError("from the logger"))
    with pytest.raises(ValueError, match="from the logger"):
        apply(profiler, method, {**FULL, "logger": logger})
    assert state_of(profiler) == state
    with pytest.raises(RuntimeError, match="not configured"):
        profiler.add_handler(CollectingHandler())


@pytest.mark.parametrize("method", ["dict_config", "async_dict_config"])
def test_handlers_that_were_added_before_the_failure_are_gone(
    method: str, profiler: Any, handler: CollectingHandler
) -> None:
    state = state_of(profiler)
    new = {"class": CollectingHandler, "handler_name": "new"}
    same = {"class": CollectingHandler, "handler_name": handler.handler_name}
    seen = []

    class Watching(FailingLogger):
        def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
            seen.append(set(profiler.handlers))
            super().log(level, msg, *args, **kwargs)

    for fails_at in range(20):
        logger = Watching(fails_at, ValueError("from the logger"))
        settings = {**FULL, "logger": logger, "handlers": {"same": same, "new": new}}
        if raised_by(profiler, method, settings) is None:
            break
        assert state_of(profiler) == state
        assert_records_as_before(profiler, handler)
    assert {"new", "collecting"} in seen
    assert profiler.handlers["collecting"] is not handler


@pytest.mark.parametrize("method", ["dict_config", "async_dict_config"])
def test_a_handler_without_a_name(method: str, profiler: Any, handler: CollectingHandler) -> None:
    state = state_of(profiler)
    description = {"class": Nameless, "handler_name": "given"}
    with pytest.raises(TypeError, match="handler_name"):
        apply(profiler, method, {**FULL, "handlers": {"a": description}})
    with pytest.raises(TypeError, match="handler_name"):
        profiler.add_handler(Nameless("given"))
    assert state_of(profiler) == state
    assert_records_as_before(profiler, handler)


def test_a_handler_without_what_its_base_class_makes(
    profiler: Any, handler: CollectingHandler, caplog: pytest.LogCaptureFixture
) -> None:
    # It has all that a configuration needs; what it lacks shows when it is used.
    profiler.dict_config(
        {
            "job": "TEST",
            "handlers": {
                "a": {"class": Formless, "handler_name": "formless"},
                "b": {"class": StreamHandler, "handler_name": "whole", "output": io.StringIO()},
            },
        }
    )
    assert_records_as_before(profiler, handler)
    assert "formless" in caplog.text
    assert len(profiler.handlers["whole"].output.getvalue().splitlines()) == 2
