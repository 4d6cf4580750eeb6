"""Metrics and handlers: adding, replacing and deleting them."""

from __future__ import annotations

from ._ext import AsyncExtProfiler
from ._handing_over import HandingOver
from ._handler_kind import checked_handler
from .handlers import AsyncBaseHandler, SyncBaseHandler
from .metrics import MetricWrapper, ResponseSize, TimeProfiler

TIME_PROFILER = "time_profiler"
"""Name of the built-in metric of durations."""
RESPONSE_SIZE = "response_size"
"""Name of the built-in metric of response sizes."""


class Components(HandingOver):
    """The part of `Profiler` that keeps metrics and handlers."""

    def create_time_profiler(self) -> None:
        """Add the built-in metric of durations."""
        self.time_profile = TimeProfiler(TIME_PROFILER, job=self.job, logger=self.logger)
        self._put_metric(self.time_profile)
        self.debug("Phanos - time profiler created")

    def create_response_size_profiler(self) -> None:
        """Add the built-in metric of response sizes."""
        self.resp_size_profile = ResponseSize(RESPONSE_SIZE, job=self.job, logger=self.logger)
        self._put_metric(self.resp_size_profile)
        self.debug("Phanos - response size profiler created")

    def add_metric(self, metric: MetricWrapper) -> None:
        """
        Add a metric; one of the same name is replaced, after its records are handed over.

        Raises:
            TypeError: not a metric.
        """
        if not isinstance(metric, MetricWrapper):
            raise TypeError(f"add_metric expects a metric of phanos.metrics, got {metric!r}")
        if metric.name in self.metrics and self.metrics[metric.name] is not metric:
            self.warning(
                "'Profiler.add_metric': Metric %r already exist. Overwriting with new metric",
                metric.name,
            )
        self._put_metric(metric)

    def _put_metric(self, metric: MetricWrapper) -> None:
        before = self.metrics.get(metric.name)
        if before is not None and before is not metric:
            self._hand_over()
        if self._error_raised_label:
            metric.label_names.add("error_raised")
        self.metrics[metric.name] = metric
        if before is not None and before is not metric:
            self._hand_over_rest(before)
        self.debug("Metric %r added to phanos profiler", metric.name)

    def delete_metric(self, item: str) -> None:
        """Delete the metric named `item`, after handing over; unknown names are a warning."""
        metric = self.metrics.get(item)
        if metric is None:
            self.warning("Profiler.delete_metric: metric %s do not exist", item)
            return
        self._hand_over()
        self.metrics.pop(item, None)
        self._hand_over_rest(metric)
        if metric is self.time_profile:
            self.time_profile = None
        if metric is self.resp_size_profile:
            self.resp_size_profile = None
        self.debug("metric %s deleted", item)

    def delete_metrics(
        self, rm_time_profile: bool = False, rm_resp_size_profile: bool = False
    ) -> None:
        """Delete all metrics; the built-in ones only if asked to."""
        for name in list(self.metrics):
            if (name == TIME_PROFILER and not rm_time_profile) or (
                name == RESPONSE_SIZE and not rm_resp_size_profile
            ):
                continue
            self.delete_metric(name)

    def get_records_count(self) -> int:
        """Return the number of records waiting in all metrics."""
        return sum(len(metric.values) for metric in self.metrics.values())

    def add_handler(self, handler: SyncBaseHandler | AsyncBaseHandler) -> None:
        """
        Add a handler; one of the same name is replaced, after records are handed over.

        Raises:
            RuntimeError: the profiler is not configured yet.
            TypeError: no handler, or one without a name.
            ValueError: an asynchronous handler for a profiler configured by `config`.
        """
        if self.profile_ext is None:
            raise RuntimeError("Profiler not configured yet")
        name = checked_handler(handler, isinstance(self.profile_ext, AsyncExtProfiler))
        if name in self.handlers:
            self.warning(
                "'Profiler.add_handler': Handler %r already exist. Overwriting with new handler",
                name,
            )
            self._hand_over()
        self.handlers[name] = handler
        self.debug("Handler %r added to phanos profiler", name)

    addHandler = add_handler

    def delete_handler(self, handler_name: str) -> None:
        """Delete a handler, after handing over; unknown names are a warning."""
        if handler_name not in self.handlers:
            self.warning("'Profiler.delete_handler': handler %r do not exist", handler_name)
            return
        self._hand_over()
        self.handlers.pop(handler_name, None)
        self.debug("handler %r deleted", handler_name)

    deleteHandler = delete_handler

    def delete_handlers(self) -> None:
        """Delete all handlers, after handing over."""
        self._hand_over()
        self.handlers.clear()
        self.debug("all handlers deleted")

    def clear(self) -> None:
        """Forget all waiting records and all live calls; the configuration stays."""
        for metric in self.metrics.values():
            metric.cleanup()
        self.tree.clear()
        self.curr_node.set(self.tree.root)
