"""Valgrind finds nothing wrong with our memory, in a program that makes every kind of call."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import memcheck

PROGRAM = Path(__file__).parent / "every_call.py"
STEPS = 300

pytestmark = [pytest.mark.memcheck, pytest.mark.timeout(600)]


@pytest.mark.parametrize("seed", [1, 2])
def test_memcheck_finds_nothing(seed: int) -> None:
    reports = memcheck.reports_of([PROGRAM, str(seed), str(STEPS)])
    assert reports == [], "\n\n".join(report.text for report in reports[:10])


FRAME = "<frame><ip>0x1</ip><obj>{obj}</obj><fn>{fn}</fn></frame>"


def report(kind: str, *objects: str) -> str:
    frames = "".join(FRAME.format(obj=f"/lib/{name}", fn="function") for name in objects)
    return f"<error><kind>{kind}</kind><what>Bad</what><stack>{frames}</stack></error>"


@pytest.mark.parametrize(
    ("error", "is_ours"),
    [
        (report("InvalidRead", "python3", memcheck.OURS), True),
        (report("InvalidRead", *["python3"] * 30, memcheck.OURS), True),
        (report("InvalidRead", "python3", "libc.so.6"), False),
        (report("Leak_DefinitelyLost", "vgpreload.so", "python3", memcheck.OURS), True),
        (report("Leak_DefinitelyLost", *["python3"] * 30, memcheck.OURS), False),
    ],
)
@pytest.mark.parametrize("end", ["</valgrindoutput>", ""])
def test_reports_with_a_part_of_ours_are_read(error: str, is_ours: bool, end: str) -> None:
    found = memcheck.read(f"<valgrindoutput>{error}{end}")
    assert [one.kind for one in found] == (
        [error[len("<error><kind>") :].partition("<")[0]] if is_ours else []
    )
