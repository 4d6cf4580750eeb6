"""The table of what one could pick instead: what it costs, what it gives and what it does not."""

from __future__ import annotations

from costs.axis import duration
from costs.participants import (
    CPROFILE,
    INSTEAD,
    MULTIPROCESS,
    NEW,
    OPENTELEMETRY,
    PROMETHEUS,
    PYINSTRUMENT,
    SENTRY,
    VIZTRACER,
    YAPPI,
    Participant,
)
from costs.results import Result
from costs.rows import call_rows
from costs.tables import NONE, markdown

TOLD: tuple[tuple[Participant, str, str], ...] = (
    (NEW, "call tree of all workers, errors, in Prometheus", "what was not decorated"),
    (PROMETHEUS, "a histogram, of one process", "call tree, errors, other workers"),
    (MULTIPROCESS, "a histogram with a label, of all workers of a host", "call tree, errors"),
    (OPENTELEMETRY, "single requests as trees, across services", "sums over all, unless collected"),
    (SENTRY, "single requests as trees, sampled", "sums over all requests"),
    (CPROFILE, "all functions, counts and times", "threads, coroutines apart, other workers"),
    (YAPPI, "all functions, threads and coroutines too", "other workers, the tree of a request"),
    (VIZTRACER, "all calls of a stretch of time", "more than the last million calls"),
    (PYINSTRUMENT, "where time goes in one thread, sampled", "counts of calls, other workers"),
)


def instead_table(result: Result) -> str:
    """Smallest time above the bare call; empty if none of the others was measured."""
    found = call_rows(result.calls)
    lines: list[list[str]] = []
    for one, gives, lacks in TOLD:
        if one.key in result.calls:
            costs = [
                found[case].costs.get(one.key) if case in found else None
                for case in ("nested_sync", "nested_async")
            ]
            cells = [duration(cost.minimum) if cost is not None else NONE for cost in costs]
            lines.append([one.title, *cells, gives, lacks])
    if not any(one.key in result.calls for one in INSTEAD):
        return ""
    return markdown(["one nested call", "function", "coroutine", "gives", "does not"], lines)
