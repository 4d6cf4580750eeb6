"""`dict_config` and `async_dict_config`: what a settings dict may say."""

from __future__ import annotations

import importlib
import io
import logging
import sys
from typing import Any

import pytest
from handlers_in_settings import AsyncKeepingHandler, KeepingHandler, apply, with_handler
from phanos import publisher
from support import CollectingHandler, make_profiler

BOTH = pytest.mark.parametrize("method", ["dict_config", "async_dict_config"])


def configured(method: str, settings: dict[str, Any]) -> publisher.Profiler:
    profiler = publisher.Profiler()
    apply(profiler, method, settings)
    return profiler


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
                "first": {
                    "class": "handlers_in_settings.KeepingHandler",
                    "handler_name": "one",
                    "more": 1,
                },
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


@pytest.mark.parametrize("given", [AsyncKeepingHandler, "handlers_in_settings.AsyncKeepingHandler"])
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
