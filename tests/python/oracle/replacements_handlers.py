"""Handlers, what they write with, and the functions that make them, replaced."""

from __future__ import annotations

import io
import logging
from typing import Any
from unittest import mock

import phanos
from phanos import config, publisher
from replacements import RECORD, Calls, Keeping, Setting, plain, replacement

WHEN = ("before", "after")
KINDS = {
    "StreamHandler": lambda: publisher.StreamHandler("text", io.StringIO()),
    "LoggerHandler": lambda: publisher.LoggerHandler("text", logging.getLogger("replaced")),
    "NamedLoggerHandler": lambda: publisher.NamedLoggerHandler("text", "replaced"),
}


def served(setting: Setting, handler: Any, when: str, target: Any, name: str, new: Any) -> None:
    """Make a call while `target.name` is replaced, before or after the handler is added."""
    if when == "after":
        setting.profiler.add_handler(handler)
        setting.call()
    with mock.patch.object(target, name, new):
        if when == "before":
            setting.profiler.add_handler(handler)
        setting.call()


@replacement(
    *[(kind, where, when) for kind in KINDS for where in ("class", "object") for when in WHEN]
)
def handle(kind: str, where: str, when: str) -> Any:
    calls, setting = Calls(), Setting()
    handler = KINDS[kind]()
    target = type(handler) if where == "class" else handler
    served(setting, handler, when, target, "handle", calls.noting("handle"))
    # It is as it was when the patch ends.
    setting.call()
    return [call[1][-2:] if where == "object" else call[0] for call in calls.made]


@replacement(
    *[(kind, where, when) for kind in KINDS for where in ("class", "object") for when in WHEN]
)
def record_to_str(kind: str, where: str, when: str) -> Any:
    calls, setting = Calls(), Setting()
    handler = KINDS[kind]()
    target = publisher.OutputFormatter if where == "class" else handler.formatter
    noting = calls.noting("record_to_str", "a line")
    new = staticmethod(noting) if where == "class" else noting
    served(setting, handler, when, target, "record_to_str", new)
    setting.call()
    output = getattr(handler, "output", None)
    written = output.getvalue() if output is not None else None
    return [calls.made, written and written.count("a line\n")]


@replacement(*KINDS)
def output_formatter(kind: str) -> Any:
    calls, setting = Calls(), Setting()
    with mock.patch("phanos.publisher.OutputFormatter") as replaced:
        replaced.return_value.record_to_str.side_effect = calls.noting("record_to_str", "a line")
        handler = KINDS[kind]()
    setting.profiler.add_handler(handler)
    setting.call()
    return calls.made


@replacement()
def formatter_of_a_handler() -> Any:
    calls, setting = Calls(), Setting()
    output = io.StringIO()
    handler = publisher.StreamHandler("text", output)
    setting.profiler.add_handler(handler)
    handler.formatter = mock.Mock(record_to_str=calls.noting("record_to_str", "a line"))
    setting.call()
    return [calls.made, output.getvalue()]


@replacement()
def loggers_that_only_log() -> Any:
    class Logger:
        def __init__(self) -> None:
            self.lines: list[Any] = []

        def log(self, level: int, message: str, *args: Any, **kwargs: Any) -> None:
            self.lines.append([level, message, plain(args)])

    logger, setting = Logger(), Setting()
    setting.profiler.add_handler(publisher.LoggerHandler("log", logger))  # type: ignore[arg-type]
    setting.call()
    return logger.lines


@replacement()
def a_logger_that_is_a_mock() -> Any:
    logger, setting = mock.Mock(), Setting()
    setting.profiler.add_handler(publisher.LoggerHandler("log", logger, 20))
    setting.call()
    return [plain(call.args) for call in logger.log.call_args_list]


@replacement()
def log_error_profiling_by_a_mock() -> Any:
    logger = mock.Mock()
    failed = {**RECORD, "labels": {"error_raised": "True"}}
    formatter = publisher.OutputFormatter()
    publisher.log_error_profiling("a_counter", formatter, logger, [failed])
    return [plain(call.args) for call in logger.debug.call_args_list]


@replacement("class", "object")
def handle_of_ones_own(where: str) -> Any:
    calls, setting = Calls(), Setting()
    handler = Keeping()
    setting.profiler.add_handler(handler)
    setting.call()
    with mock.patch.object(
        Keeping if where == "class" else handler, "handle", calls.noting("handle")
    ):
        setting.call()
    [(_, arguments, _)] = calls.made
    return [arguments[-1], handler.batches]


@replacement()
def a_handler_that_is_a_mock() -> Any:
    setting = Setting()
    handler = mock.Mock()
    setting.profiler.add_handler(handler)
    setting.call()
    setting.profiler.delete_handler(handler.handler_name)
    setting.call()
    return [plain(call) for call in handler.handle.call_args_list]


@replacement()
def a_handler_put_into_the_dict() -> Any:
    setting = Setting()
    setting.profiler.handlers["key"] = handler = mock.Mock()
    setting.call()
    del setting.profiler.handlers["key"]
    setting.call()
    return [plain(call) for call in handler.handle.call_args_list]


SETTINGS: dict[str, Any] = {
    "job": "JOB",
    "time_profile": False,
    "handlers": {
        "key": {
            "class": "replacements.Keeping",
            "handler_name": "ext://replacements.__name__",
        }
    },
}


@replacement("create_handlers", "import_external", "parse_arguments", "inherits_from")
def functions_of_settings(name: str) -> Any:
    calls = Calls()
    original = getattr(config, name)

    def noting(*args: Any) -> Any:
        calls.made.append([name, plain(args)])
        return original(*args)

    with mock.patch.object(config, name, noting):
        phanos.profiler.dict_config(SETTINGS)
    return [len(calls.made) > 0, calls.made[0][1][0]]


@replacement()
def create_handlers_by_a_mock() -> Any:
    profiler, keeping = publisher.Profiler(), Keeping()
    with mock.patch("phanos.config.create_handlers", return_value={"key": keeping}) as replaced:
        profiler.dict_config(SETTINGS)
    return [plain(replaced.call_args.args), list(profiler.handlers)]


@replacement()
def external_prefix() -> Any:
    with mock.patch("phanos.config.EXTERNAL_PREFIX", "other://"):
        given = config.parse_arguments({"a": "ext://sys.stdout", "b": 5})
    return given
