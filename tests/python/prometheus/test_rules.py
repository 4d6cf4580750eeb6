"""The rules that are shipped: Prometheus reads them, and they say what they are meant to."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tools.prometheus import PROMTOOL

SHIPPED = Path(__file__).parents[3] / "examples" / "prometheus"


@pytest.mark.prometheus
@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "phanos.rules.yml"), ("test", "rules", "phanos.rules.test.yml")],
    ids=" ".join,
)
def test_promtool_accepts_the_rules(arguments: tuple[str, ...]) -> None:
    said = subprocess.run(
        [str(PROMTOOL), *arguments], cwd=SHIPPED, capture_output=True, text=True, timeout=60
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert "SUCCESS" in said.stdout


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd here")
    # The command is not installed where tests run.
    unit = tmp_path / "phanos-collect.service"
    text = (SHIPPED / unit.name).read_text().replace("/usr/local/bin/phanos", "/bin/true")
    unit.write_text(text)
    said = subprocess.run(
        [analyze, "verify", str(unit)], capture_output=True, text=True, timeout=60
    )
    complaints = [line for line in said.stderr.splitlines() if unit.name in line]
    assert complaints == []
