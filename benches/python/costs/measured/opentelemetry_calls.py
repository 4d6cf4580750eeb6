"""
The cases of the table that OpenTelemetry has: `tracer.start_as_current_span` as a decorator.

The SDK's provider and batch processor as they are by default, but for a queue that is long enough
to drop nothing, with an exporter that discards. A span has an id, a parent and attributes; context
can be propagated to other services. What the processor's thread still has to export when the calls
are done is not in their time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NoOpTracerProvider, Tracer

from costs.measured.bare import (
    NESTED,
    SHARED,
    async_body,
    async_call,
    async_run,
    body,
    call,
    decorating_run,
    run_async,
    sync_run,
    threads_run,
)
from costs.measured.case import Case

FLUSH_MS = 30_000
QUEUE_SIZE = 1 << 15


class Discarding(SpanExporter):
    """Counts spans."""

    spans = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += len(spans)
        return SpanExportResult.SUCCESS


class Traced:
    """A provider with its processor and exporter, and how many spans it exported."""

    def __init__(self) -> None:
        self.exporter = Discarding()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(self.exporter, QUEUE_SIZE))
        self.tracer = self.provider.get_tracer("bench")

    def decorate(self, function: Any) -> Any:
        return traced_by(self.tracer, function)

    def arrived(self) -> int:
        assert self.provider.force_flush(FLUSH_MS)
        return self.exporter.spans


def traced_by(tracer: Tracer, function: Any) -> Any:
    return tracer.start_as_current_span(function.__name__)(function)


def idle_cases() -> list[Case]:
    """The API without an SDK: spans are made that record nothing."""
    tracer = NoOpTracerProvider().get_tracer("bench")
    return [
        Case("idle_sync", sync_run(traced_by(tracer, body)), "bare_sync"),
        Case("idle_async", async_run(traced_by(tracer, async_body)), "bare_async"),
    ]


def nested_sync() -> Case:
    traced = Traced()
    decorated = traced.decorate(body)

    def root() -> None:
        call(decorated, NESTED)

    run = under_roots(traced.decorate(root))
    return Case("nested_sync", run, "bare_sync", NESTED, NESTED + 1, traced.arrived)


def under_roots(root: Callable[[], None]) -> Callable[[int], None]:
    def run(calls: int) -> None:
        for _ in range(calls // NESTED):
            root()

    return run


def nested_async() -> Case:
    traced = Traced()
    decorated = traced.decorate(async_body)

    async def root() -> None:
        await async_call(decorated, NESTED)

    decorated_root = traced.decorate(root)

    async def roots(calls: int) -> None:
        for _ in range(calls // NESTED):
            await decorated_root()

    def run(calls: int) -> None:
        run_async(roots(calls))

    return Case("nested_async", run, "bare_async", NESTED, NESTED + 1, traced.arrived)


def root_case() -> Case:
    traced = Traced()
    run = sync_run(traced.decorate(body))
    return Case("root_batched", run, "bare_sync", records=1, arrived=traced.arrived)


def threads_case(threads: int) -> Case:
    traced = Traced()
    return Case(
        f"threads_{threads}",
        threads_run(traced.decorate(body), threads),
        f"bare_threads_{threads}",
        SHARED,
        SHARED,
        traced.arrived,
    )


def operation_case() -> Case:
    """A call that counts something, with an attribute: OpenTelemetry's metrics, not its spans."""
    reader = InMemoryMetricReader()
    counter = MeterProvider([reader], shutdown_on_exit=False).get_meter("bench").create_counter("c")

    def counting(number: int) -> int:
        counter.add(1.0, {"kind": "a"})
        return number

    def arrived() -> int:
        data = reader.get_metrics_data()
        if data is None:
            return 0
        (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
        return int(point.value)

    return Case("operation", sync_run(counting), "bare_sync", records=1, arrived=arrived)


def cases() -> list[Case]:
    return [
        *idle_cases(),
        nested_sync(),
        nested_async(),
        root_case(),
        threads_case(1),
        threads_case(4),
        operation_case(),
        Case("decorate", decorating_run(Traced().decorate), "bare_decorate"),
    ]
