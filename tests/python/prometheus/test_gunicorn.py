"""Gunicorn's workers: several of them, ended after some requests, forked with the application."""

from __future__ import annotations

import signal
import sys

import pytest
from collecting import free_port, wait_until
from counting import Place
from web_server import serving, wait_for_calls

REQUESTS = 240


def gunicorn(port: int, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "served_app:app", "--bind", f"127.0.0.1:{port}"),
        *("--workers", "4", "--no-control-socket", "--log-level", "warning", *options),
    ]


def has_more(workers: set[int], answered: set[int], count: int) -> bool:
    """Add workers that answered; whether there are more than so many by now."""
    workers |= answered
    return len(workers) > count


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--max-requests", "25", "--max-requests-jitter", "10"),
        ("--preload",),
        ("--preload", "--max-requests", "25", "--max-requests-jitter", "10"),
        ("-k", "gevent"),
        ("-k", "gevent", "--max-requests", "25", "--max-requests-jitter", "10"),
        ("-k", "gthread", "--threads", "4"),
    ],
    ids=[
        "workers",
        "recycled",
        "preloaded",
        "preloaded and recycled",
        "gevent",
        "gevent and recycled",
        "threads",
    ],
)
def test_every_request_is_counted_once(place: Place, options: tuple[str, ...]) -> None:
    port = free_port()
    with serving(place, port, gunicorn(port, *options)) as server:
        place.wait_until_served()
        workers = server.requests(REQUESTS)
        if "--max-requests" in options:
            # Greenlets' workers look once a second whether they are to end.
            wait_until(lambda: has_more(workers, server.requests(20), 4), "no worker is recycled")
        wait_for_calls(place, server.answered)
        if "--preload" in options:
            assert place.leader() == server.process.pid
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.request() not in workers, "no new worker")
        server.requests(20)
        total = server.answered
    # What its workers recorded last was counted before they ended.
    log = server.log.read_text()
    assert "Traceback" not in log, log
    with serving(place, port, gunicorn(port, *options)) as server:
        wait_for_calls(place, total + server.answered)
