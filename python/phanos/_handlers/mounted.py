"""
The metrics of all processes, in an application or a registry of the program's own.

They are asked of the process that serves them, whose threads take no interpreter lock: a process
whose only thread asks itself gets an answer too.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from phanos._arguments.host import HostSettings
from phanos._asynchronous.waiting import is_asyncio_running, is_in_trio, wait
from phanos._loggers import write
from phanos._phanos import Delivery
from phanos.types import LoggerLike

_CONNECT_S = 2.0
"""Seconds to wait for a process that serves."""

_ANSWER_S = 10.0
"""Seconds to wait for its answer."""

_HEADERS = ("content-type", "content-encoding", "vary")
_PLAIN = ("content-type", "text/plain; charset=utf-8")
_OPENMETRICS = "application/openmetrics-text; version=1.0.0"

_StartResponse = Callable[[str, list[tuple[str, str]]], Any]
_Message = dict[str, Any]


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Page:
    """
    The page of the process that serves.

    Args:
        delivery: the handler's.
        settings: where the page is.
    """

    def __init__(self, delivery: Delivery, settings: HostSettings) -> None:
        self._delivery = delivery
        self._settings = settings

    def get(self, method: str, accept: str, accept_encoding: str) -> Answer:
        """Ask for the page; 503 and a reason if no process serves it."""
        if method not in ("GET", "HEAD"):
            return Answer(405, [_PLAIN, ("allow", "GET, HEAD")], b"GET or HEAD\n")
        # Imported here: most programs do without.
        from http.client import HTTPException

        try:
            # Were this process not connected, something else might answer at the port.
            if self._delivery.state != "connected":
                wait(self._delivery.connect(), _CONNECT_S)
            if self._delivery.state != "connected":
                return Answer(503, [_PLAIN], b"no process serves the metrics\n")
            return self._ask(method, accept, accept_encoding)
        except (OSError, HTTPException) as error:
            return Answer(503, [_PLAIN], f"no answer: {error}\n".encode(errors="replace"))

    def _ask(self, method: str, accept: str, accept_encoding: str) -> Answer:
        from http.client import HTTPConnection

        headers = {"Accept": accept, "Accept-Encoding": accept_encoding, "Connection": "close"}
        if self._settings.token is not None:
            headers["Authorization"] = f"Bearer {self._settings.token}"
        address = _LOOPBACK.get(self._settings.address, self._settings.address)
        connection = HTTPConnection(address, self._settings.port, timeout=_ANSWER_S)
        try:
            connection.request(method, "/metrics", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        given = ((name, answer.getheader(name)) for name in _HEADERS)
        kept = [(name, value) for name, value in given if value is not None]
        return Answer(answer.status, [*kept, ("cache-control", "no-store")], body)


_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where a process that serves all addresses of the machine is reached."""


class WsgiApp:
    """A WSGI application; it looks at no path, so it can be mounted anywhere."""

    def __init__(self, delivery: Delivery, settings: HostSettings) -> None:
        self._page = Page(delivery, settings)

    def __call__(
        self, environ: Mapping[str, Any], start_response: _StartResponse
    ) -> Iterable[bytes]:
        """Answer a request."""
        answer = self._page.get(
            environ.get("REQUEST_METHOD", "GET"),
            environ.get("HTTP_ACCEPT", ""),
            environ.get("HTTP_ACCEPT_ENCODING", ""),
        )
        from http import HTTPStatus

        headers = [*answer.headers, ("content-length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [answer.body]


class AsgiApp:
    """An ASGI application; it looks at no path, so it can be mounted anywhere."""

    def __init__(self, delivery: Delivery, settings: HostSettings) -> None:
        self._page = Page(delivery, settings)

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Answer a request; take part in an application's start and end."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, send)
        else:
            await send({"type": "websocket.close"})

    async def _answer(
        self, scope: Mapping[str, Any], send: Callable[[_Message], Awaitable[None]]
    ) -> None:
        accept, accept_encoding = (
            ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == wanted)
            for wanted in (b"accept", b"accept-encoding")
        )
        answer = await _elsewhere(lambda: self._page.get(scope["method"], accept, accept_encoding))
        headers = [*answer.headers, ("content-length", str(len(answer.body)))]
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "http.response.body", "body": answer.body})


async def _live(
    receive: Callable[[], Awaitable[Mapping[str, Any]]],
    send: Callable[[_Message], Awaitable[None]],
) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _elsewhere(ask: Callable[[], Answer]) -> Answer:
    """Ask on another thread, where the event loop knows how to wait for one."""
    if is_asyncio_running():
        asyncio: Any = sys.modules["asyncio"]
        answered: Answer = await asyncio.get_running_loop().run_in_executor(None, ask)
        return answered
    if is_in_trio():
        trio: Any = sys.modules["trio"]
        from_thread: Answer = await trio.to_thread.run_sync(ask)
        return from_thread
    return ask()


class MetricsCollector:
    """
    A collector for a registry of prometheus_client.

    Raises:
        ImportError: prometheus_client is not installed.
    """

    def __init__(self, delivery: Delivery, settings: HostSettings, logger: LoggerLike) -> None:
        from prometheus_client.openmetrics import parser

        untyped: Any = parser
        self._parse: Callable[[str], Iterable[Any]] = untyped.text_string_to_metric_families
        self._page = Page(delivery, settings)
        self._logger = logger

    def describe(self) -> list[Any]:
        """Return nothing: what there will be is not known when a registry is made."""
        return []

    def collect(self) -> Iterable[Any]:
        """Return the metric families of all processes; none, and a line in the log, if in vain."""
        answer = self._page.get("GET", _OPENMETRICS, "")
        if answer.status != 200:
            reason = answer.body.decode(errors="replace").strip()
            write(self._logger, logging.WARNING, f"no metrics of phanos: {reason}")
            return []
        return self._parse(answer.body.decode())
