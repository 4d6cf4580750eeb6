"""Connection arguments of RabbitMQ handlers and publishers, checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

HOST = "127.0.0.1"
PORT = 5672
HEARTBEAT_S = 47
TIMEOUT_S = 23
RETRY_DELAY_S = 0.137
RETRY = 3
EXCHANGE_NAME = "profiling"
EXCHANGE_TYPE = "fanout"

BUFFER_BYTES = 64 * 1024 * 1024
"""Memory for records that wait for the broker: about 2.5 million of them."""
SPOOL_BYTES = 1024 * 1024 * 1024
"""Disk for records that wait for the broker, where a spool directory is given."""
SPOOL_ADOPT_S = 10.0
"""How often files of dead processes are looked for, in seconds."""

_GUEST = "guest"


class ConnectionParameters(NamedTuple):
    """
    How a broker is reached; attributes are named as pika names them.

    The password is not here, where whoever prints an object's attributes would find it.
    """

    host: str
    port: int
    user: str
    virtual_host: str
    heartbeat: int
    blocked_connection_timeout: float
    connection_attempts: int
    retry_delay: float
    socket_timeout: float
    stack_timeout: float
    channel_max: int | None
    frame_max: int | None
    locale: str
    client_properties: dict[str, str]
    tcp_options: dict[str, int]
    ssl_options: dict[str, str | None] | None


def connection_parameters(
    *,
    host: str,
    port: int,
    user: str | None,
    heartbeat: int | None,
    timeout: float | None,
    retry_delay: float,
    retry: int,
    further: Mapping[str, Any],
) -> ConnectionParameters:
    """
    Check connection arguments.

    Raises:
        TypeError: an argument that is not known, or of the wrong type.
        ValueError: a value out of range, or one that cannot be honoured.
    """
    unknown = {name: further[name] for name in further if name not in _FURTHER}
    if unknown:
        # Names only: a misspelt password must not be printed.
        raise TypeError(
            f"unexpected connection arguments: {', '.join(sorted(unknown))}; "
            f"known are {', '.join(_FURTHER)}"
        )
    checked = {name: check(name, further.get(name)) for name, check in _FURTHER.items()}
    return ConnectionParameters(
        host=_host(host),
        port=_whole("port", int(port) if _is_number(port) else port, 65535),
        user=_GUEST if user is None else _text("user", user),
        heartbeat=0 if heartbeat is None else _whole("heartbeat", heartbeat, 65535),
        blocked_connection_timeout=_timeout("timeout", timeout),
        connection_attempts=max(_whole("retry", retry, 2**31), 1),
        retry_delay=_seconds("retry_delay", retry_delay),
        **checked,
    )


def native_arguments(parameters: ConnectionParameters, password: str) -> dict[str, Any]:
    """Return the arguments of the native `Delivery` that say how a broker is reached."""
    tcp = tuple(parameters.tcp_options.get(name) for name in _TCP_OPTIONS)
    ssl = parameters.ssl_options
    return {
        "host": parameters.host,
        "port": parameters.port,
        "user": parameters.user,
        "password": password,
        "virtual_host": parameters.virtual_host,
        "heartbeat": parameters.heartbeat,
        "blocked_timeout_s": parameters.blocked_connection_timeout,
        "attempts": parameters.connection_attempts,
        "retry_delay_s": parameters.retry_delay,
        "socket_timeout_s": parameters.socket_timeout,
        "stack_timeout_s": parameters.stack_timeout,
        "channel_max": parameters.channel_max,
        "frame_max": parameters.frame_max,
        "locale": parameters.locale,
        "client_properties": list(parameters.client_properties.items()),
        "tcp": tcp,
        "tls": None if ssl is None else tuple(ssl.get(name) for name in _SSL_OPTIONS),
    }


def password_of(given: Any) -> str:
    """
    Return the password, checked; None means guest. No error shows it.

    Raises:
        TypeError: not a str.
        ValueError: it cannot be sent.
    """
    if given is None:
        return _GUEST
    if not isinstance(given, str):
        raise TypeError(f"password must be a str, got {type(given).__name__}")
    if not _is_sendable(given):
        raise ValueError("password must be without NUL and lone surrogates")
    return str(given)


def exchange_type_of(given: Any) -> str:
    """
    Return the name of an exchange type, given as a name or as an enum member of one.

    Raises:
        TypeError: neither.
    """
    return short_text("exchange_type", getattr(given, "value", given))


def buffer_bytes_of(given: Any) -> int:
    """
    Return the size of the buffer, checked.

    Raises:
        TypeError: not an int.
        ValueError: less than 1.
    """
    return _whole("buffer_bytes", given, 2**62, 1)


def spool_of(directory: Any, size: Any) -> tuple[str | None, int]:
    """
    Return spool directory and size, checked.

    Raises:
        TypeError: not a path, or not an int.
    """
    size = _whole("spool_bytes", size, 2**62)
    if directory is None:
        return None, size
    if not isinstance(directory, (str, os.PathLike)):
        raise TypeError(f"spool_directory must be a path, got {directory!r}")
    return os.path.abspath(os.fspath(directory)), size


def short_text(name: str, value: Any) -> str:
    """
    Return a text that AMQP has 255 bytes for, checked.

    Raises:
        TypeError: not a str.
        ValueError: longer, or not to be encoded.
    """
    text = _text(name, value)
    size = len(text.encode())
    if size > _SHORT_BYTES:
        raise ValueError(f"{name} must have at most {_SHORT_BYTES} bytes, got {size}")
    return text


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {value!r}")
    if not _is_sendable(value):
        raise ValueError(f"{name} must be without NUL and lone surrogates, got {value!r}")
    return str(value)


def _host(value: Any) -> str:
    # Not shown where a URL may have a password in it.
    if isinstance(value, str) and any(mark in value for mark in "/@"):
        raise ValueError("host must be a host name or an address, got a URL or the like")
    return _text("host", value)


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdecimal()


def _is_sendable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _whole(name: str, value: Any, most: int, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}, got {value}")
    return int(value)


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, got {value!r}")
    if not 0 <= value <= _LONGEST_S:
        raise ValueError(f"{name} must be from 0 to {_LONGEST_S} seconds, got {value}")
    return float(value)


def _timeout(name: str, value: Any) -> float:
    # As in pika, None and 0 mean: none.
    return _LONGEST_S if value is None or value == 0 else _seconds(name, value)


_LONGEST_S = 10.0 * 365 * 24 * 3600
_SHORT_BYTES = 255
# As AMQP 0.9.1 and pika have them.
_SMALLEST_FRAME, _LARGEST_FRAME = 4096, 131_072


def _optional(check: Callable[[str, Any], Any], default: Any) -> Callable[[str, Any], Any]:
    return lambda name, value: default if value is None else check(name, value)


def _socket_timeout(name: str, value: Any) -> float:
    seconds = _seconds(name, value)
    if seconds == 0:
        raise ValueError(f"{name} must be more than 0 seconds, got {value}")
    return seconds


def _mapping(name: str, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, got {value!r}")
    return cast("dict[Any, Any]", value)


def _client_properties(name: str, value: Any) -> dict[str, str]:
    given = _mapping(name, value)
    for key, text in given.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise ValueError(f"{name}: only a str by a str can be sent, got {key!r}: {text!r}")
        short_text(f"{name}: a key", key)
        _text(f"{name}: {key}", text)
    return dict(given)


_TCP_OPTIONS = ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
_SSL_OPTIONS = ("ca_file", "cert_file", "key_file", "server_hostname")


def _tcp_options(name: str, value: Any) -> dict[str, int]:
    given = _mapping(name, value)
    unknown = [key for key in given if key not in _TCP_OPTIONS]
    if unknown:
        raise ValueError(f"{name}: expected of {', '.join(_TCP_OPTIONS)}, got {unknown}")
    return {key: _whole(key, number, 2**31) for key, number in given.items()}


def _ssl_options(name: str, value: Any) -> dict[str, str | None] | None:
    if value is None or value is False:
        return None
    if value is True:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(
            f"{name}: {type(value).__name__} cannot be honoured: connections are made outside of "
            f"Python; give True, or a dict of {', '.join(_SSL_OPTIONS)}"
        )
    given = _mapping(name, value)
    unknown = [key for key in given if key not in _SSL_OPTIONS]
    if unknown:
        raise ValueError(
            f"{name}: expected of {', '.join(_SSL_OPTIONS)}, got {unknown}; "
            "certificates are always verified"
        )
    checked: dict[str, str | None] = {}
    for key, text in given.items():
        if text is None:
            continue
        if not isinstance(text, (str, os.PathLike)):
            raise TypeError(f"{name}: {key} must be a str, got {text!r}")
        checked[key] = _text(f"{name}: {key}", os.fspath(text))
    return checked


_FURTHER: dict[str, Callable[[str, Any], Any]] = {
    "virtual_host": _optional(short_text, "/"),
    "channel_max": _optional(lambda name, value: _whole(name, value, 65535, 1), None),
    "frame_max": _optional(
        lambda name, value: _whole(name, value, _LARGEST_FRAME, _SMALLEST_FRAME), None
    ),
    "locale": _optional(short_text, "en_US"),
    "client_properties": _optional(_client_properties, {}),
    "socket_timeout": _optional(_socket_timeout, 10.0),
    "stack_timeout": _optional(_socket_timeout, 15.0),
    "tcp_options": _optional(_tcp_options, {}),
    "ssl_options": _ssl_options,
}
"""pika's connection parameters that are taken by keyword, and how each is checked."""
