"""Fixtures of calls."""

from __future__ import annotations

import pytest
from phanos._calls import qualified_names


@pytest.fixture
def nothing_decorated_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of the process decorate functions of the same names."""
    monkeypatch.setattr(qualified_names, "_decorated", {})
    monkeypatch.setattr(qualified_names, "_known", {})
