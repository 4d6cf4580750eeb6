"""pyinstrument at its default: the stack every millisecond, of one thread."""

from __future__ import annotations

from pyinstrument import Profiler

from costs.measured.case import Case
from costs.measured.instead.running import cases_while


def cases() -> list[Case]:
    profiler = Profiler()

    def seen(_: str) -> int:
        session = profiler.last_session
        return 0 if session is None else int(session.sample_count)

    return cases_while(profiler.start, profiler.stop, seen, samples=True)
