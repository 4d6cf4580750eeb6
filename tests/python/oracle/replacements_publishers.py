"""Publishers and RabbitMQ handlers, replaced: how applications are tested without a broker."""

from __future__ import annotations

import asyncio
import builtins
from typing import Any
from unittest import mock

from phanos import messaging, publisher
from replacements import (
    RECORD,
    Calls,
    Setting,
    fake_async_publisher,
    fake_publisher,
    plain,
    replacement,
)

ARGUMENTS: dict[str, Any] = {"host": "broker.example", "port": 1234, "retry": 2}


def connecting(calls: Calls) -> Any:
    """A handler made while nothing connects."""
    with (
        mock.patch.object(messaging.BlockingPublisher, "connect", calls.noting("connect")),
        mock.patch.object(messaging.BlockingPublisher, "close", calls.noting("close")),
    ):
        return publisher.ImpProfHandler("rabbit")


GIVEN: dict[str, dict[str, Any]] = {
    "nothing": {},
    "arguments": ARGUMENTS,
    "options": {"virtual_host": "mine", "logger": "named"},
    "own": {"topic": "own"},
}


@replacement(*GIVEN)
def the_class_of_publishers(given: str) -> Any:
    calls, arguments = Calls(), GIVEN[given]
    made = fake_publisher(calls)
    with mock.patch("phanos.publisher.BlockingPublisher") as replaced:
        replaced.side_effect = calls.noting("constructed", made)
        handler = publisher.ImpProfHandler("rabbit", **arguments)
        handler.handle([RECORD], "a_counter")
    # It keeps what it was made with.
    handler.handle([RECORD, RECORD], "a_counter")
    return [calls.made, handler.publisher is made]


@replacement()
def the_class_of_publishers_in_a_profiler() -> Any:
    setting, calls = Setting(), Calls()
    with mock.patch("phanos.publisher.BlockingPublisher") as replaced:
        replaced.return_value = fake_publisher(calls)
        setting.profiler.add_handler(publisher.ImpProfHandler("rabbit"))
        results = [setting.call(), setting.call()]
    return [calls.made, results]


@replacement()
def a_bare_mock_of_publishers() -> Any:
    setting = Setting()
    with mock.patch("phanos.publisher.BlockingPublisher") as replaced:
        handler = publisher.ImpProfHandler("rabbit")
        setting.profiler.add_handler(handler)
        setting.call()
    made = replaced.return_value
    [call] = made.publish.call_args_list
    return [[name for name, _, _ in made.mock_calls], plain(call.args)]


@replacement()
def a_specified_mock_of_publishers() -> Any:
    with mock.patch("phanos.publisher.BlockingPublisher", autospec=True) as replaced:
        handler = publisher.ImpProfHandler("rabbit")
        handler.handle([RECORD])
    return [name for name, _, _ in replaced.return_value.mock_calls]


@replacement()
def a_subclass_of_publishers() -> Any:
    calls = Calls()

    class Own(messaging.BlockingPublisher):
        connect = calls.noting("connect")
        close = calls.noting("close")
        publish = calls.noting("publish", True)

    with mock.patch("phanos.publisher.BlockingPublisher", Own):
        handler = publisher.ImpProfHandler("rabbit", **ARGUMENTS)
    handler.handle([RECORD])
    return [[name for name, _, _ in calls.made], handler.publisher.retry]


@replacement("ConnectionError", "OSError", "ValueError")
def a_connection_that_fails(kind: str) -> Any:
    logger = mock.Mock()
    error = getattr(builtins, kind)("gone")
    with mock.patch.object(messaging.BlockingPublisher, "connect", side_effect=error):
        try:
            publisher.ImpProfHandler("rabbit", logger=logger)
        except Exception as error:
            return [repr(error), repr(error.__cause__), [plain(c) for c in logger.mock_calls]]
    return "made"


