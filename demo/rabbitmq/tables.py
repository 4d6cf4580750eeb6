"""Tables of what was recorded and received, and of what handlers say of themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from demo.rabbitmq.consumer import Counts

STATS = ("state", "queued", "in_flight", "confirmed", "messages", "retried", "returned")

Stats = Mapping[str, Any]


def compared(recorded: Counts, received: Counts) -> Iterator[str]:
    """Yield a line for every metric and path, and one for all of them."""
    yield f"{'metric':<16}{'path':<36}{'recorded':>9}{'received':>9}"
    for metric, path in sorted(recorded | received):
        key = metric, path
        yield f"{metric:<16}{path:<36}{recorded[key]:>9,}{received[key]:>9,}"
    yield f"{'all':<52}{recorded.total():>9,}{received.total():>9,}"


def stats_over_time(moments: Mapping[str, Stats]) -> Iterator[str]:
    """Yield a line for each count, with a column for each moment."""
    yield f"{'':<14}" + "".join(f"{moment:>14}" for moment in moments)
    for name in STATS:
        yield row(name, [stats[name] for stats in moments.values()])
    yield row("dropped", [sum(stats["dropped"].values()) for stats in moments.values()])
    yield row("reconnects", [stats["reconnects"] for stats in moments.values()])


def row(name: str, values: list[Any]) -> str:
    """Return a line of the table of counts."""
    cells = (f"{value:,}" if isinstance(value, int) else value for value in values)
    return f"{name:<14}" + "".join(f"{cell:>14}" for cell in cells)
