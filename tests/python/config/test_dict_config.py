"""`dict_config` and `async_dict_config`: what a settings dict may say, and what is refused."""

from __future__ import annotations

import asyncio
import copy
import importlib
import inspect
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from phanos import publisher
from phanos.handlers import AsyncBaseHandler, StreamHandler, SyncBaseHandler
from support import AsyncCollectingHandler, CollectingHandler, make_profiler
from test_config import state_of

MODULE = __name__
BOTH = pytest.mark.parametrize("method", ["dict_config", "async_dict_config"])


class KeepingHandler(SyncBaseHandler):
    """Keeps the arguments it was made with."""

    def __init__(self, handler_name: str, **arguments: Any) -> None:
        super().__init__(handler_name)
        self.arguments = arguments

    def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        pass


class AsyncKeepingHandler(AsyncBaseHandler):
    """Knows whether it was made by its own factory."""

    def __init__(self, handler_name: str, created: bool = False, **arguments: Any) -> None:
        super().__init__(handler_name)
        self.created = created
        self.arguments = arguments

    @classmethod
    async def create(cls, handler_name: str, *args: Any, **kwargs: Any) -> AsyncKeepingHandler:
        await asyncio.sleep(0)
        return cls(handler_name, created=True, **kwargs)

    async def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        pass


class FailingHandler(SyncBaseHandler):
    def __init__(self, handler_name: str) -> None:
        raise ConnectionError("cannot be made")

    def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        pass


def apply(profiler: publisher.Profiler, method: str, settings: Any) -> None:
    outcome = getattr(profiler, method)(settings)
    if method == "async_dict_config":
        assert inspect.iscoroutine(outcome)
        outcome = asyncio.run(outcome)
    assert outcome is None


def configured(method: str, settings: dict[str, Any]) -> publisher.Profiler:
    profiler = publisher.Profiler()
    apply(profiler, method, settings)
    return profiler


def with_handler(**description: Any) -> dict[str, Any]:
    return {"job": "JOB", "handlers": {"a_key": description}}


@BOTH
def test_only_the_job_is_required(method: str) -> None:
    profiler = configured(method, {"job": "JOB"})
    assert profiler.job == "JOB"
    assert list(profiler.metrics) == [publisher.TIME_PROFILER]
    assert profiler.handle_records is True
    assert profiler.error_raised_label is True
    assert profiler.handlers == {}
    wanted = publisher.SyncExtProfiler if method == "dict_config" else publisher.AsyncExtProfiler
    assert isinstance(profiler.profile_ext, wanted)


@BOTH
def test_every_setting(method: str) -> None:
    profiler = configured(
        method,
        {
            "job": "JOB",
            "logger": "test_dict_config.own",
            "time_profile": False,
            "response_size_profile": True,
            "handle_records": False,
            "error_raised_label": False,
            "handlers": {
                "first": {"class": f"{MODULE}.KeepingHandler", "handler_name": "one", "more": 1},
                "second": {"class": KeepingHandler, "handler_name": "two"},
            },
        },
    )
    assert profiler.job == "JOB"
    assert profiler.logger is logging.getLogger("test_dict_config.own")
    assert list(profiler.metrics) == [publisher.RESPONSE_SIZE]
    assert profiler.handle_records is False
    assert profiler.error_raised_label is False
    assert list(profiler.handlers) == ["one", "two"]
    assert all(type(handler) is KeepingHandler for handler in profiler.handlers.values())
    assert profiler.handlers["one"].arguments == {"more": 1}
    assert profiler.handlers["two"].arguments == {}


@BOTH
def test_logger_may_be_an_object(method: str) -> None:
    logger = logging.getLogger("test_dict_config.object")
    assert configured(method, {"job": "JOB", "logger": logger}).logger is logger
    assert configured(method, {"job": "JOB", "logger": None}).logger.name == "phanos.publisher"


@BOTH
def test_request_size_profile_is_deprecated(method: str) -> None:
    with pytest.warns(DeprecationWarning, match="response_size_profile"):
        profiler = configured(method, {"job": "JOB", "request_size_profile": True})
    assert set(profiler.metrics) == {publisher.RESPONSE_SIZE, publisher.TIME_PROFILER}


@BOTH
def test_an_unknown_setting_is_named_in_a_warning(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    configured(method, {"job": "JOB", "hanlders": {}})
    [line] = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]
    assert "hanlders" in line


EXTERNAL = [
    ("sys", "stderr"),
    ("textwrap", "dedent"),
    ("tempfile", "gettempdir"),
    ("email.message", "Message"),
    ("xml.sax.saxutils", "escape"),
    ("enum", "Enum"),
    ("token", "tok_name"),
]
NOT_EXTERNAL = ["sys.stderr", "ext:/sys.stderr", " ext://sys.stderr", "EXT://sys.stderr", "ext"]


@pytest.mark.parametrize(("module", "name"), EXTERNAL)
@BOTH
def test_external_values_are_imported(method: str, module: str, name: str) -> None:
    given = f"ext://{module}.{name}"
    description = {"class": KeepingHandler, "handler_name": "a_handler", "given": given}
    profiler = configured(method, with_handler(**description))
    expected = getattr(importlib.import_module(module), name)
    assert profiler.handlers["a_handler"].arguments["given"] is expected


