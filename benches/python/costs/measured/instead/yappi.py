"""yappi with the wall clock: the same as cProfile, for threads and coroutines as well."""

from __future__ import annotations

import yappi

from costs.measured.case import Case
from costs.measured.instead.running import cases_while


def cases() -> list[Case]:
    yappi.set_clock_type("wall")

    def seen(name: str) -> int:
        return sum(stat.ncall for stat in yappi.get_func_stats() if stat.name == name)

    return cases_while(yappi.start, yappi.stop, seen)
