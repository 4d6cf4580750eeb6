"""The profiler: what is measured, how calls are marked, where records go."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, ClassVar

from . import _registry
from ._calls import ProfiledCalls
from ._configuring import Configuring
from ._hooks import HOOKS, adapted
from ._observed import Observed, ProfilerType
from ._phanos import ProfilerCore
from ._plan import STEPS, build
from .metrics import MetricWrapper
from .tree import ContextTree

_serials = itertools.count()


class Profiler(Configuring, ProfiledCalls, metaclass=ProfilerType):
    """
    Measures decorated functions and hands the records to handlers.

    A profiled call makes a node in a call tree; when a root call ends, all waiting records
    go to the handlers. Before it is configured, or without a handler or metric, decorated
    functions just run.

    `before_func`, `before_root_func`: called with `(func, args, kwargs)` before a profiled
    call, or before one that is a root. `after_func`, `after_root_func`: called with
    `(result, args, kwargs)` after it; `result` is None after an exception, which
    `sys.exc_info()` then shows. Arguments are packed. An `Exception` in a hook is logged.
    """

    RECORDS_LEN_LIMIT = 100
    """With that many records waiting, any profiled call hands over when it ends."""
    RECORDS_ERR_LIMIT = 3000
    """Records that may wait while no handler is attached; beyond it the oldest go."""

    _PARTS: ClassVar[frozenset[str]] = frozenset(
        {
            "metrics",
            "handlers",
            "handle_records",
            "time_profile",
            "resp_size_profile",
            "profile_ext",
            "tree",
            "RECORDS_LEN_LIMIT",
            "RECORDS_ERR_LIMIT",
            *HOOKS,
            *STEPS,
        }
    )
    """Attributes that the plan is made from."""

    def __init__(self) -> None:
        super().__init__(logged_name="phanos", logger_name="phanos.publisher")
        self._ready = False
        self._serial = next(_serials)
        self._revision = 0
        self._untold_drops = 0
        self._adapted_hooks = {}
        self._error_raised_label = True
        self._owned: list[MetricWrapper] = []
        tree = ContextTree()
        self._core = ProfilerCore(tree.root, "curr_node")
        self.tree = tree
        self.metrics = {}
        self.handlers = {}
        self.job = ""
        self.handle_records = False
        self.time_profile = None
        self.resp_size_profile = None
        self.profile_ext = None
        for hook in HOOKS:
            setattr(self, hook, None)
        self._ready = True
        _registry.add(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in HOOKS:
            self._adapted_hooks[name] = adapted(name, value)
        elif name in ("metrics", "handlers"):
            value = Observed(value, self._refresh)
        super().__setattr__(name, value)
        if name == "tree":
            self._core.root = value.root
        if name in self._PARTS:
            self._refresh()

    def needs_profiling(self) -> bool:
        """Tell whether decorated functions are measured at all."""
        return bool(self.metrics and self.handlers and self.handle_records)

    def _refresh(self) -> None:
        """Make the plan anew and put it in force."""
        if not self.__dict__.get("_ready"):
            return
        while True:
            # Without a lock, which a fork could leave locked: whoever finds that the
            # configuration changed meanwhile makes the plan once more.
            self._revision += 1
            revision = self._revision
            self._adopt_metrics()
            plan = build(self, Profiler)
            own = type(self).needs_profiling is not Profiler.needs_profiling
            own = own or "needs_profiling" in self.__dict__
            enabled = self.profile_ext is not None and (own or Profiler.needs_profiling(self))
            if revision == self._revision:
                self._core.install(plan, enabled)
                return

    def _adopt_metrics(self) -> None:
        """Own the metrics that are in `metrics`, however they got there, and no others."""
        metrics = list(self.metrics.values())
        for metric in metrics:
            if not any(metric is known for known in self._owned):
                metric._attach(self._core.call_tree)
        for metric in self._owned:
            if not any(metric is kept for kept in metrics):
                metric._attach(None)
        self._owned = metrics

    def _component_changed(self, component: object) -> None:
        handlers = tuple(self.handlers.values())
        publishers = (getattr(handler, "publisher", None) for handler in handlers)
        parts: Iterable[Any] = (*handlers, *publishers, *self.metrics.values())
        if any(component is part for part in parts):
            self._refresh()
