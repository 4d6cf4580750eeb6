"""Whether objects that a test has dropped are freed."""

from __future__ import annotations

import gc
import weakref


class Thing:
    """Something a weak reference can point to."""


def assert_freed(**references: weakref.ref) -> None:
    # A generator that is collected ends, and its end hands over: that takes a second round.
    gc.collect()
    gc.collect()
    alive = [name for name, reference in references.items() if reference() is not None]
    assert alive == []
