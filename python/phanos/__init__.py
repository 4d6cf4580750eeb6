"""
Call-tree profiling for Flask and asyncio servers.

Mark functions with `@phanos.profile`, configure `phanos.profiler` once; every call becomes a
record with its place in the call tree, its duration and, for roots, the response's size.
"""

from __future__ import annotations

import atexit
import os
import time

from . import (
    _registry,
    config,
    handlers,
    log,
    messaging,
    metrics,
    publisher,
    tree,
    types,
)
from ._phanos import __version__, end_deliveries, end_runtime
from .publisher import Profiler
from .tree import MethodTreeNode

__all__ = [
    "MethodTreeNode",
    "__version__",
    "config",
    "handlers",
    "log",
    "messaging",
    "metrics",
    "phanos_profiler",
    "profile",
    "profiler",
    "publisher",
    "tree",
    "types",
]

profiler = Profiler()
"""The default profiler."""

phanos_profiler = profiler
"""Another name of the default profiler."""

profile = profiler.profile
"""Decorator of the default profiler."""

profiler._core.make_default()
publisher.curr_node = tree.curr_node = profiler.curr_node


AT_EXIT_S = 2.0
"""Seconds that the end of the interpreter waits for what is still under way."""


def _flush_at_exit() -> None:
    end = time.monotonic() + AT_EXIT_S
    for listener in _registry.alive():
        listener._exit()
    _registry.end_publishers(end)
    end_deliveries(max(end - time.monotonic(), 0.2))
    end_runtime(max(end - time.monotonic(), 0.2))


atexit.register(_flush_at_exit)


def _forget_inherited() -> None:
    for listener in _registry.alive():
        listener._forget_inherited()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)
