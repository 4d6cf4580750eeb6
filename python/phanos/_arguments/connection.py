"""Arguments of the handlers and publishers for RabbitMQ: listed, checked, and as settings."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Literal,
    NamedTuple,
    ParamSpec,
    TypedDict,
)

from phanos.types import LoggerLike

from .broker_url import with_url
from .checks import (
    LONGEST_S,
    directory,
    is_sendable,
    mapping,
    port_of,
    seconds_of,
    text_without_nul,
    whole,
)
from .suggestions import did_you_mean

if TYPE_CHECKING:
    from typing_extensions import Unpack

P = ParamSpec("P")

SPOOL_ADOPT_S = 10.0
"""Seconds between two searches of a spool directory for files of dead processes."""

_GUEST = "guest"


class ConnectionOptions(TypedDict, total=False):
    """pika's connection parameters that are taken by keyword."""

    virtual_host: str | None
    channel_max: int | None
    frame_max: int | None
    locale: str | None
    client_properties: Mapping[str, str] | None
    socket_timeout: float | None
    stack_timeout: float | None
    tcp_options: Mapping[str, int] | None
    ssl_options: bool | Mapping[str, str | os.PathLike[str] | None] | None


def handler_arguments(
    handler_name: str,
    host: str | Sequence[str] = "127.0.0.1",
    port: int = 5672,
    user: str | None = None,
    password: str | None = None,
    heartbeat: int = 47,
    timeout: float = 23,
    retry_delay: float = 0.137,
    retry: int = 3,
    exchange_name: str = "profiling",
    exchange_type: Any = "fanout",
    logger: LoggerLike | str | None = None,
    *,
    url: str | None = None,
    connect: Literal["eager", "lazy"] = "eager",
    synchronous: bool = False,
    buffer_bytes: int = 64 * 1024 * 1024,
    spool_directory: str | None = None,
    spool_bytes: int = 1024 * 1024 * 1024,
    **kwargs: Unpack[ConnectionOptions],
) -> dict[str, Any]:
    """
    Return the arguments of a handler for RabbitMQ by name.

    This is where the arguments of all handlers and publishers are listed, with their defaults;
    `declares` shows them to type checkers and in signatures. The default buffer holds about
    2.5 million records.

    Further arguments are checked where a publisher gets them: users' own may take others.
    """
    arguments: dict[str, Any] = locals()
    options: Mapping[str, Any] = arguments.pop("kwargs")
    return with_url({**arguments, **options}, _DEFAULTS)