@pytest.mark.parametrize("text", NOT_EXTERNAL)
@BOTH
def test_other_values_are_taken_as_they_are(method: str, text: str) -> None:
    description = {"class": KeepingHandler, "handler_name": "a_handler", "given": text}
    profiler = configured(method, with_handler(**description))
    assert profiler.handlers["a_handler"].arguments == {"given": text}


@BOTH
def test_settings_are_neither_changed_nor_copied(method: str, tmp_path: Any) -> None:
    # Neither an open file nor a lock survives `copy.deepcopy`.
    with (tmp_path / "records.txt").open("w") as output:
        nested = {"list": [output], "text": "ext://sys.stderr"}
        description = {
            "class": KeepingHandler,
            "handler_name": "a_handler",
            "output": output,
            "logger": logging.getLogger("test_dict_config.value"),
            "nested": nested,
            "imported": "ext://sys.stderr",
        }
        settings = {"job": "JOB", "handlers": {"a_key": description}}
        before = {**settings, "handlers": {"a_key": dict(description)}}
        profiler = configured(method, settings)
        assert settings == before
        assert settings["handlers"]["a_key"] is description
        assert nested == {"list": [output], "text": "ext://sys.stderr"}
        arguments = profiler.handlers["a_handler"].arguments
        assert arguments["output"] is output
        assert arguments["nested"] is nested
        assert arguments["imported"] is sys.stderr


def test_settings_can_be_used_again() -> None:
    settings = with_handler(
        **{"class": "phanos.handlers.StreamHandler", "handler_name": "s", "output": io.StringIO()}
    )
    first, second = configured("dict_config", settings), configured("dict_config", settings)
    assert first.handlers["s"] is not second.handlers["s"]
    assert first.handlers["s"].output is second.handlers["s"].output


def test_configuring_again_keeps_handlers() -> None:
    kept = CollectingHandler("kept")
    profiler = make_profiler(kept)
    apply(profiler, "dict_config", with_handler(**{"class": KeepingHandler, "handler_name": "new"}))
    assert list(profiler.handlers) == ["kept", "new"]
    assert profiler.handlers["kept"] is kept
    apply(profiler, "dict_config", {"job": "JOB"})
    assert list(profiler.handlers) == ["kept", "new"]


@pytest.mark.parametrize("given", [AsyncKeepingHandler, f"{MODULE}.AsyncKeepingHandler"])
def test_async_handlers_are_made_by_their_factory(given: Any) -> None:
    settings = {
        "job": "JOB",
        "handlers": {
            "a": {"class": given, "handler_name": "is_async", "more": 1},
            "b": {"class": KeepingHandler, "handler_name": "is_sync"},
        },
    }
    profiler = configured("async_dict_config", settings)
    handler = profiler.handlers["is_async"]
    assert isinstance(handler, AsyncKeepingHandler)
    assert handler.created is True
    assert handler.arguments == {"more": 1}
    assert isinstance(profiler.handlers["is_sync"], KeepingHandler)


@pytest.fixture
def recording() -> Iterator[publisher.Profiler]:
    """A configured profiler with a handler, to be found as it was."""
    profiler = make_profiler(CollectingHandler(), response_size_profile=True)
    state = state_of(profiler)
    yield profiler
    assert state_of(profiler) == state


KEEPING = {"class": KeepingHandler, "handler_name": "good"}


def refused(description: Any) -> dict[str, Any]:
    """Settings whose last handler is wrong, so that a half-applied one would show."""
    return {
        "job": "OTHER",
        "logger": "test_dict_config.other",
        "response_size_profile": False,
        "handle_records": False,
        "error_raised_label": False,
        "handlers": {"good_key": KEEPING, "bad_key": description},
    }


BAD_HANDLERS = [
    pytest.param(
        {"class": "no_such_module.Handler", "handler_name": "h"},
        (ImportError, AttributeError, ValueError),
        "no_such_module",
        id="unknown module",
    ),
    pytest.param(
        {"class": "phanos.handlers.NoSuchHandler", "handler_name": "h"},
        (ImportError, AttributeError, ValueError),
        "NoSuchHandler",
        id="unknown class",
    ),
    pytest.param(
        {"class": "nodots", "handler_name": "h"},
        (ImportError, AttributeError, ValueError),
        "nodots",
        id="no dotted name",
    ),
    pytest.param(
        {"class": "builtins.dict", "handler_name": "h"},
        (TypeError, ValueError),
        "dict",
        id="not a handler class",
    ),
    pytest.param(
        {"class": 5, "handler_name": "h"}, (TypeError, ValueError), "5|int", id="class is an int"
    ),
    pytest.param({"handler_name": "h"}, (KeyError,), "class", id="no class"),
    pytest.param(
        {"class": "phanos.handlers.StreamHandler"},
        (TypeError, KeyError, ValueError),
        "handler_name",
        id="no name",
    ),
    pytest.param(
        {"class": "phanos.handlers.StreamHandler", "handler_name": 5},
        (TypeError, ValueError),
        "handler_name",
        id="name is an int",
    ),
    pytest.param(
        {"class": "phanos.handlers.StreamHandler", "handler_name": "h", "ouput": None},
        (TypeError,),
        "ouput",
        id="wrong argument",
    ),
    pytest.param(
        {
            "class": "phanos.handlers.StreamHandler",
            "handler_name": "h",
            "output": "ext://no_such.m",
        },
        (ImportError, AttributeError, ValueError),
        "no_such",
        id="unknown external module",
    ),
    pytest.param(
        {"class": "phanos.handlers.StreamHandler", "handler_name": "h", "output": "ext://sys.nope"},
        (ImportError, AttributeError, ValueError),
        "nope",
        id="unknown external name",
    ),
    pytest.param(5, (TypeError, ValueError), "bad_key", id="description is an int"),
    pytest.param(
        {"class": FailingHandler, "handler_name": "h"},
        (ConnectionError,),
        "cannot be made",
        id="handler that cannot be made",
    ),
]


