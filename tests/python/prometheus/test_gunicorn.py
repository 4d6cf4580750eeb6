"""Gunicorn's workers: several of them, ended after some requests, forked with the application."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from collecting import DEADLINE_S, free_port, wait_until
from counting import Place

HERE = Path(__file__).parent
REQUESTS = 240


class Gunicorn:
    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.answered = 0
        self._lock = threading.Lock()
        self._url = f"http://127.0.0.1:{port}/"
        self.log = log

    def request(self) -> int:
        """Return the id of the worker that answered."""
        with urllib.request.urlopen(self._url, timeout=DEADLINE_S) as answer:
            worker = int(answer.read())
        with self._lock:
            self.answered += 1
        return worker

    def requests(self, count: int) -> set[int]:
        with ThreadPoolExecutor(4) as pool:
            return set(pool.map(lambda _: self.request(), range(count)))

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return bool(self.request())
        except OSError:
            return False


@contextmanager
def gunicorn(place: Place, *options: str) -> Iterator[Gunicorn]:
    port = free_port()
    log = place.runtime.parent / "gunicorn.log"
    arguments = {**place.arguments, "state_directory": str(place.runtime.parent / "state")}
    command = [
        *(sys.executable, "-m", "gunicorn", "served_app:app", "--bind", f"127.0.0.1:{port}"),
        *("--workers", "4", "--no-control-socket", "--log-level", "warning", *options),
    ]
    environment = {**os.environ, "HANDLER_ARGUMENTS": json.dumps(arguments)}
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=HERE, env=environment, stdout=output, stderr=output)
    server = Gunicorn(process, port, log)
    try:
        wait_until(server.answers, log.read_text)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0, log.read_text()


def counted(place: Place) -> dict[str, int]:
    """Return what is counted; nothing while one worker takes over from another."""
    try:
        calls = place.calls()
    except OSError:
        return {}
    return {method: calls[f"{method}:false"] for method in ("view", "load")}


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--max-requests", "25", "--max-requests-jitter", "10"),
        ("--preload",),
        ("--preload", "--max-requests", "25", "--max-requests-jitter", "10"),
    ],
    ids=["workers", "recycled", "preloaded", "preloaded and recycled"],
)
def test_every_request_is_counted_once(place: Place, options: tuple[str, ...]) -> None:
    with gunicorn(place, *options) as server:
        place.wait_until_served()
        workers = server.requests(REQUESTS)
        assert len(workers) > (4 if "--max-requests" in options else 0)
        total = server.answered
        expected = {"view": total, "load": total}
        wait_until(lambda: counted(place) == expected, lambda: f"{counted(place)} of {expected}")
        if "--preload" in options:
            assert place.leader() == server.process.pid
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.request() not in workers, "no new worker")
        server.requests(20)
        total = server.answered
    # What its workers recorded last was counted before they ended.
    log = server.log.read_text()
    assert "Traceback" not in log, log
    with gunicorn(place, *options) as server:
        total += server.answered
        expected = {"view": total, "load": total}
        wait_until(lambda: counted(place) == expected, lambda: f"{counted(place)} of {expected}")
