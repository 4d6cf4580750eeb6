"""Costs as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from costs import imports
from costs.axis import duration
from costs.delivery import BATCHES
from costs.participants import NEW, OLD, OPENTELEMETRY, PARTICIPANTS, PROMETHEUS
from costs.results import Result
from costs.rows import WRAPPER, Row, rows
from costs.statistics import Cost

NONE = "—"
COLUMNS = (
    (WRAPPER, "do-nothing wrapper"),
    (PROMETHEUS.key, PROMETHEUS.title),
    (OPENTELEMETRY.key, OPENTELEMETRY.title),
    (OLD.key, OLD.title),
    (NEW.key, NEW.title),
)
SERIES = {
    "recorded_depth": "depth: profiled callers above the call",
    "depth": "the same, with records written as text, paths in full",
    "live_tasks": "other tasks inside a profiled call",
    "paths": "distinct paths in turn",
    "context_variables": "other context variables set",
    "metrics": "metrics that are registered and not used, per root call",
    "labels": "labels of `counter.inc`, the operation alone",
}
SUMMARY = {
    "idle_sync": "nothing is recorded: no handler",
    "nested_sync": "recorded, function",
    "nested_async": "recorded, coroutine",
    "sync_up": "recorded and handed over to RabbitMQ",
}
"""Cases of the table in the README, by name."""
FRACTION = "0.4.0 / 0.3.2"
PIP = "pip"
"""Part of every environment: not counted, even where it is required."""


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table: titles to the left, numbers to the right."""
    rule = ["---", *(["---:"] * (len(head) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *lines))


def cell(cost: Cost | None) -> str:
    """Minimum, and the median in brackets, in nanoseconds."""
    return f"{cost.minimum:,.0f} ({cost.median:,.0f})" if cost is not None else NONE


def fraction(old: Cost | None, new: Cost | None) -> str:
    """What the new one costs, as a fraction of the old one."""
    if old is None or new is None:
        return NONE
    times = new.ratio(old)
    return f"1/{float(f'{times:.2g}'):,.0f}" if times >= 9.95 else f"1/{times:.1f}"


def calls_table(found: Iterable[Row]) -> str:
    """Nanoseconds per call above the bare call."""
    lines: list[list[str]] = []
    for row in found:
        cells = [cell(row.costs.get(key)) for key, _ in COLUMNS]
        lines.append([row.title, *cells, fraction(row.costs.get(OLD.key), row.costs.get(NEW.key))])
    return markdown(["ns per call", *(title for _, title in COLUMNS), FRACTION], lines)


def delivery_table(found: Iterable[Row]) -> str:
    """The same for calls whose costs are of very different sizes."""
    lines: list[list[str]] = []
    for row in found:
        old, new = row.costs[OLD.key], row.costs[NEW.key]
        cells = [f"{duration(cost.minimum)} ({duration(cost.median)})" for cost in (old, new)]
        lines.append([row.title, *cells, fraction(old, new)])
    return markdown(["time per call", OLD.title, NEW.title, FRACTION], lines)


def summary_table(result: Result) -> str:
    """A few rows for a first look: the smallest costs of both versions of phanos."""
    found = rows(result)
    lines: list[list[str]] = []
    for name, title in SUMMARY.items():
        if name not in found:
            continue
        old, new = (found[name].costs.get(one.key) for one in (OLD, NEW))
        if old is not None and new is not None:
            cells = [duration(cost.minimum) for cost in (old, new)]
            lines.append([title, *cells, fraction(old, new)])
    head = f"one call, CPython {'.'.join(map(str, result.minor))}"
    return markdown([head, OLD.title, NEW.title, FRACTION], lines)


def growth_table(result: Result) -> str:
    """Smallest cost at the smallest and at the largest size."""
    head = ["a call, with more and more", "from", "to"]
    both = [one for one in (OLD, NEW) if one.key in result.growth]
    lines: list[list[str]] = []
    for name, title in SERIES.items():
        costs = {one.key: result.growth[one.key].costs(name) for one in both}
        sizes = [size for each in costs.values() for size in each]
        cells = [span(costs[one.key], max(sizes)) for one in both]
        lines.append([title, f"{min(sizes):,}", f"{max(sizes):,}", *cells])
    return markdown([*head, *(one.title for one in both)], lines)


def span(costs: dict[int, Cost], largest: int) -> str:
    """From the first cost to the last, and how far that is if it is not all the way."""
    sizes = sorted(costs)
    first, last = (duration(costs[size].minimum) for size in (sizes[0], sizes[-1]))
    beyond = "" if sizes[-1] == largest else f" (at {sizes[-1]:,})"
    return f"{first} → {last}{beyond}"


def imports_table(result: Result) -> str:
    """Time and memory of importing, and disk."""
    lines: list[list[str]] = []
    for one in PARTICIPANTS:
        if one.key not in result.imports:
            continue
        cost = imports.cost(result.imports[one.key])
        sizes = [size for name, size in result.installed_bytes[one.key].items() if name != PIP]
        lines.append(
            [
                f"{one.title}: `{one.imports}`",
                f"{cost.minimum_ms:.1f} ({cost.median_ms:.1f}) ms",
                f"{cost.resident_bytes / 1e6:.1f} MB",
                f"{sum(sizes) / 1e6:.1f} MB",
                str(len(sizes)),
            ]
        )
    return markdown(["import", "time", "memory", "disk", "packages on it"], lines)


def sustained_table(delivery: dict[str, Any]) -> str:
    """As many records as possible: the best round of each side."""
    lines: list[list[str]] = []
    for case, batch in BATCHES.items():
        for one in (OLD, NEW):
            best = min(delivery["sustained"][case][one.key], key=seconds_per_record)
            elapsed, records = best["elapsed_s"], best["records"]
            used = (best[name] / elapsed for name in ("caller_s", "delivery_s", "others_s"))
            lines.append(
                [
                    f"{one.title}, batches of {batch}",
                    f"{records / elapsed:,.0f}",
                    f"{records / (best['messages'] or records // batch):,.0f}",
                    *(f"{cores:.2f}" for cores in used),
                ]
            )
    head = ["as many records as possible", "records/s", "records/message", "cores: caller"]
    return markdown([*head, "delivery", "broker and others"], lines)


def seconds_per_record(told: dict[str, Any]) -> float:
    """Of one measurement."""
    return float(told["elapsed_s"] / told["records"])
