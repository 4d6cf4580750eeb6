"""cProfile, of the standard library: calls and times by function, of everything that runs."""

from __future__ import annotations

import cProfile
from types import CodeType

from costs.measured.case import Case
from costs.measured.instead.running import cases_while


def cases() -> list[Case]:
    profile = cProfile.Profile()

    def seen(name: str) -> int:
        return sum(
            entry.callcount
            for entry in profile.getstats()
            if isinstance(entry.code, CodeType) and entry.code.co_name == name
        )

    return cases_while(profile.enable, profile.disable, seen)
