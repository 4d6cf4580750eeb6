"""Functions of `phanos.config`, and the logging mixin of `phanos.log`."""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
import textwrap
from typing import Any

import pytest
from phanos import config, handlers
from phanos.log import InstanceLoggerMixin
from support import AsyncCollectingHandler, CollectingHandler


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sys.stdout", lambda: sys.stdout),
        ("textwrap.dedent", lambda: textwrap.dedent),
        ("textwrap.TextWrapper.wrap", lambda: textwrap.TextWrapper.wrap),
        ("phanos.handlers.StreamHandler", lambda: handlers.StreamHandler),
        ("xml.sax.saxutils.escape", lambda: importlib.import_module("xml.sax.saxutils").escape),
    ],
)
def test_import_external(name: str, expected: Any) -> None:
    assert config.import_external(name) is expected()


@pytest.mark.parametrize("name", ["no_such_module.name", "sys.no_such_name", "nodots", "", "."])
def test_import_external_names_what_it_does_not_find(name: str) -> None:
    with pytest.raises((ImportError, AttributeError, ValueError)) as raised:
        config.import_external(name)
    assert name.rpartition(".")[0] in str(raised.value)


def test_parse_arguments_imports_external_values_into_a_new_dict() -> None:
    nested = {"text": "ext://sys.stdout"}
    given = {"output": "ext://sys.stdout", "dedent": "ext://textwrap.dedent", "n": 1, "d": nested}
    before = dict(given)
    parsed = config.parse_arguments(given)
    assert parsed["output"] is sys.stdout
    assert parsed["dedent"] is textwrap.dedent
    assert parsed["n"] == 1
    assert parsed["d"] == {"text": "ext://sys.stdout"}
    assert list(parsed) == list(given)
    assert given == before


def test_create_handlers() -> None:
    described = {
        "a": {"class": "phanos.handlers.StreamHandler", "handler_name": "x", "output": None},
        "b": {"class": CollectingHandler, "handler_name": "y"},
    }
    before = {key: dict(value) for key, value in described.items()}
    made = config.create_handlers(described)
    assert [(key, type(handler)) for key, handler in made.items()] == [
        ("a", handlers.StreamHandler),
        ("b", CollectingHandler),
    ]
    assert [handler.handler_name for handler in made.values()] == ["x", "y"]
    assert described == before
    assert config.create_handlers({}) == {}


def test_create_handlers_refuses_async_ones() -> None:
    with pytest.raises(ValueError, match="async"):
        config.create_handlers({"a": {"class": AsyncCollectingHandler, "handler_name": "x"}})


def test_create_async_handlers_makes_both_kinds() -> None:
    described = {
        "a": {"class": AsyncCollectingHandler, "handler_name": "x"},
        "b": {"class": CollectingHandler, "handler_name": "y"},
    }
    made = asyncio.run(config.create_async_handlers(described))
    assert [(key, type(handler)) for key, handler in made.items()] == [
        ("a", AsyncCollectingHandler),
        ("b", CollectingHandler),
    ]


def test_inherits_from() -> None:
    assert config.inherits_from(handlers.StreamHandler, handlers.SyncBaseHandler)
    assert not config.inherits_from(handlers.StreamHandler, handlers.AsyncBaseHandler)
    assert config.inherits_from(AsyncCollectingHandler, handlers.AsyncBaseHandler)


class Logging(InstanceLoggerMixin):
    pass


LEVELS = [
    ("debug", logging.DEBUG),
    ("info", logging.INFO),
    ("warning", logging.WARNING),
    ("error", logging.ERROR),
    ("critical", logging.CRITICAL),
    ("fatal", logging.CRITICAL),
]


@pytest.mark.parametrize(("method", "level"), LEVELS)
def test_messages_start_with_the_logged_name(
    method: str, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "test_config_helpers.mixin")
    instance = Logging(logged_name="shown", logger_name="test_config_helpers.mixin")
    getattr(instance, method)("%s of %d", "one", 3)
    [entry] = caplog.records
    assert entry.name == "test_config_helpers.mixin"
    assert entry.levelno == level
    assert entry.getMessage() == "shown - one of 3"


def test_log_takes_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1, "test_config_helpers.mixin")
    Logging(logged_name="shown", logger_name="test_config_helpers.mixin").log(7, "text")
    [entry] = caplog.records
    assert (entry.levelno, entry.getMessage()) == (7, "shown - text")


def test_exception_logs_an_error(caplog: pytest.LogCaptureFixture) -> None:
    instance = Logging(logged_name="shown", logger_name="test_config_helpers.mixin")
    try:
        raise ValueError("in flight")
    except ValueError:
        instance.exception("failed with %d", 3)
    [entry] = caplog.records
    assert (entry.levelno, entry.getMessage()) == (logging.ERROR, "shown - failed with 3")


def test_names_of_the_mixin() -> None:
    logger = logging.getLogger("test_config_helpers.given")
    given = Logging(logger=logger)
    assert given.logger is logger
    assert given.logged_name == "Logging"
    named = Logging(logged_name="shown")
    assert named.logger is logging.getLogger("shown")
    by_name = Logging(logger_name="test_config_helpers.by_name")
    assert by_name.logger is logging.getLogger("test_config_helpers.by_name")
    assert by_name.logged_name == "Logging"


def test_the_mixin_passes_other_arguments_on() -> None:
    class Base:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.received = (args, kwargs)

    class Both(InstanceLoggerMixin, Base):
        pass

    assert Both(1, logged_name="shown", other=2).received == ((1,), {"other": 2})
