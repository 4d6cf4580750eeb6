"""Where there is nothing to count with, tests fail and say what to do; they are not skipped."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import valgrind
from tools.valgrind import MissingValgrindError, Valgrind

from .callgrind import CountError, count, explained


def test_no_valgrind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valgrind, "UNPACKED", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingValgrindError, match=r"make \.valgrind/\.installed"):
        count("idle, sync")


def test_the_unpacked_one_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("usr/bin", "usr/libexec/valgrind", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    for program in ("usr/bin/valgrind", "elsewhere/valgrind"):
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(valgrind, "UNPACKED", tmp_path / "nothing")
    assert Valgrind.find() == Valgrind(tmp_path / "elsewhere/valgrind")
    monkeypatch.setattr(valgrind, "UNPACKED", tmp_path)
    found = Valgrind.find()
    assert found.program == tmp_path / "usr/bin/valgrind"
    assert found.environment() == {"VALGRIND_LIB": str(tmp_path / "usr/libexec/valgrind")}


def test_a_processor_that_valgrind_does_not_know() -> None:
    complaint = "vex amd64->IR: unhandled instruction bytes: 0x62 0xF1\n"
    told = explained("idle, sync", subprocess.CompletedProcess([], -4, "", complaint))
    assert "'idle, sync': exit -4" in told
    assert complaint in told
    assert "newer" in told


def test_a_case_that_fails() -> None:
    with pytest.raises(CountError, match=r"'no such case': exit 1(?s:.*)KeyError"):
        count("no such case")
