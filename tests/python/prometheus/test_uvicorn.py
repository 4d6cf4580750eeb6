"""Uvicorn's workers: two of them, replaced while it serves, ended after some requests."""

from __future__ import annotations

import signal
import sys

import pytest
from collecting import free_port, wait_until
from counting import Place
from web_server import serving, wait_for_calls

REQUESTS = 200


def uvicorn(port: int, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "uvicorn", "served_asgi:app", "--host", "127.0.0.1"),
        *("--port", str(port), "--workers", "2", "--log-level", "warning", *options),
    ]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_every_request_is_counted_once(place: Place, loop: str) -> None:
    port = free_port()
    command = uvicorn(port, "--loop", loop)
    with serving(place, port, command) as server:
        place.wait_until_served()
        workers = server.requests(REQUESTS)
        wait_for_calls(place, server.answered)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.request() not in workers, "no new worker")
        server.requests(20)
        total = server.answered
    log = server.log.read_text()
    assert "Traceback" not in log, log
    with serving(place, port, command) as server:
        wait_for_calls(place, total + server.answered)
