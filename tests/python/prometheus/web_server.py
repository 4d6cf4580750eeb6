"""A web server with several workers, and the client that counts what it answered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from collecting import DEADLINE_S, wait_until
from counting import Place

HERE = Path(__file__).parent


class WebServer:
    """
    A server that runs.

    Attributes:
        answered: requests that were answered.
    """

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


def environment(place: Place) -> dict[str, str]:
    """Return the environment of an application whose counts outlive its processes."""
    arguments = {**place.arguments, "state_directory": str(place.runtime.parent / "state")}
    return {**os.environ, "HANDLER_ARGUMENTS": json.dumps(arguments)}


@contextmanager
def serving(place: Place, port: int, command: list[str]) -> Iterator[WebServer]:
    """Run a server until it is told to end, which has to be the end of it."""
    log = place.runtime.parent / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=HERE, env=environment(place), stdout=output, stderr=output
        )
    server = WebServer(process, port, log)
    try:
        wait_until(server.answers, log.read_text)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) in (0, -signal.SIGTERM), log.read_text()


def counted(place: Place) -> dict[str, int]:
    """Return what is counted; nothing while one worker takes over from another."""
    try:
        calls = place.calls()
    except OSError:
        return {}
    return {method: calls[f"{method}:false"] for method in ("view", "load")}


def wait_for_calls(place: Place, total: int) -> None:
    """Wait until as many calls are counted, and no more."""
    expected = {"view": total, "load": total}
    wait_until(lambda: counted(place) == expected, lambda: f"{counted(place)} of {expected}")
