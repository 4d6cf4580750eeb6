"""Valgrind finds nothing wrong with our memory, in a program that makes every kind of call."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import memcheck

PROGRAM = Path(__file__).parent / "every_call.py"
STEPS = 200

pytestmark = [pytest.mark.memcheck, pytest.mark.timeout(600)]


@pytest.mark.parametrize("seed", [1, 2])
def test_memcheck_finds_nothing(seed: int) -> None:
    reports = memcheck.reports_of([PROGRAM, str(seed), str(STEPS)])
    assert reports == [], "\n\n".join(report.text for report in reports[:10])


FRAME = "<frame><ip>0x1</ip><obj>{obj}</obj><fn>{fn}</fn></frame>"


def report(kind: str, *objects: str, blocks: int = 1) -> str:
    frames = "".join(FRAME.format(obj=f"/lib/{name}", fn="function") for name in objects)
    what = f"<xwhat><text>Bad</text><leakedblocks>{blocks}</leakedblocks></xwhat>"
    return f"<error><kind>{kind}</kind>{what}<stack>{frames}</stack></error>"


FAR = ["python3"] * 30


@pytest.mark.parametrize(
    ("error", "is_ours"),
    [
        (report("InvalidRead", "python3", memcheck.OURS), True),
        (report("InvalidRead", *FAR, memcheck.OURS), True),
        (report("InvalidRead", "python3", "libc.so.6"), False),
        (report("Leak_DefinitelyLost", "memcheck.so", memcheck.OURS, blocks=9), True),
        (report("Leak_DefinitelyLost", "memcheck.so", memcheck.OURS), False),
        (report("Leak_DefinitelyLost", *FAR, memcheck.OURS, blocks=9), False),
    ],
)
@pytest.mark.parametrize("end", ["</valgrindoutput>", ""])
def test_reports_with_a_part_of_ours_are_read(error: str, is_ours: bool, end: str) -> None:
    found = memcheck.read(f"<valgrindoutput>{error}{end}")
    assert [report.text.partition("\n")[0] for report in found] == ["Bad"] * is_ours
