"""Connection arguments of handlers and publishers: taken as 0.3.2 takes them, checked at once."""

from __future__ import annotations

import enum
import inspect
import logging
import ssl
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, get_type_hints

import pika
import pytest
from async_tests import async_test
from certificates import Authority
from phanos import messaging, publisher

from tools.rabbitmq import Node

DEFAULTS = {
    "host": "127.0.0.1",
    "port": 5672,
    "user": None,
    "password": None,
    "heartbeat": 47,
    "timeout": 23,
    "retry_delay": 0.137,
    "retry": 3,
    "exchange_name": "profiling",
    "exchange_type": "fanout",
    "logger": None,
}
# By keyword, as pika names them, each with a value that is not the default.
FURTHER: dict[str, Any] = {
    "virtual_host": "/",
    "channel_max": 7,
    "frame_max": 8192,
    "locale": "cs_CZ",
    "client_properties": {"product": "mine"},
    "socket_timeout": 5,
    "stack_timeout": 7.5,
    "tcp_options": {"TCP_KEEPIDLE": 60, "TCP_USER_TIMEOUT": 3000},
    "ssl_options": None,
}
Maker = Callable[..., Any]


def async_handler(**arguments: Any) -> Any:
    return publisher.AsyncImpProfHandler("rabbit", **arguments)


def sync_handler(**arguments: Any) -> Any:
    return publisher.ImpProfHandler("rabbit", **arguments)


# What connects nowhere when it is made, and so is made anywhere.
UNCONNECTED = [async_handler, messaging.BlockingPublisher, messaging.AsyncioPublisher]
ALL = [sync_handler, *UNCONNECTED]


@pytest.mark.parametrize(
    "made",
    [
        publisher.ImpProfHandler,
        publisher.AsyncImpProfHandler,
        publisher.AsyncImpProfHandler.create,
        messaging.BlockingPublisher,
        messaging.AsyncioPublisher,
        messaging.BasePublisher,
    ],
)
def test_defaults_are_those_of_0_3_2(made: Maker) -> None:
    parameters = list(inspect.signature(made).parameters.values())
    if parameters[0].name == "handler_name":
        del parameters[0]
    positional = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert {one.name: one.default for one in positional} == DEFAULTS
    assert [one.name for one in positional] == list(DEFAULTS)
    assert parameters[-1].kind is inspect.Parameter.VAR_KEYWORD


@pytest.mark.parametrize("made", UNCONNECTED)
def test_parameters_are_kept_under_the_names_of_pika(made: Maker) -> None:
    given = made(
        host="broker.example",
        port=1234,
        user="me",
        password="sesame",
        heartbeat=5,
        timeout=6,
        retry_delay=0.5,
        retry=2,
        exchange_name="mine",
        exchange_type="topic",
        **FURTHER,
    )
    given = getattr(given, "publisher", given)
    parameters = given.connection_parameters
    pikas = pika.ConnectionParameters(
        host="broker.example",
        port=1234,
        heartbeat=5,
        blocked_connection_timeout=6,
        retry_delay=0.5,
        connection_attempts=2,
        **{name: value for name, value in FURTHER.items() if name != "ssl_options"},
    )
    for name in (
        *("host", "port", "heartbeat", "blocked_connection_timeout", "retry_delay"),
        *("connection_attempts", *FURTHER),
    ):
        assert getattr(parameters, name) == getattr(pikas, name), name
    assert (given.exchange_name, given.exchange_type, given.retry) == ("mine", "topic", 2)


@pytest.mark.parametrize("made", ALL)
def test_every_argument_is_taken_to_the_broker(made: Maker, broker: Node) -> None:
    given = made(port=broker.port, heartbeat=0, timeout=None, retry=1, retry_delay=0, **FURTHER)
    if isinstance(given, messaging.BlockingPublisher):
        given.connect()
        assert given.is_connected()
        given.close()


@pytest.mark.parametrize("made", ALL)
@pytest.mark.parametrize("name", ["pasword", "credentials", "blocked_connection_timeout"])
def test_an_unknown_argument_is_named_and_not_shown(made: Maker, name: str) -> None:
    with pytest.raises(TypeError, match=rf"unexpected connection arguments: {name};") as caught:
        made(**{name: "sesame"})
    assert "sesame" not in str(caught.value)


@async_test
async def test_create_checks_its_arguments() -> None:
    with pytest.raises(TypeError, match="bogus"):
        await publisher.AsyncImpProfHandler.create("rabbit", bogus=1)
    with pytest.raises(TypeError, match="retry must be an int"):
        await publisher.AsyncImpProfHandler.create("rabbit", retry="3")  # type: ignore[arg-type]


