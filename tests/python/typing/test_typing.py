"""Code that uses the library type-checks strictly, wrong use of it does not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ERROR_LINE = re.compile(r"^(?:.*[/\\])?(?P<file>\w+\.py):(?P<line>\d+): error: (?P<text>.*)$")
DEADLINE_S = 55.0


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all runs: the standard library is read once per language version."""
    return tmp_path_factory.mktemp("mypy")


def check(name: str, version: str, cache: Path, working_folder: Path) -> tuple[int, str]:
    """Exit code and output of a strict mypy run over one file of the folder."""
    completed = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file=",
            f"--cache-dir={cache}",
            f"--python-version={version}",
            "--no-error-summary",
            "--no-pretty",
            "--no-color-output",
            str(FOLDER / name),
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        cwd=working_folder,
        check=False,
    )
    assert completed.stderr == ""
    return completed.returncode, completed.stdout


@pytest.mark.parametrize("version", ["3.10", "3.13"])
def test_correct_use_passes(version: str, cache: Path, tmp_path: Path) -> None:
    assert check("downstream.py", version, cache, tmp_path) == (0, "")


def test_wrong_use_is_refused_line_by_line(cache: Path, tmp_path: Path) -> None:
    source = (FOLDER / "misuse.py").read_text(encoding="utf-8").splitlines()
    marked = [number for number, line in enumerate(source, start=1) if line.endswith("  # error")]
    assert marked
    code, output = check("misuse.py", "3.13", cache, tmp_path)
    found = [match for line in output.splitlines() if (match := ERROR_LINE.match(line))]
    assert code == 1
    assert {match["file"] for match in found} == {"misuse.py"}
    assert sorted({int(match["line"]) for match in found}) == marked, output


def test_correct_use_runs() -> None:
    completed = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / "downstream.py")],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "", "")
