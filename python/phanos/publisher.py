"""Profilers and handlers, under the name of the module that documents them."""

from __future__ import annotations

from contextvars import ContextVar

from ._profiler.configuration import RESPONSE_SIZE, TIME_PROFILER
from ._profiler.profiler import Profiler
from ._profiler.steps import AbstractExtProfiler, AsyncExtProfiler, SyncExtProfiler
from .handlers import (
    AsyncBaseHandler,
    AsyncImpProfHandler,
    BaseHandler,
    ImpProfHandler,
    LoggerHandler,
    NamedLoggerHandler,
    OutputFormatter,
    PrometheusHandler,
    StreamHandler,
    SyncBaseHandler,
    TreeHandler,
    log_error_profiling,
)
from .messaging import NETWORK_ERRORS, AsyncioPublisher, BlockingPublisher
from .metrics import MetricWrapper, ResponseSize, TimeProfiler
from .tree import ContextTree, MethodTreeNode
from .types import AfterType, BeforeType, LoggerLike, Record

__all__ = [
    "NETWORK_ERRORS",
    "RESPONSE_SIZE",
    "TIME_PROFILER",
    "AbstractExtProfiler",
    "AfterType",
    "AsyncBaseHandler",
    "AsyncExtProfiler",
    "AsyncImpProfHandler",
    "AsyncioPublisher",
    "BaseHandler",
    "BeforeType",
    "BlockingPublisher",
    "ContextTree",
    "ImpProfHandler",
    "LoggerHandler",
    "LoggerLike",
    "MethodTreeNode",
    "MetricWrapper",
    "NamedLoggerHandler",
    "OutputFormatter",
    "PhanosProfiler",
    "Profiler",
    "PrometheusHandler",
    "Record",
    "ResponseSize",
    "StreamHandler",
    "SyncBaseHandler",
    "SyncExtProfiler",
    "TimeProfiler",
    "TreeHandler",
    "curr_node",
    "log_error_profiling",
]

PhanosProfiler = Profiler
"""The 0.1 name."""

curr_node: ContextVar[MethodTreeNode]
"""The default profiler's current node; set when `phanos` is imported."""
