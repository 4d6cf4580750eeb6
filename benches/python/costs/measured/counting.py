"""Whether null handlers count what arrives: during checks, not while time is taken."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

enabled = False


@contextmanager
def counted() -> Generator[None, None, None]:
    """Count what arrives meanwhile."""
    global enabled
    enabled = True
    try:
        yield
    finally:
        enabled = False
