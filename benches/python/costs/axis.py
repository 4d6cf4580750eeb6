"""A logarithmic axis."""

from __future__ import annotations

import math
from typing import NamedTuple


class LogAxis(NamedTuple):
    """From values to places on the picture."""

    lowest: float
    highest: float
    start: float
    """Place of the lowest value, in pixels."""
    end: float

    def place(self, value: float) -> float:
        """Where a value is drawn; values beyond the axis lie on its ends."""
        inside = min(max(value, self.lowest), self.highest)
        share = math.log(inside / self.lowest) / math.log(self.highest / self.lowest)
        return self.start + share * (self.end - self.start)

    def decades(self) -> list[float]:
        """Powers of ten on the axis."""
        first = math.ceil(math.log10(self.lowest) - 1e-9)
        last = math.floor(math.log10(self.highest) + 1e-9)
        return [10.0**power for power in range(first, last + 1)]


ROOM = 1.3
"""The highest value of an axis beyond the highest that is drawn."""


def around(values: list[float], start: float, end: float) -> LogAxis:
    """An axis from the power of ten below all values to a little above them."""
    lowest = 10.0 ** math.floor(math.log10(max(min(values), 1)))
    return LogAxis(lowest, max(max(values) * ROOM, lowest * 10), start, end)


def duration(nanoseconds: float) -> str:
    """In the unit that leaves the fewest digits: 340 ns, 8.1 µs, 344 ms."""
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        value = nanoseconds / size
        if value < 999.5 or unit == "ms":
            digits = 1 if unit != "ns" and value < 9.95 and value != int(value) else 0
            return f"{value:,.{digits}f} {unit}"
    raise AssertionError("unreachable")
