"""The cases of the table, measured for every participant in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from costs.participants import Installed
from costs.rounds import Plan, ask, turns
from costs.statistics import Cost, cost

Samples = dict[str, list[float]]
"""Nanoseconds per call by case, one number for each repeat."""


class Calls(NamedTuple):
    """Rounds of one participant."""

    beside: dict[str, str]
    """The case to subtract, by case."""
    rounds: list[Samples]

    def cost(self, case: str) -> Cost | None:
        """Cost of a case; None if the participant does not have it."""
        return cost(self.rounds, case, self.beside[case]) if case in self.beside else None


def measured(
    there: Sequence[Installed], plan: Plan, names: Sequence[str], tell: Callable[[str], None]
) -> Mapping[str, Calls]:
    """All rounds, by the key of the participant."""
    results = {one.participant.key: Calls({}, []) for one in there}
    for number, one in turns(there, plan.rounds):
        tell(f"calls, round {number + 1} of {plan.rounds}: {one.participant.title}")
        found: dict[str, Any] = ask(
            one.python, "calls", one.participant.module, *names, *plan.options()
        )
        result = results[one.participant.key]
        result.beside.update(found["beside"])
        result.rounds.append(found["samples"])
    return results
