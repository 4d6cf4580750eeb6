"""A thing to be timed, and the check that it does what it is timed for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def nothing_arrives() -> int:
    """Records of a case that records nothing."""
    return 0


@dataclass(frozen=True)
class Case:
    """
    A case, as every participant has it under the same name.

    `run(calls)` makes that many calls, a multiple of `unit`. Its cost is what it takes above
    `beside`, a case of the same process. `arrived()` counts what has been recorded so far; every
    `unit` calls have to add `records`.
    """

    name: str
    run: Callable[[int], None]
    beside: str
    unit: int = 1
    records: int = 0
    arrived: Callable[[], int] = nothing_arrives
    unreliable: bool = False
    """The participant is known to lose and repeat records here: any have to arrive."""

    def check(self, calls: int, arrived: int) -> None:
        """
        Compare what arrived with what so many calls have to record.

        Raises:
            AssertionError: it is something else.
        """
        expected = calls // self.unit * self.records
        right = arrived > 0 if self.unreliable else arrived == expected
        if not right:
            raise AssertionError(f"{self.name}: {expected} records expected, {arrived} arrived")
