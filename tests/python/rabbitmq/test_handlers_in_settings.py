"""RabbitMQ handlers where the documentation puts them: in settings, and beside others."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import phanos
import pytest
from async_tests import async_test
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler, LoggerHandler, Profiler
from receiver import Receiver
from support import output_of

from tools.rabbitmq import Node


@pytest.fixture
def profiler() -> Iterator[Profiler]:
    made = Profiler()
    yield made
    for handler in list(made.handlers.values()):
        if isinstance(handler, ImpProfHandler):
            handler.close()


def settings(handler: Any, port: int, **arguments: Any) -> dict[str, Any]:
    """Return settings in the form of the documentation."""
    return {
        "job": "my_app",
        "logger": "my_app_debug_logger",
        "time_profile": True,
        "response_size_profile": True,
        "handle_records": True,
        "handlers": {
            "rabbit_ref": {
                "class": handler,
                "handler_name": "rabbit",
                "port": port,
                "user": "guest",
                "password": "guest",
                "logger": "my_app_debug_logger",
                **arguments,
            },
            "text_ref": {
                "class": "phanos.handlers.StreamHandler",
                "handler_name": "text",
                "output": io.StringIO(),
            },
        },
    }


@pytest.mark.parametrize(
    "named",
    ["phanos.publisher.ImpProfHandler", "phanos.handlers.ImpProfHandler", ImpProfHandler],
)
def test_dict_config(named: Any, profiler: Profiler, broker: Node, receiver: Receiver) -> None:
    given = settings(named, broker.port, exchange_type="fanout", heartbeat=30)
    profiler.dict_config(given)
    handler = profiler.handlers["rabbit"]
    assert type(handler) is ImpProfHandler
    assert handler.logger.name == "my_app_debug_logger"
    assert handler.publisher.connection_parameters.heartbeat == 30
    assert set(given["handlers"]["rabbit_ref"]) >= {"class", "password"}, "settings stay as written"

    @profiler.profile
    def root() -> int:
        return 1

    assert root() == 1
    assert profiler.flush(20)
    messages = receiver.wait_for_messages(2)
    assert {message.routing_key for message in messages} == {"my_app"}
    assert [message.records[0]["units"] for message in messages] == ["mS", "B"]


@async_test
async def test_async_dict_config(profiler: Profiler, broker: Node, receiver: Receiver) -> None:
    given = settings("phanos.publisher.AsyncImpProfHandler", broker.port)
    given["handlers"]["other_ref"] = {
        "class": "phanos.publisher.ImpProfHandler",
        "handler_name": "sync",
        "port": broker.port,
    }
    await profiler.async_dict_config(given)
    assert type(profiler.handlers["rabbit"]) is AsyncImpProfHandler
    assert type(profiler.handlers["sync"]) is ImpProfHandler

    @profiler.profile
    async def root() -> None:
        await asyncio.sleep(0)

    await root()
    assert await profiler.aflush(20)
    records = receiver.wait_for_records(4)
    assert [record["units"] for record in records].count("mS") == 2
    handler: Any = profiler.handlers["rabbit"]
    await handler.close()


def test_an_asynchronous_handler_is_refused_by_dict_config(
    profiler: Profiler, broker: Node
) -> None:
    with pytest.raises(ValueError, match="async"):
        profiler.dict_config(settings("phanos.publisher.AsyncImpProfHandler", broker.port))
    assert profiler.handlers == {}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"port": 1, "retry": 1}, RuntimeError),
        ({"bogus": 1}, TypeError),
        ({"retry_delay": -1}, ValueError),
    ],
)
def test_a_handler_that_cannot_be_made_changes_nothing(
    arguments: dict[str, Any], error: type[Exception], profiler: Profiler, broker: Node
) -> None:
    for method in (
        profiler.dict_config,
        lambda given: asyncio.run(profiler.async_dict_config(given)),
    ):
        for handler in (ImpProfHandler, AsyncImpProfHandler):
            if handler is AsyncImpProfHandler and method == profiler.dict_config:
                continue
            given = settings(handler, broker.port)
            given["handlers"]["rabbit_ref"].update(arguments)
            with pytest.raises(error):
                method(given)
            assert profiler.handlers == {}
            assert profiler.metrics == {}


def test_the_imports_of_the_first_generation(broker: Node, receiver: Receiver) -> None:
    class SomeApp:
        """some code"""

        phanos.profiler.config(None, True, True, True)
        log_handler = LoggerHandler("logger_name")
        phanos.profiler.addHandler(log_handler)
        phanos.profiler.addHandler(ImpProfHandler("imp_prof", port=broker.port))

        @staticmethod
        @phanos.profile
        def some_method() -> None:
            pass

    SomeApp.some_method()
    assert phanos.profiler.flush(20)
    assert {record["units"] for record in receiver.wait_for_records(2)} == {"mS", "B"}
    phanos.profiler.deleteHandler("imp_prof")


def test_records_of_a_handler_that_is_deleted_or_replaced_go_out(
    profiler: Profiler, broker: Node, receiver: Receiver
) -> None:
    profiler.config(job="JOB")

    @profiler.profile
    def root() -> None:
        pass

    for number in range(3):
        profiler.add_handler(ImpProfHandler("rabbit", port=broker.port))
        root()
        if number == 0:
            profiler.delete_handler("rabbit")
    assert profiler.flush(20)
    assert len(receiver.wait_for_records(3)) == 3


@pytest.mark.every_version
def test_a_program_that_just_ends(broker: Node, receiver: Receiver) -> None:
    output_of(
        f"""
        import asyncio, phanos
        from phanos.publisher import AsyncImpProfHandler, ImpProfHandler

        @phanos.profile
        async def work():
            pass

        async def main():
            phanos.profiler.async_config(job="JOB")
            phanos.profiler.add_handler(ImpProfHandler("sync", port={broker.port}))
            phanos.profiler.add_handler(
                await AsyncImpProfHandler.create("async", port={broker.port})
            )
            await work()

        asyncio.run(main())
        """
    )
    assert len(receiver.wait_for_records(2)) == 2