WRONG_TYPES: list[tuple[str, Any, str]] = [
    ("host", None, "host must be a str, got None"),
    ("host", b"localhost", r"host must be a str, got b'localhost'"),
    ("port", "amqp", "port must be an int, got 'amqp'"),
    ("port", 5672.5, "port must be an int, got 5672.5"),
    ("port", "²", "port must be an int, got '²'"),
    ("user", 5, "user must be a str, got 5"),
    ("password", 12345, "password must be a str, got int"),
    ("heartbeat", "47", "heartbeat must be an int, got '47'"),
    ("heartbeat", True, "heartbeat must be an int, got True"),
    ("timeout", "23", "timeout must be a number of seconds, got '23'"),
    ("retry_delay", None, "retry_delay must be a number of seconds, got None"),
    ("retry", 2.5, "retry must be an int, got 2.5"),
    ("exchange_name", 5, "exchange_name must be a str, got 5"),
    ("exchange_type", 5, "exchange_type must be a str, got 5"),
    ("logger", 5, "logger must be a logger or the name of one, got 5"),
    ("virtual_host", 5, "virtual_host must be a str, got 5"),
    ("channel_max", "5", "channel_max must be an int, got '5'"),
    ("client_properties", [], r"client_properties must be a dict, got \[\]"),
    ("tcp_options", 5, "tcp_options must be a dict, got 5"),
    ("tcp_options", {"TCP_KEEPIDLE": "5"}, "TCP_KEEPIDLE must be an int, got '5'"),
    ("ssl_options", {"ca_file": 5}, "ca_file must be a str, got 5"),
    ("buffer_bytes", 1.5, "buffer_bytes must be an int, got 1.5"),
    ("spool_directory", 5, "spool_directory must be a path, got 5"),
    ("spool_bytes", "5", "spool_bytes must be an int, got '5'"),
]
WRONG_VALUES: list[tuple[str, Any, str]] = [
    ("host", "amqp://me:sesame@host", "host must be a host name or an address"),
    ("host", "nul\0", "host must be without NUL"),
    ("host", "broker:5672", "host must be a host name or an address without a port"),
    ("host", "[::1]:5672", "host must be a host name or an address without a port"),
    ("host", "[broker]", "host must be a host name or an address without a port"),
    ("host", " broker", "host must be a host name or an address, got spaces or nothing"),
    ("host", "", "host must be a host name or an address, got spaces or nothing"),
    ("port", 70000, "port must be from 0 to 65535, got 70000"),
    ("port", -1, "port must be from 0 to 65535, got -1"),
    ("password", "sesame\udc80", "password must be without NUL and lone surrogates"),
    ("heartbeat", 2**31, "heartbeat must be from 0 to 2147483647, got 2147483648"),
    ("timeout", -1, "timeout must be from 0"),
    ("timeout", float("nan"), "timeout must be from 0"),
    ("retry_delay", -0.1, "retry_delay must be from 0"),
    ("exchange_name", "x" * 256, "exchange_name must have at most 255 bytes, got 256"),
    ("exchange_type", "é" * 128, "exchange_type must have at most 255 bytes, got 256"),
    ("virtual_host", "x" * 256, "virtual_host must have at most 255 bytes, got 256"),
    ("locale", "x" * 256, "locale must have at most 255 bytes, got 256"),
    ("channel_max", 0, "channel_max must be from 1 to 65535, got 0"),
    ("frame_max", 4095, "frame_max must be from 4096 to 131072, got 4095"),
    ("frame_max", 131073, "frame_max must be from 4096 to 131072, got 131073"),
    ("socket_timeout", 0, "socket_timeout must be more than 0 seconds, got 0"),
    ("client_properties", {"a": 5}, "only a str by a str can be sent, got 'a': 5"),
    ("client_properties", {"k" * 256: "v"}, "a key must have at most 255 bytes"),
    ("tcp_options", {"TCP_NODELAY": 1}, r"got \['TCP_NODELAY'\]"),
    ("buffer_bytes", 0, "buffer_bytes must be from 1"),
]


@pytest.mark.parametrize("made", ALL)
def test_wrong_types_are_refused_at_once(made: Maker) -> None:
    for name, value, message in WRONG_TYPES:
        with pytest.raises(TypeError, match=message):
            made(**{name: value})


