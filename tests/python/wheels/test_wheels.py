"""What users get from an index: wheels that need no compiler, and a source distribution."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from built import DEFAULT, TIMEOUT_S, interpreters, only, wheel_for
from pages import programs

PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
SYSTEM = "/usr/bin:/bin"


def run(*command: str, path: str = SYSTEM) -> str:
    """Run a command that finds programs along `path` only; it must succeed."""
    kept = ("PIP_", "CARGO_", "RUSTUP_", "HOME", "SSL_")
    variables = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    done = subprocess.run(
        command,
        env=variables | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(version: str, folder: Path) -> str:
    """Make an empty environment; return its interpreter."""
    run(interpreters()[version], "-m", "venv", str(folder))
    return str(folder / "bin" / "python")


def assert_records(python: str, folder: Path) -> None:
    """Run what the README shows first: it records a call."""
    script = folder / "program.py"
    script.write_text(programs("README.md")[0].text)
    output = run(python, "-W", "error", str(script))
    assert output.startswith("profiler: time_profiler, method: __main__:checkout, value: ")


def test_a_wheel_installs_where_no_compiler_is(version: str, tmp_path: Path) -> None:
    assert shutil.which("cargo", path=SYSTEM) is None
    python = environment(version, tmp_path / "environment")
    run(python, *PIP, "install", "--no-index", "--only-binary=:all:", str(wheel_for(version)))
    installed = run(python, *PIP, "list", "--format=freeze").split()
    assert {line.partition("==")[0] for line in installed} <= {"phanos", "pip", "setuptools"}
    assert_records(python, tmp_path)
    assert "collect" in run(str(Path(python).with_name("phanos")), "--help")


def test_a_wheel_runs_on_old_systems(version: str) -> None:
    # auditwheel, which `make wheel` calls, has looked at the symbols.
    assert "manylinux_2_28" in wheel_for(version).name


def test_a_wheel_has_the_licences_of_what_it_contains(version: str) -> None:
    with zipfile.ZipFile(wheel_for(version)) as wheel:
        names = {Path(name).name for name in wheel.namelist()}
    assert {"LICENSE", "THIRD_PARTY_LICENSES.txt", "py.typed", "_phanos.pyi"} <= names


def test_the_source_distribution_says_what_is_missing_without_rust(tmp_path: Path) -> None:
    python = environment(DEFAULT, tmp_path / "environment")
    with pytest.raises(AssertionError) as refused:
        run(python, *PIP, "install", str(only("phanos-*.tar.gz")))
    assert "[2 lines of output]" in str(refused.value)
    assert "Rust 1.90 or newer is missing" in str(refused.value)


def test_the_source_distribution_builds(tmp_path: Path) -> None:
    cargo = shutil.which("cargo")
    assert cargo is not None
    python = environment(DEFAULT, tmp_path / "environment")
    source = str(only("phanos-*.tar.gz"))
    run(python, *PIP, "install", source, path=f"{Path(cargo).parent}:{SYSTEM}")
    assert_records(python, tmp_path)
