"""A password is shown nowhere: in no text form, attribute, log line, count or error."""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from certificates import Authority
from phanos import messaging, publisher
from proxy import Proxy
from sample_records import RECORD
from support import wait_until

from tools.rabbitmq import Node

SECRET = "sesame-žluť"
# What a text or bytes may hold of it: the ASCII part is the same in both.
TRACE = "sesame"


def forms(thing: Any, seen: set[int] | None = None) -> Iterator[str]:
    """Yield every text that printing `thing` and what is in it can give."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return
    seen.add(id(thing))
    yield repr(thing)
    yield str(thing)
    parts: list[Any] = []
    if isinstance(thing, dict):
        parts += [*thing, *thing.values()]
    elif isinstance(thing, (list, tuple, set)):
        parts += thing
    elif type(thing).__module__.startswith("phanos"):
        yield repr(dir(thing))
        parts += [getattr(thing, name) for name in dir(thing) if not name.startswith("__")]
        parts += gc.get_referents(thing)
    for part in parts:
        if not callable(part):
            yield from forms(part, seen)


@pytest.fixture
def logged_without(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Look through everything that the test logged, at the lowest level."""
    caplog.set_level(logging.DEBUG)
    yield
    logged = caplog.get_records("call")
    assert logged
    for record in logged:
        assert TRACE not in repr(vars(record)) + record.getMessage()


@pytest.fixture
def user(broker: Node) -> Iterator[str]:
    """Somebody whose password is the secret."""
    broker.ctl("add_user", "ali-baba", SECRET)
    broker.ctl("set_permissions", "ali-baba", ".*", ".*", ".*")
    yield "ali-baba"
    broker.ctl("delete_user", "ali-baba")


def made_of_each_kind(**arguments: Any) -> list[Any]:
    return [
        publisher.ImpProfHandler("sync", **arguments),
        asyncio.run(publisher.AsyncImpProfHandler.create("async", **arguments)),
        messaging.BlockingPublisher(**arguments),
        messaging.AsyncioPublisher(**arguments),
    ]


@pytest.mark.usefixtures("logged_without")
def test_objects_at_work(broker: Node, proxy: Proxy, user: str) -> None:
    for one in made_of_each_kind(port=proxy.port, user=user, password=SECRET):
        given = getattr(one, "publisher", one)
        if isinstance(one, publisher.ImpProfHandler):
            one.handle([RECORD])
            assert one.flush(20)
        if isinstance(one, messaging.BlockingPublisher):
            assert one.publish([RECORD])
        for thing in (one, given, given.connection_parameters, one.stats()):
            found = list(forms(thing))
            assert found
            assert not [text for text in found if TRACE in text]


@pytest.mark.usefixtures("logged_without")
def test_objects_in_trouble(broker: Node, proxy: Proxy, user: str) -> None:
    handler = publisher.ImpProfHandler("sync", port=proxy.port, user=user, password=SECRET)
    broker.ctl("change_password", user, "another")
    handler.handle([RECORD])

    def refused() -> bool:
        handler.flush(0)
        return "ACCESS_REFUSED" in str(handler.stats()["last_error"])

    wait_until(refused, "the broker refuses the password", 20)
    assert not [text for text in forms(handler) if TRACE in text]
    assert not handler.close(0.1)


def everything_said(error: BaseException | None) -> str:
    """Return all forms of an exception and of those behind it."""
    said = ""
    while error is not None:
        said += "".join(traceback.format_exception(type(error), error, error.__traceback__))
        said += repr(error) + str(error) + repr(error.args) + repr(vars(error))
        error = error.__cause__ or error.__context__
    return said


def attempts(arguments: dict[str, Any]) -> list[Callable[[], Any]]:
    """Return what fails by raising, each way of connecting."""
    return [
        lambda: publisher.ImpProfHandler("sync", **arguments),
        lambda: asyncio.run(publisher.AsyncImpProfHandler.create("async", **arguments)),
        lambda: messaging.BlockingPublisher(**arguments).connect(),
        lambda: messaging.BlockingPublisher(**arguments).publish([RECORD]),
        lambda: asyncio.run(messaging.AsyncioPublisher(**arguments).connect()),
        lambda: asyncio.run(messaging.AsyncioPublisher(**arguments).publish([RECORD])),
    ]


@pytest.mark.usefixtures("logged_without")
def test_errors_of_connecting(broker: Node, tls_broker: Node, authority: Authority) -> None:
    secret: dict[str, Any] = {"password": SECRET, "retry": 1}
    failing = [
        {"port": broker.port},
        {"port": broker.port, "user": "nobody"},
        {"port": 1},
        {"port": tls_broker.tls_port, "ssl_options": {"ca_file": authority.file}},
        {"port": tls_broker.tls_port, "ssl_options": True},
        {"port": broker.port, "ssl_options": {"ca_file": authority.file}},
    ]
    for arguments in failing:
        for attempt in attempts({**secret, **arguments}):
            with pytest.raises((RuntimeError, *messaging.NETWORK_ERRORS)) as caught:
                attempt()
            assert TRACE not in everything_said(caught.value)
    silent = messaging.BlockingPublisher(port=broker.port, **secret)
    silent.reconnect(silent=True)


def test_errors_of_arguments() -> None:
    for arguments in (
        {"pasword": SECRET},
        {"password": SECRET.encode()},
        {"password": SECRET + "\udc80"},
        {"password": SECRET + "\0"},
        {"host": f"amqp://guest:{SECRET}@localhost"},
        {"password": SECRET, "port": "nonsense"},
        {"password": SECRET, "virtual_host": 5},
        {"ssl_options": {"key_password": SECRET}},
    ):
        for made in (
            messaging.BlockingPublisher,
            lambda **given: publisher.AsyncImpProfHandler("rabbit", **given),
        ):
            with pytest.raises((TypeError, ValueError)) as caught:
                made(**arguments)
            assert TRACE not in everything_said(caught.value)
