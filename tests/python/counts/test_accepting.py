"""What is said about counts that rise, fall or are new."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from . import accepted, toolchain
from .accepted import Accepted
from .callgrind import Count, self_costs

KNOWN = {"idle, sync": Accepted(ours=100.0, ratio=0.5)}


@pytest.mark.parametrize(
    ("ours", "ratio", "told"),
    [
        (100.0, 0.5, None),
        (102.9, 0.57, None),
        (103.1, 0.5, r"idle, sync: 103\.1 instructions .* 103\.0 are allowed.*make count-accept"),
        (50.0, 0.58, r"idle, sync: 0\.58 times .* 0\.57 are allowed.*make count-accept"),
    ],
)
def test_a_count_that_rises(ours: float, ratio: float, told: str | None) -> None:
    complaint = accepted.risen("idle, sync", Accepted(ours, ratio), KNOWN)
    assert complaint is None if told is None else re.match(told, complaint or "")


def test_a_case_that_is_new() -> None:
    complaint = accepted.risen("nested, sync", Accepted(1.0, 1.0), KNOWN)
    assert complaint is not None
    assert complaint.startswith("nested, sync: no count is accepted")


@pytest.mark.parametrize(("ours", "hint"), [(90.0, False), (89.0, True)])
def test_a_count_that_falls(ours: float, hint: bool) -> None:
    now = Accepted(ours, 0.5)
    assert accepted.risen("idle, sync", now, KNOWN) is None
    assert (accepted.fallen("idle, sync", now, KNOWN) is not None) is hint


def test_what_is_accepted_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "FILE", tmp_path / "accepted" / "3.x.json")
    assert accepted.load() == {}
    now = accepted.of({"wrapper, sync": Count(400.0, 0.0), "idle, sync": Count(200.0, 100.04)})
    assert now == {"idle, sync": Accepted(100.0, 0.5)}
    accepted.save(now)
    assert accepted.load() == now


DUMP = """\
desc: Trigger: --dump-before=getppid

positions: line
events: Ir
summary: 39


ob=(3) /lib/libc.so.6
fl=(1) memcpy.S
fn=(1) memcpy
80 10
+1 2
* 1

ob=(6) /lib/libpython3.so
fl=(2) call.c
fn=(2) call
12 5
cob=(7) /package/phanos/_phanos.so
cfi=(3) ???
cfn=(3) 0x1234
calls=4 0
13 99
-1 4
+8

ob=(7)
fl=(3)
fn=(3)
0 17
totals: 39
"""


def test_costs_are_those_of_an_object_itself() -> None:
    assert self_costs(DUMP) == {"libc.so.6": 13, "libpython3.so": 9, "_phanos.so": 17}


def test_counts_of_another_compiler_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepted, "FILE", tmp_path / f"{toolchain.VERSION}.json")
    monkeypatch.setattr(toolchain, "compiler", lambda: "rustc 1.0.0")
    accepted.save({"idle, sync": Accepted(100.0, 0.5)})
    assert toolchain.obstacle(tmp_path) is None
    monkeypatch.setattr(toolchain, "compiler", lambda: "rustc 2.0.0")
    complaint = toolchain.obstacle(tmp_path)
    assert complaint == (
        "accepted counts are those of rustc 1.0.0, this is rustc 2.0.0: nothing compared"
    )


def test_counts_of_another_python_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "3.1.json").touch()
    complaint = toolchain.obstacle(tmp_path)
    assert complaint == (
        f"no counts are accepted for CPython {toolchain.VERSION}, only for 3.1: nothing compared"
    )
