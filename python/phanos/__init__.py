"""
Call-tree profiling for Flask and asyncio servers.

Mark functions with `@phanos.profile`, configure `phanos.profiler` once; every call becomes a
record with its place in the call tree, its duration and, for roots, the response's size.
"""

from __future__ import annotations

from . import (
    _shutdown,
    config,
    handlers,
    log,
    messaging,
    metrics,
    publisher,
    tree,
    types,
)
from ._phanos import __version__
from ._shutdown import deliver_on_signal
from ._watching.replaced import watch_public_modules
from .publisher import Profiler
from .tree import MethodTreeNode

__all__ = [
    "MethodTreeNode",
    "__version__",
    "config",
    "deliver_on_signal",
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
watch_public_modules()


_shutdown.install()
