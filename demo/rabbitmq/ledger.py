"""What was recorded, to compare with what arrived."""

from __future__ import annotations

import threading
from collections import Counter

from phanos.publisher import SyncBaseHandler
from phanos.types import Record

from demo.rabbitmq.consumer import Counts


class Ledger(SyncBaseHandler):
    """Counts the records that are handed to it and to the handlers beside it."""

    def __init__(self, handler_name: str) -> None:
        super().__init__(handler_name)
        self._lock = threading.Lock()
        self._counts: Counts = Counter()

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Count a batch of one metric."""
        with self._lock:
            self._counts.update((profiler_name, record["method"]) for record in records)

    @property
    def counts(self) -> Counts:
        """How many records there were, by metric and path."""
        with self._lock:
            return self._counts.copy()
