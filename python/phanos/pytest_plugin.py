"""The plug-in for pytest: `pytest_plugins = ["phanos.pytest_plugin"]` in a conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .testing import Recording, recording


@pytest.fixture
def phanos_calls() -> Iterator[Recording]:
    """Record what the test calls, by the default profiler, which is afterwards as it was found."""
    with recording() as calls:
        yield calls
