"""The command, compiled, and collectors of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collecting import Collector, built_command, collectors


@pytest.fixture(scope="session")
def command() -> Path:
    return built_command()


@pytest.fixture
def collector(command: Path, tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Start collectors with these options; they end with the test."""
    with collectors(command, tmp_path) as start:
        yield start
