"""Web servers from PyPI under load: every finished call arrives once, at its path."""

from __future__ import annotations

import pytest

from .rows import ROWS, Row
from .running import run

QUICK = [row for row in ROWS if row.quick]


@pytest.mark.parametrize("row", QUICK, ids=[row.name for row in QUICK])
def test_every_finished_call_arrives_once(row: Row, tmp_path, broker):
    run(row, tmp_path, broker.port).check()
