"""Outcomes as a table, for a terminal and for docs/reliability.md."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from faults.outcome import Outcome

HEAD = (
    "fault",
    "recorded",
    "received",
    "dropped, by reason",
    "repeated messages",
    "slowest call",
    "loop lag",
)
BEGIN, END = "<!-- faults -->", "<!-- /faults -->"


def cells(outcome: Outcome) -> tuple[str, ...]:
    """One row."""
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in outcome.dropped.items())
    return (
        outcome.fault,
        f"{outcome.recorded:,}",
        f"{outcome.received:,}",
        dropped or "0",
        f"{outcome.repeated:,}",
        f"{outcome.slowest_s * 1e3:.1f} ms",
        f"{outcome.lag_s * 1e3:.0f} ms",
    )


def markdown(outcomes: Iterable[Outcome]) -> str:
    """The table in Markdown."""
    rows = [HEAD, ("---", *(["---:"] * (len(HEAD) - 1))), *map(cells, outcomes)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def line(outcome: Outcome) -> str:
    """One row for a terminal, with what the table has no room for."""
    fault, *rest = cells(outcome)
    columns = "".join(f"{cell:>12}" for cell in (*rest[:2], *rest[3:]))
    return f"{fault:<62}{columns}{outcome.took_s:>7.1f} s  {rest[2]}"


def head() -> str:
    """What stands over the lines."""
    columns = "".join(f"{name:>12}" for name in ("recorded", "received", "repeated", "call", "lag"))
    return f"{'fault':<62}{columns}{'took':>9}  dropped"


def write_into(page: Path, table: str) -> None:
    """
    Put the table between its markers.

    Raises:
        ValueError: the page lacks them.
    """
    pattern = re.compile(f"({re.escape(BEGIN)}\n).*?({re.escape(END)})", re.DOTALL)
    text, times = pattern.subn(lambda found: f"{found[1]}{table}\n{found[2]}", page.read_text())
    if times != 1:
        raise ValueError(f"{page} needs the markers {BEGIN} and {END} once, has them {times} times")
    page.write_text(text)