@pytest.mark.parametrize("made", ALL)
def test_wrong_values_are_refused_at_once(made: Maker) -> None:
    for name, value, message in WRONG_VALUES:
        with pytest.raises(ValueError, match=message) as caught:
            made(**{name: value})
        assert "sesame" not in repr(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("made", UNCONNECTED)
def test_options_of_tls(made: Maker, authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue("client", "client.example")
    files = {"cert_file": issued.certificate, "key_file": str(issued.key)}
    for accepted in (
        True,
        False,
        None,
        {},
        {"ca_file": issued.authority},
        {"ca_file": str(issued.authority), **files, "server_hostname": "localhost"},
        {"ca_file": None, "server_hostname": None},
    ):
        made(ssl_options=accepted)
    empty = tmp_path / "empty.pem"
    empty.touch()
    missing = tmp_path / "missing.pem"
    for refused, message in (
        (ssl.create_default_context(), "SSLContext cannot be honoured"),
        (pika.SSLOptions(ssl.create_default_context()), "SSLOptions cannot be honoured"),
        ("yes", "str cannot be honoured"),
        (1, "int cannot be honoured"),
        ({"verify": False}, r"got \['verify'\]; certificates are always verified"),
        ({"ca_file": missing}, f"ca_file {missing} cannot be read: No such file"),
        ({"ca_file": empty}, f"ca_file {empty}: no certificate in it"),
        ({"cert_file": issued.certificate}, "cert_file and key_file are given together"),
        ({"key_file": issued.key}, "cert_file and key_file are given together"),
        ({**files, "key_file": issued.certificate}, f"key_file {issued.certificate} holds no"),
        ({"server_hostname": "not a name"}, "server_hostname"),
    ):
        with pytest.raises(ValueError, match=message):
            made(ssl_options=refused)


class ExchangeType(str, enum.Enum):
    """As aio-pika has it."""

    FANOUT = "fanout"


class PlainType(enum.Enum):
    """As it would be without `str`."""

    TOPIC = "topic"


@pytest.mark.parametrize("made", UNCONNECTED)
def test_odd_forms_that_0_3_2_takes(made: Maker) -> None:
    for given, expected in ((ExchangeType.FANOUT, "fanout"), (PlainType.TOPIC, "topic")):
        one = made(exchange_type=given)
        one = getattr(one, "publisher", one)
        assert one.exchange_type == expected
        assert type(one.exchange_type) is str
    for port in ("5672", 5672.0, 5672):
        one = made(port=port, heartbeat=None, timeout=0, retry=-1, user="", password="")
        one = getattr(one, "publisher", one)
        parameters = one.connection_parameters
        assert (parameters.port, parameters.heartbeat, parameters.user) == (5672, None, "guest")
        assert (one.retry, parameters.connection_attempts) == (0, 1)
        assert parameters.blocked_connection_timeout > 1e6
    one = made(socket_timeout=None, stack_timeout=None)
    parameters = getattr(one, "publisher", one).connection_parameters
    assert min(parameters.socket_timeout, parameters.stack_timeout) > 1e6


@pytest.mark.parametrize("made", UNCONNECTED)
def test_any_real_number_is_one(made: Maker) -> None:
    class Five:
        def __index__(self) -> int:
            return 5

    one = made(heartbeat=Five(), retry=Five(), timeout=Fraction(1, 2), retry_delay=Decimal("0.5"))
    one = getattr(one, "publisher", one)
    parameters = one.connection_parameters
    assert (parameters.heartbeat, one.retry) == (5, 5)
    assert (parameters.blocked_connection_timeout, parameters.retry_delay) == (0.5, 0.5)


@pytest.mark.parametrize("made", UNCONNECTED)
@pytest.mark.parametrize("host", ["::1", "[::1]", "fe80::1%eth0"])
def test_an_address_of_ipv6_is_a_host(made: Maker, host: str) -> None:
    one = made(host=host)
    assert getattr(one, "publisher", one).connection_parameters.host == host.strip("[]")


@pytest.mark.parametrize("made", UNCONNECTED)
def test_a_logger_is_an_object_or_a_name(made: Maker) -> None:
    adapter = logging.LoggerAdapter(logging.getLogger("adapted"), {})
    for given, expected in (
        ("named", logging.getLogger("named")),
        (logging.getLogger("object"), logging.getLogger("object")),
        (adapter, adapter),
    ):
        assert made(logger=given).logger is expected
    default = "phanos.publisher" if made is async_handler else "phanos.messaging"
    assert made().logger is logging.getLogger(default)


def test_handlers_need_a_name(broker: Node) -> None:
    for handler in (publisher.ImpProfHandler, publisher.AsyncImpProfHandler):
        for name in ("", None, 5):
            with pytest.raises(TypeError, match="handler_name"):
                handler(name, port=broker.port)  # type: ignore[arg-type]


@pytest.mark.parametrize("made", [sync_handler, async_handler])
def test_synchronous_is_a_bool(made: Maker) -> None:
    with pytest.raises(TypeError, match="synchronous must be a bool, got 'yes'"):
        made(synchronous="yes")


@pytest.mark.parametrize(
    "function",
    [
        publisher.ImpProfHandler.__init__,
        publisher.AsyncImpProfHandler.create,
        messaging.BlockingPublisher.__init__,
    ],
)
def test_types_can_be_read_at_run_time(function: Callable[..., Any]) -> None:
    hints = get_type_hints(function)
    assert (hints["port"], hints["retry_delay"]) == (int, float)
    assert hints["host"] == str | Sequence[str]
    assert list(hints)[-2:] == ["kwargs", "return"]


@pytest.mark.parametrize("made", UNCONNECTED[1:])
def test_arguments_of_handlers_alone_are_unknown_to_publishers(made: Maker) -> None:
    for name in ("handler_name", "synchronous"):
        with pytest.raises(TypeError, match=f"unexpected connection arguments: {name}; known are"):
            made(**{name: "any"})
