"""What keeps a profiler's plan in step with its attributes."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, cast

from phanos._calls.hooks import HOOKS, Hook, adapted
from phanos._handlers.base import WatchedHandler
from phanos._phanos import ProfilerCore

from .plan import STEPS, Observed, ProfilerType, build, is_native, root_of

if TYPE_CHECKING:
    from phanos._watching.replaced import Originals
    from phanos.metrics import MetricWrapper
    from phanos.tree import ContextTree
    from phanos.types import HandlerLike

    from .protocols import ProfilerProtocol
    from .steps import AbstractExtProfiler


class Planned(metaclass=ProfilerType):
    """The part of a profiler that makes the native core's plan anew when something changes."""

    tree: ContextTree
    metrics: dict[str, MetricWrapper]
    handlers: dict[str, HandlerLike]
    profile_ext: AbstractExtProfiler | None
    _core: ProfilerCore
    _adapted_hooks: dict[str, Hook | None]
    _attached_metrics: list[MetricWrapper]
    _plan_revision: int

    _own_steps: ClassVar[Originals]
    """The steps of a call as this package defines them."""
    _own_check: ClassVar[Originals]
    """`needs_profiling` as this package defines it."""

    _PARTS_OF_PLAN: ClassVar[frozenset[str]] = frozenset(
        {
            "metrics",
            "handlers",
            "handle_records",
            "time_profile",
            "resp_size_profile",
            "profile_ext",
            "tree",
            "_is_paused",
            "_options",
            "RECORDS_LEN_LIMIT",
            "RECORDS_ERR_LIMIT",
            *HOOKS,
            *STEPS,
        }
    )
    """Attributes that the plan is made from."""

    @abstractmethod
    def needs_profiling(self) -> bool:
        """Tell whether decorated functions are measured at all."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in HOOKS:
            self._adapted_hooks[name] = adapted(name, value)
        elif name in ("metrics", "handlers"):
            value = Observed(value, self._refresh)
        super().__setattr__(name, value)
        if name == "_options" and "_core" in vars(self):
            self._core.set_naming(*value.naming)
        if name == "tree":
            self._core.root = root_of(value)
        if name in self._PARTS_OF_PLAN:
            self._refresh()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in self._PARTS_OF_PLAN:
            self._refresh()

    def _refresh(self) -> None:
        """Make the plan anew and put it in force."""
        if self.__dict__.get("_is_plan_deferred", True):
            return
        while True:
            # Without a lock, which a fork could leave locked: a thread that finds that the
            # configuration changed meanwhile makes the plan once more.
            self._plan_revision += 1
            revision = self._plan_revision
            self._attach_metrics()
            plan = build(cast("ProfilerProtocol", self), self._own_steps)
            own = self._own_check.are_replaced_in(self)
            enabled = self.profile_ext is not None and (own or self.needs_profiling())
            if revision == self._plan_revision:
                self._core.install(plan, enabled)
                return

    def _attach_metrics(self) -> None:
        """Attach the metrics that are in `metrics`, however they got there; detach all others."""
        metrics = [metric for metric in self.metrics.values() if is_native(metric)]
        for metric in metrics:
            if not any(metric is attached for attached in self._attached_metrics):
                metric._attach(self._core.call_tree)
        for metric in self._attached_metrics:
            if not any(metric is kept for kept in metrics):
                metric._attach(None)
        self._attached_metrics = metrics

    def _has_metric(self, metric: object) -> bool:
        return any(metric is known for known in self.metrics.values())

    def _component_changed(self, component: object) -> None:
        handlers = tuple(self.handlers.values())
        parts: list[Any] = [*handlers, *self.metrics.values(), self.tree, self.profile_ext]
        for handler in handlers:
            if issubclass(type(handler), WatchedHandler):
                parts += [getattr(handler, part, None) for part in ("publisher", "formatter")]
        if any(component is part for part in parts):
            self._refresh()
