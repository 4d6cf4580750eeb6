"""The table of faults, as it is written into a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.outcome import Outcome
from faults.table import BEGIN, END, markdown, write_into

OUTCOME = Outcome("cut", 12_345, 12_300, {"full": 45}, 2, 0.00051, 0.0042)
ROW = "| cut | 12,345 | 12,300 | 45 full | 2 | 0.5 ms | 4 ms |"


def test_a_row_says_what_became_of_the_records() -> None:
    assert markdown([OUTCOME]).splitlines()[2] == ROW
    assert OUTCOME.unaccounted == 0


def test_a_page_gets_the_table_between_its_markers_and_keeps_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        write_into(page, "new")
        assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="has them 0 times"):
        write_into(page, "new")
    assert page.read_text() == "nothing"
