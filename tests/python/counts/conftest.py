"""Counts are taken once, for all tests that look at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .callgrind import Count, count_all
from .cases import CASES
from .growth_cases import GROWTH

FOLDER = Path(__file__).parent
# Whichever test comes first waits for all cases: 20 s on two processors with nothing else to do.
TIMEOUT_S = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, to select them by; items of other folders come by too."""
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.counts)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def counts() -> dict[str, Count]:
    """Every case's count."""
    return count_all(CASES)


@pytest.fixture(scope="session")
def growth_counts() -> dict[str, Count]:
    """The counts of all sizes, by `name=size`."""
    return count_all(f"{name}={size}" for name, growth in GROWTH.items() for size in growth.sizes)
