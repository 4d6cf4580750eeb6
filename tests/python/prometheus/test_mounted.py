"""The metrics in applications and registries of users' own, and the command of the package."""

from __future__ import annotations

import asyncio
import gzip
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import prometheus_client
import pytest
import trio
from collecting import Collector, wait_until
from counting import Place, Recorder
from phanos.publisher import PrometheusHandler
from prometheus_client import CollectorRegistry, generate_latest
from support import make_profiler


@pytest.fixture
def handler(place: Place) -> Iterator[PrometheusHandler]:
    handler = PrometheusHandler("prometheus", **place.arguments)
    make_profiler(handler).profile(lambda: None)()
    assert handler.flush()
    yield handler
    handler.close()


def ask(app: Any, method: str = "GET", **headers: str) -> tuple[str, dict[str, str], bytes]:
    """Call a WSGI application as a server that looks closely does."""
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "QUERY_STRING": "", **headers}
    setup_testing_defaults(environ)
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        started[:] = [status, dict(headers)]
        return lambda _: None

    answer = validator(app)(environ, start_response)
    body = b"".join(answer)
    answer.close()
    return started[0], started[1], body


def test_a_wsgi_application_answers(handler: PrometheusHandler) -> None:
    app = handler.wsgi_app()
    status, headers, body = ask(app)
    assert status == "200 OK"
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"phanos_time_profiler_seconds_count{" in body
    _, headers, packed = ask(
        app, HTTP_ACCEPT="application/openmetrics-text", HTTP_ACCEPT_ENCODING="gzip"
    )
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert gzip.decompress(packed).endswith(b"# EOF\n")
    assert ask(app, "POST")[0] == "405 Method Not Allowed"
    assert ask(app, "HEAD")[0] == "200 OK"


def test_a_wsgi_application_says_that_nobody_serves(place: Place) -> None:
    place.runtime.write_text("no folder")
    handler = PrometheusHandler("prometheus", **place.arguments)
    status, _, body = ask(handler.wsgi_app())
    assert status == "503 Service Unavailable"
    assert body == b"no process serves the metrics\n"
    handler.close()


def call(app: Any, scope: dict[str, Any], received: list[dict[str, Any]]) -> Any:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return received.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def main() -> list[dict[str, Any]]:
        await app(scope, receive, send)
        return sent

    return main


@pytest.mark.parametrize("run", [asyncio.run, lambda main: trio.run(lambda: main)])
def test_an_asgi_application_answers(handler: PrometheusHandler, run: Callable[[Any], Any]) -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept", b"text/plain")]}
    main = call(handler.asgi_app(), scope, [])
    started, body = asyncio.run(main()) if run is asyncio.run else trio.run(main)
    assert (started["type"], started["status"]) == ("http.response.start", 200)
    headers = dict(started["headers"])
    assert headers[b"content-type"].startswith(b"text/plain")
    assert int(headers[b"content-length"]) == len(body["body"])
    assert b"phanos_time_profiler_seconds_count{" in body["body"]


def test_an_asgi_application_takes_part_in_start_and_end(handler: PrometheusHandler) -> None:
    received = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = asyncio.run(call(handler.asgi_app(), {"type": "lifespan"}, received)())
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    sent = asyncio.run(call(handler.asgi_app(), {"type": "websocket"}, [])())
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_a_registry_of_prometheus_client_has_the_metrics(
    handler: PrometheusHandler, place: Place, recorder: Callable[..., Recorder]
) -> None:
    other = recorder()
    other.ask("record", 70)
    assert other.ask("flush")
    registry = CollectorRegistry()
    prometheus_client.Counter("own", "Of the application", registry=registry).inc()
    registry.register(handler.collector())
    page = generate_latest(registry).decode()
    assert "own_total 1.0" in page
    labels = {"job": "JOB", "item": "recorder", "error_raised": "false"}
    labels |= {"item": "__main__", "method": "__main__:method_1"}
    assert registry.get_sample_value("phanos_time_profiler_seconds_count", labels) == 8
    assert "phanos_time_profiler_seconds_bucket{" in page


def test_a_registry_goes_on_where_nobody_serves(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.runtime.write_text("no folder")
    handler = PrometheusHandler("prometheus", **place.arguments)
    assert list(handler.collector().collect()) == []
    assert "no metrics of phanos: no process serves the metrics" in caplog.text
    handler.close()


def test_the_package_brings_the_command() -> None:
    command = [sys.executable, "-m", "phanos"]
    said = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stderr) == (0, "")
    assert "collect" in said.stdout
    said = subprocess.run([*command, "collect"], capture_output=True, text=True, timeout=60)
    assert said.returncode == 2
    assert "nothing to collect: give --amqp-url, --listen-socket or both" in said.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_of_the_package_ends_in_order(place: Place, number: signal.Signals) -> None:
    place.runtime.mkdir()
    command = place.runtime / "phanos"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m phanos "$@"\n')
    command.chmod(0o700)
    collector = Collector(command, place.runtime)
    try:
        collector.start()
        collector.signal(number)
        assert collector.ended() == 0, collector.log()
        assert "Traceback" not in collector.log()
        wait_until(lambda: not collector.socket.exists(), "the socket is left")
    finally:
        collector.close()
