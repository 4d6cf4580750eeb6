"""From measurements to a cost above the bare call."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

Rounds = Sequence[Mapping[str, Sequence[float]]]


class Cost(NamedTuple):
    """Nanoseconds per call above the bare call."""

    minimum: float
    """The smallest of the case less the smallest of the bare call: without the noise of either."""
    median: float
    """Of the differences between measurements made one after the other."""

    def ratio(self, other: Cost) -> float:
        """How many times the other costs what this one costs, by their minimums."""
        return other.minimum / max(self.minimum, LEAST_NS)


LEAST_NS = 1.0
"""What costs less than this is not told from nothing."""


def cost(rounds: Rounds, case: str, beside: str) -> Cost:
    """Cost of a case that all rounds have."""
    smallest = min(min(one[case]) for one in rounds) - min(min(one[beside]) for one in rounds)
    differences = [
        with_case - bare
        for one in rounds
        for with_case, bare in zip(one[case], one[beside], strict=True)
    ]
    return Cost(smallest, statistics.median(differences))


def cost_of(differences: Sequence[float]) -> Cost:
    """The same from measurements that are above the bare call already."""
    return Cost(min(differences), statistics.median(differences))
