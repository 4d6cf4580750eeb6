"""
Intended differences of RabbitMQ handlers and publishers, as far as they show without a broker.

The others are tested in `tests/python/rabbitmq`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any

from differences import difference, has, outcome
from phanos import messaging, publisher

RECORD: Any = {
    "item": "A",
    "metric": "histogram",
    "units": "mS",
    "job": "JOB",
    "method": "A:root",
    "labels": {},
    "value": ("observe", 1.0),
}
# Port 1 on loopback: no program listens there, so that a connection is refused at once.
NOWHERE: dict[str, Any] = {"host": "127.0.0.1", "port": 1, "retry": 1}


@difference(
    "R01", upstream=["AMQPConnectionError"] * 2, ours=["RabbitMQError: ConnectionError"] * 2
)
def publishing_without_a_broker() -> Any:
    def named(call: Any) -> str:
        try:
            call()
        except messaging.NETWORK_ERRORS as error:
            kinds = [kind.__name__ for kind in type(error).__mro__[:2]]
            return ": ".join(kinds) if type(error).__module__.startswith("phanos") else kinds[0]
        return "returned"

    blocking = messaging.BlockingPublisher(**NOWHERE)
    waiting = messaging.AsyncioPublisher(**NOWHERE)
    return [
        named(lambda: blocking.publish([RECORD])),
        named(lambda: asyncio.run(waiting.publish([RECORD]))),
    ]


@difference("R02", upstream="AMQPConnectionError", ours="returned")
def handing_over_without_a_broker() -> Any:
    handler = publisher.AsyncImpProfHandler("rabbit", logger="quiet", **NOWHERE)
    return outcome(lambda: asyncio.run(handler.handle([RECORD])))


@difference("R03", upstream=["TypeError", "TypeError"], ours=["ValueError", "returned"])
def encrypted_connections() -> Any:
    return [
        outcome(lambda options=options: messaging.BlockingPublisher(ssl_options=options))
        for options in (ssl.create_default_context(), True)
    ]


@difference("R04", upstream=["returned"] * 3 + [0], ours=["ValueError"] * 3 + [0])
def values_that_make_no_sense() -> Any:
    given: list[dict[str, Any]] = [
        {"port": 70000},
        {"retry_delay": -1},
        {"exchange_name": "x" * 300},
    ]
    refused = [
        outcome(lambda arguments=arguments: messaging.BlockingPublisher(**arguments))
        for arguments in given
    ]
    return [*refused, messaging.BlockingPublisher(retry=-1).retry]


@difference("R05", upstream=True, ours=False)
def unknown_arguments_in_errors() -> Any:
    try:
        messaging.BlockingPublisher(pasword="sesame")
    except TypeError as error:
        return "sesame" in str(error)
    return None


@difference("R06", upstream="str", ours="Logger")
def a_publishers_logger_by_name() -> Any:
    made: Any = messaging.BlockingPublisher(logger="named")  # type: ignore[arg-type]
    return type(made.logger).__name__


@difference("R07", upstream=[True, True, True], ours=[False, False, False])
def libraries_underneath() -> Any:
    return has(messaging, "pika", "aio_pika", "orjson")


@difference("R08", upstream="sesame", ours=None)
def the_password_in_a_publisher() -> Any:
    parameters: Any = messaging.BlockingPublisher(password="sesame").connection_parameters
    return getattr(getattr(parameters, "credentials", None), "password", None)


@difference("R09", upstream=[False, False, False], ours=[True, True, True])
def what_a_handler_can_be_asked_for() -> Any:
    return has(publisher.ImpProfHandler, "flush", "close", "stats")


@difference("R10", upstream=False, ours=True)
def asynchronous_attempts() -> Any:
    made = messaging.AsyncioPublisher(host="127.0.0.1", port=1, retry=3, retry_delay=0.1)
    start = time.monotonic()
    outcome(lambda: asyncio.run(made.connect()))
    return time.monotonic() - start >= 0.2


@difference("R11", upstream=["returned"] * 2, ours=["ValueError", "returned"])
def hosts_with_ports_or_brackets() -> Any:
    return [
        outcome(lambda host=host: messaging.BlockingPublisher(host=host))
        for host in ("broker:5672", "[::1]")
    ]


@difference("R12", upstream="returned", ours="TypeError")
def booleans_for_numbers() -> Any:
    return outcome(lambda: messaging.BlockingPublisher(heartbeat=True))


@difference(
    "R13",
    upstream="Cannot connect to RabbitMQ",
    ours="Cannot connect to RabbitMQ: amqp://127.0.0.1:1: Connection refused (os error 111)",
)
def what_is_said_where_no_broker_is() -> Any:
    try:
        publisher.ImpProfHandler("rabbit", port=1, retry=1)
    except RuntimeError as error:
        return str(error)


@difference("R14", upstream=["returned"] * 3, ours=["TypeError", "ValueError", "returned"])
def values_of_other_kinds() -> Any:
    return [
        outcome(lambda: messaging.BlockingPublisher(heartbeat=lambda connection, proposed: 5)),
        outcome(lambda: messaging.BlockingPublisher(client_properties={"version": 5})),
        outcome(lambda: messaging.BlockingPublisher(heartbeat=70_000)),
    ]