@replacement()
def network_errors() -> Any:
    class OwnError(Exception):
        pass

    with (
        mock.patch("phanos.publisher.NETWORK_ERRORS", (OwnError,)),
        mock.patch.object(messaging.BlockingPublisher, "connect", side_effect=OwnError("gone")),
    ):
        try:
            publisher.ImpProfHandler("rabbit")
        except RuntimeError as error:
            return [str(error), repr(error.__cause__)]
    return "made"


@replacement()
def methods_of_the_class_of_publishers() -> Any:
    calls = Calls()
    handler = connecting(calls)
    setting = Setting()
    setting.profiler.add_handler(handler)
    with mock.patch.object(messaging.BlockingPublisher, "publish", calls.noting("publish", True)):
        setting.call()
        setting.call()
    return calls.made


@replacement("before", "after")
def the_publisher_of_a_handler(when: str) -> Any:
    calls = Calls()
    handler = connecting(calls)
    setting = Setting()
    if when == "before":
        handler.publisher = fake_publisher(calls)
    setting.profiler.add_handler(handler)
    if when == "after":
        handler.publisher = fake_publisher(calls)
    setting.call()
    return calls.made


@replacement("before", "after")
def a_method_of_the_publisher_of_a_handler(when: str) -> Any:
    calls = Calls()
    handler = connecting(calls)
    setting = Setting()
    if when == "after":
        setting.profiler.add_handler(handler)
    handler.publisher.publish = calls.noting("publish", True)
    if when == "before":
        setting.profiler.add_handler(handler)
    setting.call()
    return calls.made


@replacement()
def the_class_of_asynchronous_publishers() -> Any:
    calls = Calls()

    async def main() -> None:
        setting = Setting(is_async=True)
        with mock.patch("phanos.publisher.AsyncioPublisher") as replaced:
            replaced.side_effect = calls.noting("constructed", fake_async_publisher(calls))
            handler = await publisher.AsyncImpProfHandler.create("rabbit", **ARGUMENTS)
        setting.profiler.add_handler(handler)
        await setting.call_async()
        await setting.call_async()

    asyncio.run(main())
    return calls.made


@replacement("class", "publisher")
def asynchronous_publishers(what: str) -> Any:
    calls = Calls()

    async def main() -> None:
        setting = Setting(is_async=True)
        kind = messaging.AsyncioPublisher
        with (
            mock.patch.object(kind, "connect", calls.awaited("connect")),
            mock.patch.object(kind, "close", calls.awaited("close")),
        ):
            handler = await publisher.AsyncImpProfHandler.create("rabbit")
        setting.profiler.add_handler(handler)
        if what == "class":
            with mock.patch.object(kind, "publish", calls.awaited("publish", True)):
                await setting.call_async()
        else:
            handler.publisher = fake_async_publisher(calls)
            await setting.call_async()

    asyncio.run(main())
    return calls.made


@replacement()
def an_asynchronous_connection_that_fails() -> Any:
    failing = mock.AsyncMock(side_effect=ConnectionError("gone"))

    async def main() -> Any:
        with mock.patch.object(messaging.AsyncioPublisher, "connect", failing):
            try:
                await publisher.AsyncImpProfHandler.create("rabbit")
            except RuntimeError as error:
                return [str(error), repr(error.__cause__)]

    return asyncio.run(main())


@replacement(("module", "before"), ("module", "after"))
def log_error_profiling(where: str, when: str) -> Any:
    calls = Calls()
    setting = Setting()
    handler = connecting(Calls())
    handler.publisher = fake_publisher(calls)
    noting = calls.noting("log_error_profiling")
    if when == "after":
        setting.profiler.add_handler(handler)
    with mock.patch("phanos.publisher.log_error_profiling", noting):
        if when == "before":
            setting.profiler.add_handler(handler)
        setting.call()
    return calls.made


