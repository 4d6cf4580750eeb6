"""Requests one after the other from several clients, until told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from demo.serving import DEADLINE_S, request

CLIENTS_PER_PAGE = 2


class Load:
    """
    Sends requests to every page for as long as its block lasts.

    Attributes:
        answered, failed: numbers of requests; failed ones had no answer, or not status 200.
        slowest_ms: the longest that a request took.
    """

    def __init__(self, pages: Sequence[str]) -> None:
        self.answered = 0
        self.failed = 0
        self.slowest_ms = 0.0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._clients = [
            threading.Thread(target=self._send, args=(page,), daemon=True)
            for page in pages
            for _ in range(CLIENTS_PER_PAGE)
        ]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for client in self._clients:
            client.join(2 * DEADLINE_S)

    def _send(self, page: str) -> None:
        while not self._stopping.is_set():
            start = time.perf_counter()
            try:
                succeeded = request(page).status == 200
            except OSError:
                succeeded = False
            elapsed_ms = (time.perf_counter() - start) * 1000
            with self._lock:
                self.answered += succeeded
                self.failed += not succeeded
                self.slowest_ms = max(self.slowest_ms, elapsed_ms)
