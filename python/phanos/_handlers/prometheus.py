"""The handler that serves Prometheus: any number of processes of one machine, one endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from phanos._arguments.host import MetricOptions, Path, host_settings
from phanos._asynchronous.waiting import wait
from phanos._loggers import logger_of
from phanos._phanos import Delivery, PendingResult, delivery_on_host
from phanos._shutdown import connect_to_celery
from phanos._watching import registry
from phanos._watching.replaced import Originals, in_force
from phanos.types import LoggerLike, Record

from .base import OutputFormatter, SyncBaseHandler
from .delivering import (
    CONFIRM_S,
    CORE_BYPASSES,
    DeliveringHandler,
    checked_synchronous,
    close,
    close_async,
    flush,
    flush_async,
    is_lazy,
    takes_rows,
)
from .mounted import AsgiApp, MetricsCollector, WsgiApp


class PrometheusHandler(DeliveringHandler, SyncBaseHandler):
    """
    Counts the records of all processes of this machine, and serves them to Prometheus.

    For synchronous and asynchronous programs. Every process has the same line of configuration.
    The first to come serves `http://address:port/metrics`, on threads that never take the
    interpreter lock; all send their records to it. When it ends or is killed, another one takes the
    port and the counts over. Handing over takes microseconds: records wait in a bounded buffer and
    are kept until they are counted.

    Args:
        handler_name: name of the handler.
        port: where `/metrics`, `/healthz` and `/readyz` are served.
        address: an IP address of this machine; others than those of the loopback interface are
            reached from elsewhere, without encryption.
        state_directory: where counts are kept from one run to the next. Without one they begin
            at zero when no process of the last run is left.
        logger: a logger, any object with a method `log`, or the name of one; by default
            `phanos.publisher`.
        connect: `lazy` begins to serve with the first record and not at once, so that no thread
            runs in a process that forks its workers before.
        synchronous: `handle` returns once the records are counted.
        token: what clients have to send, as `Authorization: Bearer ...`.
        max_series: series that one job may have; beyond them totals go on in one overflow series.
        zero_first_s: seconds for which a new series shows 0, so that `increase` sees its first
            counts: the interval of scrapes.
        time_to_live_s: seconds that a gauge, info or enum stays without records; 0: for ever.
        gauge_policy: how values of several processes become one gauge: `last`, `sum`, `max`, `min`,
            or `live`, the sum over processes that still send.
        job_label: label for the job, if scrapes cannot have `honor_labels`.
        metrics: `buckets`, `gauge_policy` and `time_to_live_s` of single metrics, by their names.
        runtime_directory: where the processes find each other; by default `$XDG_RUNTIME_DIR`, or
            else a folder of the user in the one for temporary files.
        buffer_bytes: memory for records that wait; beyond it the oldest go, and are counted.
        spool_directory: where records wait that memory cannot hold, and survive a process
            that dies; a later process with the same address sends them.
        spool_bytes: disk for them.

    Raises:
        TypeError: an argument that is not known, or of the wrong type.
        ValueError: a value out of range.
    """

    def __init__(
        self,
        handler_name: str,
        port: int = 9464,
        address: str = "127.0.0.1",
        state_directory: Path | None = None,
        logger: LoggerLike | str | None = None,
        *,
        connect: Literal["eager", "lazy"] = "eager",
        synchronous: bool = False,
        token: str | None = None,
        max_series: int = 10_000,
        zero_first_s: float = 15.0,
        time_to_live_s: float = 24 * 3600.0,
        gauge_policy: str = "last",
        job_label: str = "job",
        metrics: Mapping[str, MetricOptions] | None = None,
        runtime_directory: Path | None = None,
        buffer_bytes: int = 64 * 1024 * 1024,
        spool_directory: Path | None = None,
        spool_bytes: int = 1024 * 1024 * 1024,
    ) -> None:
        arguments: dict[str, Any] = locals()
        super().__init__(handler_name)
        self.synchronous = checked_synchronous(synchronous)
        lazy = is_lazy(connect)
        self.logger = logger_of(logger, "phanos.publisher")
        self.formatter = in_force("OutputFormatter", OutputFormatter)()
        self._settings = host_settings(arguments)
        self._network = delivery_on_host(self._settings)
        registry.add_publisher(self)
        connect_to_celery()
        if not lazy:
            # A system that refuses a thread may grant it with the first record.
            with suppress(OSError):
                self._network.connect()
        self._write_log_lines()

    @property
    def url(self) -> str:
        """Where Prometheus finds the metrics."""
        address, port = self._settings.address, self._settings.port
        return f"http://{f'[{address}]' if ':' in address else address}:{port}/metrics"

    def _target(self) -> str:
        return f"{self.url}, {self._shown_counts()}"

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Put the batch into the buffer; with `synchronous`, wait until it is counted."""
        self._enqueue(records, profiler_name)
        if self.synchronous:
            wait(self._start_flush(), CONFIRM_S)
            self._write_log_lines()

    def flush(self, timeout: float = 5.0) -> bool:
        """
        Wait until all records handed over so far are counted and stored.

        Args:
            timeout: seconds.

        Returns False if records are still waiting.
        """
        return flush(self, timeout)

    async def aflush(self, timeout: float = 5.0) -> bool:
        """Await that all records handed over so far are counted; see `flush`."""
        return await flush_async(self, timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """
        Deliver the waiting records and leave the other processes, one of which goes on serving.

        A record handed over later joins them again.

        Args:
            timeout: seconds for delivering.

        Returns False if records had to be given up.
        """
        return close(self, timeout)

    async def aclose(self, timeout: float = 5.0) -> bool:
        """Deliver the waiting records and leave the other processes; see `close`."""
        return await close_async(self, timeout)

    def wsgi_app(self) -> WsgiApp:
        """Return a WSGI application that answers with the metrics of all processes."""
        return WsgiApp(self._network, self._settings)

    def asgi_app(self) -> AsgiApp:
        """Return an ASGI application that answers with the metrics of all processes."""
        return AsgiApp(self._network, self._settings)

    def collector(self) -> MetricsCollector:
        """
        Return a collector for a registry of prometheus_client, with the metrics of all processes.

        Raises:
            ImportError: prometheus_client is not installed.
        """
        return MetricsCollector(self._network, self._settings, self.logger)

    def _start_stop(self) -> PendingResult:
        """End the network side; the result is True if no record had to be given up."""
        return self._delivery.stop()

    def _end_log(self) -> None:
        """Log what is left to say when the process ends."""
        self._delivery.give_up()
        self._write_log_lines()


_ORIGINALS = Originals(PrometheusHandler, CORE_BYPASSES)


def direct_delivery(handler: Any) -> Delivery | None:
    """Return the delivery that the core gives rows to, if nothing in `handler` was replaced."""
    # A subclass may override the constructor without calling it.
    if isinstance(handler, PrometheusHandler) and takes_rows(handler, _ORIGINALS):
        return getattr(handler, "_network", None)
    return None
