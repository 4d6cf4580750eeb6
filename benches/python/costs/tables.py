"""Costs as tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from costs.calls import Calls
from costs.participants import NEW, OLD, OPENTELEMETRY, PROMETHEUS
from costs.rows import ROWS, WRAPPER
from costs.statistics import Cost

COLUMNS = (
    (WRAPPER, "do-nothing wrapper"),
    (PROMETHEUS.key, PROMETHEUS.title),
    (OPENTELEMETRY.key, OPENTELEMETRY.title),
    (OLD.key, OLD.title),
    (NEW.key, NEW.title),
)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: titles to the left, numbers to the right."""
    rule = ["---", *(["---:"] * (len(head) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def cell(cost: Cost | None) -> str:
    """Minimum, and the median in brackets, in nanoseconds."""
    return f"{cost.minimum:,.0f} ({cost.median:,.0f})" if cost is not None else "—"


def ratio(old: Cost | None, new: Cost | None) -> str:
    """The minimum as a fraction of that of 0.3.2."""
    if old is None or new is None:
        return "—"
    return f"1/{old.minimum / max(new.minimum, 1):.0f}"


def calls_table(measured: Mapping[str, Calls]) -> str:
    """Nanoseconds per call by case and participant."""
    rows = []
    for row in ROWS:
        costs = row.costs(measured)
        cells = [cell(costs.get(key)) for key, _ in COLUMNS]
        rows.append([row.title, *cells, ratio(costs.get(OLD.key), costs.get(NEW.key))])
    return markdown(["case", *(title for _, title in COLUMNS), "of 0.3.2"], rows)
