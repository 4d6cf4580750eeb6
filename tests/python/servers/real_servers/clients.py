"""Sixteen clients that send requests for as long as they may, and what became of each."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tools.rabbitmq.ports import HOST

CLIENTS = 16
READY = "ready"
"""Name of the request that a server is asked whether it is there."""
# How long one answer may take: a hang is a failure, not a long test.
ANSWER_S = 20.0


class Answered(NamedTuple):
    """A request that was answered with status 200: by which process, and when."""

    request: str
    pid: int
    at: float


class Failed(NamedTuple):
    """A request that was not: the connection was refused or cut, or the status is another."""

    request: str
    reason: str
    at: float


@dataclass
class Log:
    """
    What became of the requests; times are those of `time.monotonic`.

    Every field is guarded by `changed`.
    """

    changed: threading.Condition = field(default_factory=threading.Condition)
    answered: list[Answered] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    def add(self, ended: Answered | Failed) -> None:
        with self.changed:
            if isinstance(ended, Answered):
                self.answered.append(ended)
            else:
                self.failed.append(ended)
            self.changed.notify_all()

    def wait_for(
        self, condition: Callable[[Log], bool], what: str, deadline_s: float = 60.0
    ) -> None:
        """Wait until the log meets the condition; fail naming `what`."""
        with self.changed:
            met = self.changed.wait_for(lambda: condition(self), deadline_s)
            told = f"{len(self.answered)} answered, {len(self.failed)} failed {self.failed[-3:]}"
        assert met, f"not within {deadline_s} s: {what}; {told}"

    def wait_for_answers(self, count: int) -> None:
        """Wait until `count` more requests have been answered, or have failed."""
        with self.changed:
            count += len(self.answered) + len(self.failed)
        self.wait_for(
            lambda log: len(log.answered) + len(log.failed) >= count, f"{count} requests ended"
        )


class Clients:
    """
    Send requests to `/view/` while the block lasts, each over a connection of its own.

    Args:
        pause_s: for how long a client rests between two requests.
    """

    def __init__(self, port: int, count: int = CLIENTS, pause_s: float = 0.0) -> None:
        self.log = Log()
        self._port = port
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(client,), daemon=True)
            for client in range(count)
        ]

    def ready(self) -> bool:
        """Whether the server answers."""
        return isinstance(ask(self._port, "/view/{}", READY), Answered)

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def sending(self) -> bool:
        """Whether they have not been told to stop."""
        return not self._stopping.is_set()

    def stop(self) -> None:
        """Send nothing any more, and wait for the answers under way."""
        self._stopping.set()
        deadline = time.monotonic() + ANSWER_S + 5
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        running = [thread.name for thread in self._threads if thread.is_alive()]
        assert not running, f"clients wait for answers still: {running}"

    def _send(self, client: int) -> None:
        for number in itertools.count():
            if self._stopping.is_set():
                return
            ended = ask(self._port, "/view/{}", f"{client}-{number}")
            self.log.add(ended)
            # A client that is refused does not ask as fast as it can.
            self._stopping.wait(0.05 if isinstance(ended, Failed) else self._pause_s)


def ask(port: int, target: str, request: str) -> Answered | Failed:
    """Send one request; `target` has a place for its name."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)
    try:
        connection.request("GET", target.format(request), headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            return Failed(request, f"status {answer.status}", time.monotonic())
        told: dict[str, Any] = json.loads(body)
        assert told["request"] == request, f"asked for {request}, was told of {told}"
        return Answered(request, told["pid"], time.monotonic())
    except (OSError, http.client.HTTPException) as error:
        return Failed(request, f"{type(error).__name__}: {error}", time.monotonic())
    finally:
        connection.close()


def leave(port: int, request: str) -> None:
    """Ask for a stream that never ends, and go away after its first line."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)
    connection.request("GET", f"/stream/{request}", headers={"Connection": "close"})
    answer = connection.getresponse()
    assert answer.readline().decode().strip() == request
    answer.close()
    connection.close()
