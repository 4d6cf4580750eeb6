"""How much is measured: all of it, or as much as it takes to try things out."""

from __future__ import annotations

from typing import NamedTuple

from costs import delivery
from costs.rounds import Plan


class Scale(NamedTuple):
    """Of each part of the suite."""

    calls: Plan
    growth: Plan
    growth_limit_s: float
    """The first size that takes longer is the last of its series."""
    imports: int
    delivery: delivery.Scale


FULL = Scale(
    calls=Plan(rounds=12, slice_ms=20, repeats=7),
    growth=Plan(rounds=3, slice_ms=15, repeats=7),
    growth_limit_s=10,
    imports=20,
    delivery=delivery.Scale(
        rounds=3,
        calls=100_000,
        old_calls=2_000,
        failing_calls=2,
        records=2_000_000,
        old_records=100_000,
    ),
)
QUICK = Scale(
    calls=Plan(rounds=1, slice_ms=10, repeats=5),
    growth=Plan(rounds=1, slice_ms=2, repeats=3),
    growth_limit_s=0.5,
    imports=3,
    delivery=delivery.Scale(
        rounds=1,
        calls=100_000,
        old_calls=500,
        failing_calls=1,
        records=500_000,
        old_records=20_000,
    ),
)
