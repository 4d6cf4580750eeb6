"""Ports and folders for processes that count together, and such processes."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
# Reads what is served.
sys.path.append(str(HERE.parent / "collector"))

from collecting import free_port  # noqa: E402
from counting import Place, Recorder  # noqa: E402


@pytest.fixture
def place() -> Iterator[Place]:
    """A port, and a folder whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="phanos-test-"))
    yield Place(free_port(), folder / "run")
    shutil.rmtree(folder)


@pytest.fixture
def recorder(place: Place) -> Iterator[Callable[..., Recorder]]:
    """Start processes that record; they end with the test."""
    started: list[Recorder] = []

    def start(**arguments: Any) -> Recorder:
        started.append(Recorder(**{**place.arguments, **arguments}))
        return started[-1]

    yield start
    for one in started:
        one.close()
