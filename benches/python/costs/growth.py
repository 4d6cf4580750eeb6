"""How the cost of a call of either phanos grows with one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from costs.participants import NEW, OLD, Installed
from costs.rounds import Plan, ask, turns
from costs.statistics import Cost, cost

Points = list[dict[str, Any]]
"""Of one series: `size`, `samples` and what these are `beside`, in nanoseconds per call."""


class Growth(NamedTuple):
    """Rounds of one participant: points by series."""

    rounds: list[Mapping[str, Points]]

    def costs(self, series: str) -> dict[int, Cost]:
        """Cost by size; sizes that took too long in any round are left out."""
        found: dict[int, list[dict[str, Sequence[float]]]] = {}
        for points in self.rounds:
            for point in points[series]:
                found.setdefault(point["size"], []).append(point)
        complete = {size: each for size, each in found.items() if len(each) == len(self.rounds)}
        return {size: cost(each, "samples", "beside") for size, each in complete.items()}


def measured(
    there: Sequence[Installed], plan: Plan, limit_s: float, tell: Callable[[str], None]
) -> Mapping[str, Growth]:
    """All rounds of both phanos; a point that takes longer than `limit_s` is a series' last."""
    both = [one for one in there if one.participant in (OLD, NEW)]
    results = {one.participant.key: Growth([]) for one in both}
    for number, one in turns(both, plan.rounds):
        tell(f"growth, round {number + 1} of {plan.rounds}: {one.participant.title}")
        found = ask(one.python, "growth", "--limit-s", str(limit_s), *plan.options())
        results[one.participant.key].rounds.append(found)
    return results
