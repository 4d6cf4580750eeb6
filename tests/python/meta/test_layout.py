"""Folders and modules of the tests hide no module of the standard library, nor each other."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]
# A folder of tests is put on `sys.path`, where a folder without `__init__.py` yields to any module
# of its name.
IMPORTABLE = [
    path
    for path in TESTS.rglob("*.py")
    if path.name != "conftest.py" and not (path.parent / "__init__.py").exists()
]


def test_no_folder_hides_a_module_of_the_standard_library() -> None:
    packages = {path.parent.name for path in TESTS.rglob("__init__.py")}
    assert packages & sys.stdlib_module_names == set()


def test_no_module_hides_one_of_the_standard_library() -> None:
    assert {path.stem for path in IMPORTABLE} & sys.stdlib_module_names == set()


def test_no_two_modules_have_the_same_name() -> None:
    counts = Counter(path.stem for path in IMPORTABLE)
    assert [name for name, count in counts.items() if count > 1] == []
