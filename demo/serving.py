"""Run a WSGI or an ASGI application on a free port of the loopback interface, and talk to it."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import uvicorn
from werkzeug.serving import make_server

HOST = "127.0.0.1"
# How long starting, stopping and answering may take before something is plainly wrong.
DEADLINE_S = 10.0


class Response(NamedTuple):
    """What came back for one HTTP request."""

    status: int
    content_type: str | None
    text: str


def request(url: str, method: str = "GET", body: str | None = None) -> Response:
    """
    Send one request over a connection of its own; any status is an answer, not an error.

    Args:
        url: as `http://127.0.0.1:8000/path?query`.
        body: sent as JSON text.

    Raises `OSError` when no answer comes within the deadline.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=DEADLINE_S)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {"Connection": "close", "Content-Type": "application/json"}
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return Response(answer.status, answer.getheader("Content-Type"), answer.read().decode())
    finally:
        connection.close()


@contextmanager
def serve_wsgi(app: Any) -> Iterator[str]:
    """Serve with a thread per request; gives the address, as `http://127.0.0.1:40123`."""
    server = make_server(HOST, 0, app, threaded=True)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        stopped(thread)


@contextmanager
def serve_asgi(app: Any) -> Iterator[str]:
    """Serve on an event loop in a thread; gives the address, as `http://127.0.0.1:40123`."""
    listener = socket.create_server((HOST, 0))
    config = uvicorn.Config(app, lifespan="on", log_config=None, access_log=False)
    server = AnnouncingServer(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        if not server.ready.wait(DEADLINE_S):
            raise TimeoutError(f"{app!r} did not start within {DEADLINE_S} s")
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        stopped(thread)
        listener.close()


class AnnouncingServer(uvicorn.Server):
    """A server that tells another thread when it is ready, instead of letting it ask."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.ready.set()


def stopped(thread: threading.Thread) -> None:
    """Wait for a thread that was told to stop."""
    thread.join(DEADLINE_S)
    if thread.is_alive():
        raise TimeoutError(f"{thread.name} did not stop within {DEADLINE_S} s")
