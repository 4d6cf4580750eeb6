"""Each intended difference from phanos 0.3.2 is what COMPATIBILITY.md says, on both sides."""

from __future__ import annotations

import json
import re
from typing import Any

import interpreters
import pytest
import run_differences
from differences import REGISTRY

run_differences.load()

TABLE_ROW = re.compile(r"^\| ([A-Z]\d\d) \|(.*)\|(.*)\|(.*)\|$")


@pytest.fixture(scope="module")
def outcomes() -> tuple[dict[str, Any], dict[str, Any]]:
    """What every program did under 0.3.2 and under ours."""
    return interpreters.run_both("run_differences.py", sorted(REGISTRY))


@pytest.mark.parametrize("identifier", sorted(REGISTRY))
def test_difference(identifier: str, outcomes: tuple[dict[str, Any], dict[str, Any]]) -> None:
    stated = REGISTRY[identifier]
    upstream, ours = outcomes
    # Through JSON, as the outcomes came: tuples become lists.
    assert upstream[identifier] == json.loads(json.dumps(stated.upstream)), "under phanos 0.3.2"
    assert ours[identifier] == json.loads(json.dumps(stated.ours)), "under ours"


def test_compatibility_lists_exactly_the_tested_differences() -> None:
    text = (interpreters.REPOSITORY / "COMPATIBILITY.md").read_text(encoding="utf-8")
    rows = [match for line in text.splitlines() if (match := TABLE_ROW.match(line))]
    listed = [row.group(1) for row in rows]
    assert sorted(listed) == sorted(REGISTRY)
    for row in rows:
        empty = [column for column in row.groups() if not column.strip()]
        assert not empty, f"{row.group(1)} leaves a column of the table empty"
