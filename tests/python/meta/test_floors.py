"""Modules of the extension and of the package refer to each other in one direction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from module_graphs import circle, python_imports, rust_references

REPOSITORY = Path(__file__).parents[3]
FLOORS = ("interp", "convert", "tree", "metric", "rabbitmq", "prometheus", "profiler", "call")
"""Folders of `src/`, the lowest first: none refers to one that stands after it."""


def upward(source: Path) -> Iterator[str]:
    """Yield each reference from one folder to a higher one, or to what is in no folder."""
    for file, line, module, to in rust_references(source):
        if not module or module[0] == to[0]:
            continue
        here = FLOORS.index(module[0])
        if to[0] not in FLOORS[:here]:
            yield f"{file.relative_to(source)}:{line}: {'::'.join(to)}"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_every_folder_of_the_extension_has_a_floor() -> None:
    assert {path.name for path in (REPOSITORY / "src").iterdir()} == {*FLOORS, "lib.rs"}


def test_no_folder_of_the_extension_refers_to_a_higher_one() -> None:
    assert list(upward(REPOSITORY / "src")) == []


def test_the_folders_of_the_extension_refer_to_each_other() -> None:
    """Were the references not found, all would seem well."""
    references = list(rust_references(REPOSITORY / "src"))
    crossing = {(one.module[0], one.to[0]) for one in references if one.module}
    assert {("call", "tree"), ("profiler", "metric"), ("metric", "tree")} <= crossing


def test_the_modules_of_the_package_import_each_other_in_no_circle() -> None:
    assert circle(python_imports(REPOSITORY / "python" / "phanos")) is None


@pytest.mark.parametrize(
    "text",
    [
        "use crate::call::Call;",
        "use super::super::call;",
        "use crate::{interp::stack, call::{Call, Kind}};",
        "use crate::{\n    interp,\n    call as other,\n};",
        "fn f() { crate::call::begin(); }",
        "pub use super::super::{interp, call};",
        "/* crate::interp */ use crate::call::Call; // crate::interp",
        'const QUOTE: char = \'"\'; use crate::call::Call; const TEXT: &str = "x";',
    ],
)
def test_a_reference_upward_is_found(text: str, tmp_path: Path) -> None:
    source = write(tmp_path, {"lib.rs": "mod call;", "tree/node.rs": f"\n{text}\n"})
    [found] = upward(source)
    assert found.startswith("tree/node.rs:")
    assert found.endswith(": call")


@pytest.mark.parametrize(
    "text",
    [
        "use crate::interp::stack;",
        "use super::owner::Owner;",
        "use self::place::Place;",
        "use super::super::convert::text;",
        "// use crate::call::Call;",
        '/// See `crate::call`.\nconst TEXT: &str = "use crate::call;";',
        "use pyo3::call::PyCallArgs;",
        "pub(in crate::tree) fn f() {}",
    ],
)
def test_a_reference_downward_may_be(text: str, tmp_path: Path) -> None:
    assert list(upward(write(tmp_path, {"tree/node.rs": text}))) == []


def test_a_reference_to_what_is_in_no_folder_is_found(tmp_path: Path) -> None:
    source = write(tmp_path, {"tree/mod.rs": "use crate::helper;"})
    assert list(upward(source)) == ["tree/mod.rs:1: helper"]


@pytest.mark.parametrize(
    "text",
    [
        "from . import a",
        "from .a import name",
        "from phanos.a import name",
        "import phanos.a",
        "if TYPE_CHECKING:\n    from .a import name",
        "def later():\n    from . import a",
    ],
)
def test_a_circle_of_imports_is_found(text: str, tmp_path: Path) -> None:
    modules = {
        "__init__.py": "",
        "a.py": "from . import b",
        "b.py": "from . import c",
        "c.py": text,
    }
    package = write(tmp_path / "phanos", modules)
    found = circle(python_imports(package))
    assert found is not None
    assert set(found) == {"a", "b", "c"}


def test_imports_in_one_direction_are_no_circle(tmp_path: Path) -> None:
    modules = {"a.py": "from . import b, c", "b.py": "from .c import name", "c.py": "import json"}
    package = write(tmp_path / "phanos", modules)
    assert python_imports(package) == {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert circle(python_imports(package)) is None
