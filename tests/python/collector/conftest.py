"""The command, compiled, and collectors of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collecting import Collector, built_command


@pytest.fixture(scope="session")
def command() -> Path:
    return built_command()


@pytest.fixture
def collector(command: Path, tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Start collectors with these options; they end with the test."""
    started: list[Collector] = []

    def start(*options: str) -> Collector:
        collector = Collector(command, tmp_path, *options)
        started.append(collector)
        collector.start()
        return collector

    yield start
    for one in started:
        one.close()