@replacement("class", "object")
def handle_of_rabbitmq_handlers(where: str) -> Any:
    calls = Calls()
    setting = Setting()
    handler = connecting(Calls())
    setting.profiler.add_handler(handler)
    target = publisher.ImpProfHandler if where == "class" else handler
    with mock.patch.object(target, "handle", calls.noting("handle")):
        setting.call()
    return [call[0] for call in calls.made]


@replacement()
def the_class_of_an_asynchronous_handler_in_settings() -> Any:
    calls = Calls()

    class Own(publisher.AsyncBaseHandler):
        @classmethod
        async def create(cls, handler_name: str, **arguments: Any) -> Any:
            calls.made.append(["create", handler_name, plain(arguments)])
            return cls(handler_name)

        handle = calls.awaited("handle")

    async def main() -> Any:
        profiler = publisher.Profiler()
        arguments = {"handler_name": "rabbit", "host": "nowhere.example"}
        settings = {"key": {"class": "phanos.publisher.AsyncImpProfHandler", **arguments}}
        with mock.patch("phanos.publisher.AsyncImpProfHandler", Own):
            await profiler.async_dict_config(
                {"job": "JOB", "time_profile": True, "handlers": settings}
            )

        @profiler.profile
        async def root() -> str:
            return "result"

        return [await root(), len(calls.made), calls.made[0]]

    return asyncio.run(main())


@replacement("class", "object")
def handle_of_an_asynchronous_handler(where: str) -> Any:
    calls = Calls()

    async def main() -> Any:
        profiler = publisher.Profiler()
        profiler.async_config(job="JOB", time_profile=True)
        with mock.patch("phanos.publisher.AsyncioPublisher") as replaced:
            replaced.return_value = fake_async_publisher(calls)
            handler = await publisher.AsyncImpProfHandler.create("rabbit")
        profiler.add_handler(handler)

        @profiler.profile
        async def root() -> str:
            return "result"

        target: Any = publisher.AsyncImpProfHandler if where == "class" else handler
        with mock.patch.object(target, "handle", calls.awaited("handle")):
            replaced_result = await root()
        return [replaced_result, await root(), [name for name, *_ in calls.made]]

    return asyncio.run(main())


@replacement("mock", "function")
def the_class_of_a_handler_in_settings(kind: str) -> Any:
    calls = Calls()
    profiler = publisher.Profiler()
    settings = {
        "job": "JOB",
        "time_profile": True,
        "handlers": {
            "key": {
                "class": "phanos.publisher.ImpProfHandler",
                "handler_name": "rabbit",
                "host": "nowhere.example",
            }
        },
    }
    made = mock.MagicMock()
    new = made if kind == "mock" else lambda **arguments: made.return_value
    with mock.patch("phanos.publisher.ImpProfHandler", new):
        made.return_value.handle.side_effect = calls.noting("handle")
        profiler.dict_config(settings)

        @profiler.profile
        def root() -> str:
            return "result"

        result = root()
    [(_, [records, name], _)] = calls.made
    return [
        result,
        [plain(call) for call in made.call_args_list],
        [record["method"] for record in records],
        name,
        list(profiler.handlers.values()) == [made.return_value],
    ]


@replacement()
def values_with_a_meaning() -> Any:
    """What 0.3.2 accepts and gives a meaning to."""
    given: list[dict[str, Any]] = [
        {"retry": -1},
        {"retry": 0},
        {"port": "5672"},
        {"port": 5672.0},
        {"user": "", "password": ""},
        {"timeout": None, "heartbeat": None},
        {"heartbeat": 0},
        {"socket_timeout": None, "stack_timeout": None},
    ]
    outcomes = []
    for arguments in given:
        made = messaging.BlockingPublisher(**arguments)
        parameters = made.connection_parameters
        outcomes.append(
            [
                made.retry,
                parameters.connection_attempts,
                parameters.port,
                parameters.heartbeat,
            ]
        )
    return outcomes
