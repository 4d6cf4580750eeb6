"""Tests of this folder run once for each version of Python that wheels were made for."""

from __future__ import annotations

from pathlib import Path

import pytest
from built import TIMEOUT_S, interpreters

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, to select them by; items of other folders come by too."""
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.wheels)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the tests that ask for `version` one after the other of those found."""
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", sorted(interpreters()))