def for_any_publisher(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a handler's arguments for a publisher, as 0.3.2 gives them to one.

    What only this package has is left out unless it was chosen: users put publishers of their own
    in the place of ours.
    """
    return {
        name: value
        for name, value in arguments.items()
        if name not in _OF_HANDLERS_ALONE and (name not in _ADDED or value != _ADDED[name])
    }


_OF_HANDLERS_ALONE = frozenset({"handler_name", "connect", "synchronous"})


def _for_publishers(
    arguments: Callable[Concatenate[str, P], dict[str, Any]],
) -> Callable[P, dict[str, Any]]:
    def publisher_arguments(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        _refuse_unknown(_OF_HANDLERS_ALONE.intersection(kwargs))
        given = arguments("", *args, **kwargs)
        _refuse_unknown(given.keys() - _LISTED)
        return {name: given[name] for name in given if name not in _OF_HANDLERS_ALONE}

    handler_signature = inspect.signature(arguments)
    parameters = [
        parameter
        for name, parameter in handler_signature.parameters.items()
        if name not in _OF_HANDLERS_ALONE
    ]
    shown: Any = publisher_arguments
    shown.__signature__ = handler_signature.replace(parameters=parameters)
    return publisher_arguments


_PARAMETERS = inspect.signature(handler_arguments).parameters
_LISTED = frozenset(_PARAMETERS)
_DEFAULTS = {name: parameter.default for name, parameter in _PARAMETERS.items()}
_ADDED = {
    name: parameter.default
    for name, parameter in _PARAMETERS.items()
    if parameter.kind is parameter.KEYWORD_ONLY and name != "url"
}
"""Arguments that 0.3.2 does not have, with their defaults."""

publisher_arguments = _for_publishers(handler_arguments)
"""Return the arguments of a publisher by name: a handler's without its name and `synchronous`."""


def _refuse_unknown(names: Iterable[str]) -> None:
    known = ConnectionOptions.__annotations__
    unknown = [name for name in names if name not in known]
    if unknown:
        # Names only: a misspelt password must not be printed.
        hint = did_you_mean(unknown[0], {*known, *_LISTED} - _OF_HANDLERS_ALONE - {"kwargs"})
        raise TypeError(
            f"unexpected connection arguments: {', '.join(sorted(unknown))}; "
            f"known are {', '.join(known)}{hint}"
        )


class ConnectionSettings(NamedTuple):
    """
    How a broker is reached, checked; attributes are named as pika names them.

    The native `Delivery` reads the attributes by these names. The password is not among them:
    it would be printed with the others.
    """

    host: str
    port: int
    other_hosts: list[tuple[str, int]]
    """Hosts and ports that are tried in turn where the first cannot be reached."""
    user: str
    virtual_host: str
    heartbeat: int | None
    """Seconds; 0: none; None: what the broker proposes."""
    blocked_connection_timeout: float
    """Seconds."""
    connection_attempts: int
    retry_delay: float
    """Seconds."""
    socket_timeout: float
    """Seconds."""
    stack_timeout: float
    """Seconds."""
    channel_max: int | None
    frame_max: int | None
    """Bytes."""
    locale: str
    client_properties: dict[str, str]
    tcp_options: dict[str, int]
    ssl_options: dict[str, str] | None
    """None: no TLS."""
    exchange_name: str
    exchange_type: str
    buffer_bytes: int
    spool_directory: str | None
    spool_bytes: int
    spool_adopt_s: float
    """Seconds between two searches for files of dead processes."""


def connection_settings(arguments: Mapping[str, Any]) -> ConnectionSettings:
    """
    Check connection arguments, given by name as `publisher_arguments` returns them.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a value out of range, or one that cannot be honoured.
    """
    heartbeat = arguments["heartbeat"]
    spool_bytes = whole("spool_bytes", arguments["spool_bytes"], 2**62)
    options = {name: check(name, arguments.get(name)) for name, check in _OPTIONS.items()}
    for name in ("socket_timeout", "stack_timeout"):
        if name in arguments and arguments[name] is None:
            options[name] = LONGEST_S  # As in pika: no timeout.
    (host, port), *others = _hosts(arguments["host"], port_of(arguments["port"]))
    return ConnectionSettings(
        host=host,
        port=port,
        other_hosts=others,
        user=text_without_nul("user", arguments["user"] or _GUEST),
        heartbeat=None if heartbeat is None else _heartbeat_of(heartbeat),
        blocked_connection_timeout=_timeout("timeout", arguments["timeout"]),
        connection_attempts=max(whole("retry", arguments["retry"], 2**31, -(2**31)), 1),
        retry_delay=seconds_of("retry_delay", arguments["retry_delay"]),
        exchange_name=_short_text("exchange_name", arguments["exchange_name"]),
        exchange_type=_exchange_type(arguments["exchange_type"]),
        buffer_bytes=whole("buffer_bytes", arguments["buffer_bytes"], 2**62, 1),
        spool_directory=directory("spool_directory", arguments["spool_directory"]),
        spool_bytes=spool_bytes,
        spool_adopt_s=SPOOL_ADOPT_S,
        **options,
    )


def password_of(given: Any) -> str:
    """
    Return the password, checked; None and the empty one mean guest. No error shows it.

    Raises:
        TypeError: not a str.
        ValueError: it cannot be sent.
    """
    if given is None or given == "":
        return _GUEST
    if not isinstance(given, str):
        raise TypeError(f"password must be a str, got {type(given).__name__}")
    if not is_sendable(given):
        raise ValueError("password must be without NUL and lone surrogates")
    return str(given)


def _exchange_type(given: Any) -> str:
    # A name, or a member of an enum such as pika's `ExchangeType`.
    return _short_text("exchange_type", getattr(given, "value", given))


def _short_text(name: str, value: Any) -> str:
    # AMQP writes its length into one byte.
    text = text_without_nul(name, value)
    size = len(text.encode())
    if size > _SHORT_BYTES:
        raise ValueError(f"{name} must have at most {_SHORT_BYTES} bytes, got {size}")
    return text


def _hosts(value: Any, port: int) -> list[tuple[str, int]]:
    """Return hosts and ports: `port`, unless one of several hosts has a port of its own."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        return [(_host(value), port)]
    given: Sequence[Any] = value  # pyright: ignore[reportUnknownVariableType]
    if not given:
        raise ValueError("host must be a host name, or several of them, got none")
    return [_host_and_port(one, port) for one in given]


def _host_and_port(value: Any, port: int) -> tuple[str, int]:
    # Not an IPv6 address without brackets, nor one with brackets and no port.
    if isinstance(value, str) and (value.count(":") == 1 or "]:" in value):
        value, _, own_port = value.rpartition(":")
        return _host(value), port_of(own_port)
    return _host(value), port


def _host(value: Any) -> str:
    # The value is not in these texts: a URL may have a password in it.
    if not isinstance(value, str):
        return text_without_nul("host", value)
    if any(mark in value for mark in "/@"):
        raise ValueError("host must be a host name or an address, got a URL or the like")
    if value.startswith("[") and value.endswith("]") and ":" in value:
        value = value[1:-1]  # An IPv6 address as URLs have it.
    if value.count(":") == 1 or "[" in value or "]" in value:
        raise ValueError(
            "host must be a host name or an address without a port: the port is an argument of "
            "its own, as in host='broker', port=5672"
        )
    if not value or any(character.isspace() for character in value):
        raise ValueError("host must be a host name or an address, got spaces or nothing")
    return text_without_nul("host", value)


def _heartbeat_of(value: Any) -> int:
    # The smaller of this and the broker's is used, and AMQP has none beyond 65,535.
    return min(whole("heartbeat", value, 2**31 - 1), 65_535)


def _timeout(name: str, value: Any) -> float:
    # As in pika, None and 0 mean that there is no timeout.
    return LONGEST_S if value is None or value == 0 else seconds_of(name, value)


_SHORT_BYTES = 255
# Bytes: the least that AMQP 0.9.1 allows, and the most that pika allows.
_SMALLEST_FRAME, _LARGEST_FRAME = 4096, 131_072


def _optional(check: Callable[[str, Any], Any], default: Any) -> Callable[[str, Any], Any]:
    return lambda name, value: default if value is None else check(name, value)


def _socket_timeout(name: str, value: Any) -> float:
    seconds = seconds_of(name, value)
    if seconds == 0:
        raise ValueError(f"{name} must be more than 0 seconds, got {value}")
    return seconds


def _client_properties(name: str, value: Any) -> dict[str, str]:
    given = mapping(name, value)
    for key, text in given.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise ValueError(f"{name}: only a str by a str can be sent, got {key!r}: {text!r}")
        _short_text(f"{name}: a key", key)
        text_without_nul(f"{name}: {key}", text)
    return dict(given)


_TCP_OPTIONS = ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
_SSL_OPTIONS = ("ca_file", "cert_file", "key_file", "server_hostname")


def _tcp_options(name: str, value: Any) -> dict[str, int]:
    given = mapping(name, value)
    unknown = [key for key in given if key not in _TCP_OPTIONS]
    if unknown:
        raise ValueError(f"{name}: expected of {', '.join(_TCP_OPTIONS)}, got {unknown}")
    return {key: whole(key, number, 2**31) for key, number in given.items()}


def _ssl_options(name: str, value: Any) -> dict[str, str] | None:
    if value is None or value is False:
        return None
    if value is True:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(
            f"{name}: {type(value).__name__} cannot be honoured: connections are made outside of "
            f"Python; give True, or a dict of {', '.join(_SSL_OPTIONS)}"
        )
    given = mapping(name, value)
    unknown = [key for key in given if key not in _SSL_OPTIONS]
    if unknown:
        raise ValueError(
            f"{name}: expected of {', '.join(_SSL_OPTIONS)}, got {unknown}; "
            "certificates are always verified"
        )
    checked: dict[str, str] = {}
    for key, text in given.items():
        if text is None:
            continue
        if not isinstance(text, (str, os.PathLike)):
            raise TypeError(f"{name}: {key} must be a str, got {text!r}")
        checked[key] = text_without_nul(f"{name}: {key}", os.fspath(text))
    return checked


_OPTIONS: dict[str, Callable[[str, Any], Any]] = {
    "virtual_host": _optional(_short_text, "/"),
    "channel_max": _optional(lambda name, value: whole(name, value, 65535, 1), None),
    "frame_max": _optional(
        lambda name, value: whole(name, value, _LARGEST_FRAME, _SMALLEST_FRAME), None
    ),
    "locale": _optional(_short_text, "en_US"),
    "client_properties": _optional(_client_properties, {}),
    "socket_timeout": _optional(_socket_timeout, 10.0),
    "stack_timeout": _optional(_socket_timeout, 15.0),
    "tcp_options": _optional(_tcp_options, {}),
    "ssl_options": _ssl_options,
}
"""How each of `ConnectionOptions` is checked; one that was not given is passed as None."""