@pytest.mark.parametrize(("description", "error", "named"), BAD_HANDLERS)
@BOTH
def test_a_wrong_handler_is_named_and_changes_nothing(
    method: str, recording: publisher.Profiler, description: Any, error: Any, named: str
) -> None:
    settings = refused(description)
    with pytest.raises(error, match=named):
        apply(recording, method, settings)


BAD_SETTINGS = [
    pytest.param({"job": 5}, "job", "str", id="job is an int"),
    pytest.param({"logger": 5}, "logger", "name", id="logger is an int"),
    pytest.param({"time_profile": "yes"}, "time_profile", "bool", id="time_profile is a str"),
    pytest.param({"handle_records": 2.5}, "handle_records", "bool", id="handle_records is 2.5"),
    pytest.param({"error_raised_label": "no"}, "error_raised_label", "bool", id="label is a str"),
    pytest.param(
        {"response_size_profile": []}, "response_size_profile", "bool", id="size is a list"
    ),
    pytest.param({"handlers": []}, "handlers", "dict", id="handlers is empty list"),
    pytest.param({"handlers": [KEEPING]}, "handlers", "dict", id="handlers is a list"),
    pytest.param({"handlers": "all"}, "handlers", "dict", id="handlers is a str"),
]


@pytest.mark.parametrize(("changes", "name", "expected"), BAD_SETTINGS)
@BOTH
def test_a_wrong_value_is_named_and_changes_nothing(
    method: str, recording: publisher.Profiler, changes: Any, name: str, expected: str
) -> None:
    settings = {"job": "OTHER", "error_raised_label": False, "handlers": {"a": KEEPING}, **changes}
    given = settings[name]
    with pytest.raises((TypeError, ValueError)) as raised:
        apply(recording, method, settings)
    message = str(raised.value)
    assert name in message
    assert expected in message
    assert repr(given) in message or type(given).__name__ in message


@BOTH
def test_a_missing_job_is_a_key_error_and_changes_nothing(
    method: str, recording: publisher.Profiler
) -> None:
    with pytest.raises(KeyError, match=r"(?i)job"):
        apply(recording, method, {"logger": "x", "handlers": {"a": KEEPING}})
    with pytest.raises(KeyError, match=r"(?i)job"):
        apply(publisher.Profiler(), method, {})


@pytest.mark.parametrize("settings", [5, None, "job", ["job"]])
@BOTH
def test_settings_must_be_a_dict(method: str, recording: publisher.Profiler, settings: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="dict"):
        apply(recording, method, settings)


@pytest.mark.parametrize("given", [AsyncKeepingHandler, f"{MODULE}.AsyncKeepingHandler"])
def test_dict_config_refuses_async_handlers(recording: publisher.Profiler, given: Any) -> None:
    with pytest.raises(ValueError, match="async"):
        recording.dict_config(refused({"class": given, "handler_name": "is_async"}))


def test_dict_config_refuses_attached_async_handlers() -> None:
    profiler = make_profiler(AsyncCollectingHandler("is_async"), CollectingHandler("is_sync"))
    state = state_of(profiler)
    with pytest.raises(ValueError, match="is_async"):
        profiler.dict_config({"job": "OTHER", "handlers": {"a": KEEPING}})
    assert state_of(profiler) == state


def test_a_refused_configuration_leaves_a_new_profiler_unconfigured() -> None:
    profiler = publisher.Profiler()
    state = state_of(profiler)
    with pytest.raises(TypeError, match="ouput"):
        profiler.dict_config(
            with_handler(**{"class": StreamHandler, "handler_name": "h", "ouput": 1})
        )
    assert state_of(profiler) == state
    with pytest.raises(RuntimeError, match="configured"):
        profiler.add_handler(CollectingHandler())


def test_refused_settings_are_left_as_written() -> None:
    settings = refused({"class": "phanos.handlers.StreamHandler"})
    before = copy.deepcopy(settings)
    with pytest.raises((TypeError, KeyError, ValueError), match="handler_name"):
        publisher.Profiler().dict_config(settings)
    assert settings == before
