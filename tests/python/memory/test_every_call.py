"""The program that makes every kind of call ends well, whatever the package was built for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "every_call.py"
# A fork beside threads is warned of, whatever these do.
WARNINGS = ("-W", "error", "-W", "ignore::DeprecationWarning")


@pytest.mark.parametrize("seed", range(4))
def test_the_program_ends_well(seed: int) -> None:
    done = subprocess.run(
        [sys.executable, *WARNINGS, PROGRAM, str(seed), "500"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), (done.returncode, done.stderr[-3000:])
