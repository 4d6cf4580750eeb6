"""
The end of a Celery worker process.

Celery ends the processes of its pool by `os._exit`, which nobody hears of but those who listen
to Celery's own signal.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from . import _registry

PATIENCE_S = 2.0
"""How long a process may take to deliver what waits in it."""


def listen() -> None:
    """Deliver before a worker process ends, if this program has Celery."""
    signals: Any = sys.modules.get("celery.signals")
    if signals is not None:
        signals.worker_process_shutdown.connect(_deliver, weak=False, dispatch_uid="phanos")


def _deliver(**_: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    for listener in _registry.alive():
        listener._exit()
    for answer in [publisher._flushing() for publisher in _registry.publishers()]:
        answer.wait(max(end - time.monotonic(), 0.0))
    for publisher in _registry.publishers():
        publisher._log_notices()
