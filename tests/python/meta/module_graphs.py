"""Which modules refer to which: read off Rust and Python sources, without running them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

COMMENT_OR_TEXT = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\[^\n]{1,8}|[^'\\\n])'", re.DOTALL
)
# `crate::call::Call`, `super::super::{stack, text::Text}`; not `pub(in crate::call)`.
RUST_PATH = re.compile(
    r"(?<![\w:])(?<!\bin )(?P<start>crate|self|super(?:::super)*)::(?P<first>\w+|\{)"
)


class Reference(NamedTuple):
    """One module's mention of another; both as paths from the root of the crate."""

    file: Path
    line: int
    module: tuple[str, ...]
    to: tuple[str, ...]


def rust_references(source: Path) -> Iterator[Reference]:
    """Yield what every file below `source` refers to inside of its crate."""
    for file in sorted(source.rglob("*.rs")):
        module = _rust_module(file.relative_to(source))
        text = COMMENT_OR_TEXT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), file.read_text())
        for found in RUST_PATH.finditer(text):
            start = found["start"]
            if start == "crate":
                base: tuple[str, ...] = ()
            elif start == "self":
                base = module
            else:
                base = module[: -start.count("super")]
            line = text.count("\n", 0, found.start()) + 1
            first = found["first"]
            names = [first] if first != "{" else _group(text, found.end())
            for name in names:
                yield Reference(file, line, module, (*base, name))


def _rust_module(file: Path) -> tuple[str, ...]:
    if file.name in ("lib.rs", "mod.rs"):
        return file.parent.parts
    return (*file.parent.parts, file.stem)


def _group(text: str, start: int) -> list[str]:
    """The first name of each path in the braces that open right before `start`."""
    names, depth, at_path = [], 1, True
    for found in re.finditer(r"[{},]|\w+", text[start:]):
        token = found[0]
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if depth == 0:
                return names
        elif token == "," and depth == 1:
            at_path = True
        elif at_path and depth == 1:
            names.append(token)
            at_path = False
    return names


def python_imports(package: Path) -> dict[str, set[str]]:
    """Return for each module of a package which others it imports, for type checkers or not."""
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    return {name: set(_imported(package, name, modules)) for name in modules}


def _imported(package: Path, module: str, modules: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse((package / f"{module}.py").read_text())):
        paths: list[str] = []
        if isinstance(node, ast.Import):
            paths = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package.name if node.level else ""
            stem = ".".join(filter(None, (start, node.module)))
            paths = [f"{stem}.{name.name}" for name in node.names]
        for path in paths:
            first, _, rest = path.partition(".")
            name = rest.partition(".")[0]
            if first == package.name and name in modules and name != module:
                yield name


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    """Return the nodes of a circle, the first one again at its end; None if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return None
