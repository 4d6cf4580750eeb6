"""
Call-tree profiling for Flask and asyncio servers.

Mark functions with `@phanos.profile`, configure `phanos.profiler` once; every call becomes a record
with its place in the call tree, its duration and, for roots, the response's size.

Begin
-----

    import phanos

    phanos.profiler.config(job="shop")
    phanos.profiler.add_handler(phanos.handlers.TreeHandler("tree"))

    @phanos.profile
    def checkout(cart):
        return sum(cart)

    checkout([3, 4])

Put `@phanos.profile` right above `def`, below `@classmethod`, `@staticmethod` and routes.
Functions, methods, coroutines and generators work. The first profiled call is a root; when it ends,
what was recorded goes to the handlers.

Configure
---------

    phanos.profiler.config(job="shop", names="qualified")         or, with handlers,
    phanos.profiler.dict_config({"job": "shop", "handlers": {...}})
    phanos.profiler.async_config(...)         for asynchronous handlers as well
    help(phanos.profiler.config)              has all settings

PHANOS_ENABLED, PHANOS_SAMPLE_RATE and PHANOS_JOB of the environment count more than the code;
PHANOS_AMQP_URL is the broker where the code names none.

Handlers: where records go, help(phanos.handlers)
-------------------------------------------------

    StreamHandler("out")                      lines of text or JSON
    TreeHandler("tree")                       a tree with counts and times
    LoggerHandler("log"), NamedLoggerHandler  a logger
    PrometheusHandler("prometheus")           http://127.0.0.1:9464/metrics, and a page at /
    ImpProfHandler("rabbit", host="broker")   RabbitMQ, in the background
    AsyncImpProfHandler                       the same, for async_config

More
----

    phanos.profiler                           pause, resume, sample_rate, flush, stats, reset, hooks
    phanos.metrics                            Counter, Gauge, Histogram, Summary, Info, Enum
    phanos.testing                            what a test called, and how often
    phanos.deliver_on_signal()                deliver before SIGTERM ends a script
    python -m phanos                          version, what is there, where the pages are
    phanos collect, phanos top                commands: Prometheus for many hosts; a live view
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
