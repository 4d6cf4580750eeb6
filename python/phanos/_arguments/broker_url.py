"""URLs of brokers: `amqp://user:password@host:port/virtual-host`, several hosts by commas."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

ENVIRONMENT = "PHANOS_AMQP_URL"
"""Variable of the environment with the URL of the broker, where the code names none."""

_FORM = "amqp[s]://user:password@host:port/virtual-host"
_PORTS = {"amqp": 5672, "amqps": 5671}
_ARGUMENTS = ("host", "port", "user", "password", "virtual_host")
"""What a URL says, so that it must not be given beside one."""


def with_url(arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return connection arguments with what their `url`, or that of the environment, says.

    Args:
        arguments: by name; `url` is not among what is returned.
        defaults: those of 0.3.2; where one that a URL says differs, the environment is not asked.

    Raises:
        TypeError: the URL is no text.
        ValueError: it has another form, or says what an argument says as well. No text of it is in
            the error: there may be a password in it.
    """
    rest = {name: value for name, value in arguments.items() if name != "url"}
    given = [name for name in _ARGUMENTS if rest.get(name) != defaults.get(name)]
    url, source = arguments.get("url"), "url"
    if url is None and not given:
        url, source = os.environ.get(ENVIRONMENT) or None, ENVIRONMENT
    if url is None:
        return rest
    if given:
        raise ValueError(f"url says all of {', '.join(_ARGUMENTS)}: got {', '.join(given)} as well")
    said = _parsed(url, source)
    if said.pop("is_secure"):
        said["ssl_options"] = rest.get("ssl_options") or True
    elif rest.get("ssl_options"):
        raise ValueError(f"ssl_options are given, and {source} does not begin with amqps://")
    return {**rest, **said}


def _parsed(url: Any, source: str) -> dict[str, Any]:
    if not isinstance(url, str):
        raise TypeError(f"{source} must be a str, got {type(url).__name__}")
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.lower() not in _PORTS:
        raise ValueError(f"{source} must be {_FORM}, got another scheme or none")
    if "?" in rest or "#" in rest:
        raise ValueError(f"{source} must be {_FORM}: parameters after ? are arguments here")
    authority, slash, path = rest.partition("/")
    credentials, has_user, hosts = authority.rpartition("@")
    user, has_password, password = credentials.partition(":")
    if not hosts:
        raise ValueError(f"{source} must be {_FORM}, got no host")
    if "/" in path:
        raise ValueError(f"{source} must be {_FORM}: a / in the virtual host is written %2F")
    said: dict[str, Any] = {
        "host": [unquote(host) for host in hosts.split(",")],
        "port": _PORTS[scheme.lower()],
        "user": unquote(user) if has_user else None,
        "password": unquote(password) if has_password else None,
        "is_secure": scheme.lower() == "amqps",
    }
    if slash and path:
        said["virtual_host"] = unquote(path)
    return said
