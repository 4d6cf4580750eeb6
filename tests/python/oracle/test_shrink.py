"""Making a failing program smaller."""

from __future__ import annotations

import ast
from typing import Any

from program import generate_program
from shrink import shrink
from source import render_program


def test_only_what_makes_the_program_fail_remains() -> None:
    """Failing means here: some function raises ValueError, and something is gathered."""

    def fails(program: dict[str, Any]) -> bool:
        source = render_program(program)
        ast.parse(source)
        return "raise ValueError" in source and "asyncio.gather(function" in source

    def failing(programs: list[dict[str, Any]]) -> list[bool]:
        return [fails(program) for program in programs]

    large = next(program for program in map(generate_program, range(2000)) if fails(program))
    small = shrink(large, failing)
    assert fails(small)
    assert small["steps"] == large["steps"][:1]
    assert small["setup"] == []
    assert len(render_program(small)) < len(render_program(large)) / 3
    assert shrink(small, failing) == small
