"""`dict_config` and `async_dict_config`: what is refused is named, and changes nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from handlers_in_settings import AsyncKeepingHandler, KeepingHandler, apply, with_handler
from phanos import publisher
from phanos.handlers import StreamHandler, SyncBaseHandler
from profiler_state import state_of
from support import AsyncCollectingHandler, CollectingHandler, make_profiler

BOTH = pytest.mark.parametrize("method", ["dict_config", "async_dict_config"])


class FailingHandler(SyncBaseHandler):
    def __init__(self, handler_name: str) -> None:
        raise ConnectionError("cannot be made")

    def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        pass


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
        "logger": "test_dict_config_refused.other",
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


@pytest.mark.parametrize("given", [AsyncKeepingHandler, "handlers_in_settings.AsyncKeepingHandler"])
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
