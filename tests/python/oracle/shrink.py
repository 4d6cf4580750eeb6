"""Makes a program on which the two versions differ as small as a greedy search can."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

Program = dict[str, Any]
# Candidates that are tried together, in one process per version.
CANDIDATES_PER_ROUND = 60
# Positions of the statement lists inside statements that have some.
NESTED = {
    "try": (1, 3, 4),
    "loop": (2,),
    "local_function": (3,),
    "local_class": (3,),
    "by_hand": (2,),
}


def shrink(
    program: Program, failing: Callable[[list[Program]], list[bool]], time_s: float = 30.0
) -> Program:
    """
    The smallest program found in `time_s` seconds that still fails.

    Args:
        failing: tells for each of some programs whether it shows the difference.
    """
    deadline = time.monotonic() + time_s
    while time.monotonic() < deadline:
        candidates = sorted(_smaller(program), key=_size)
        for start in range(0, len(candidates), CANDIDATES_PER_ROUND):
            group = candidates[start : start + CANDIDATES_PER_ROUND]
            found = [one for one, fails in zip(group, failing(group), strict=True) if fails]
            if found:
                program = found[0]
                break
        else:
            return program
    return program


def _size(program: Program) -> int:
    return len(repr([program["setup"], program["definitions"], program["steps"]]))


def _smaller(program: Program) -> Iterator[Program]:
    """Each program that has one line, definition, step or statement less."""
    for path in _removable(program):
        smaller = copy.deepcopy(program)
        holder: Any = smaller
        for key in path[:-1]:
            holder = holder[key]
        del holder[path[-1]]
        yield smaller


def _removable(program: Program) -> Iterator[tuple[Any, ...]]:
    for key in ("setup", "definitions", "steps"):
        # The first step configures the profiler: without it versions differ, as intended.
        first = 1 if key == "steps" else 0
        yield from ((key, number) for number in range(first, len(program[key])))
    for number, step in enumerate(program["steps"]):
        yield from _inside(("steps", number), step)
    for number, definition in enumerate(program["definitions"]):
        yield from _in_definition(("definitions", number), definition)


def _in_definition(path: tuple[Any, ...], definition: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for number, member in enumerate(definition.get("members", ())):
        yield (*path, "members", number)
        yield from _in_definition((*path, "members", number), member)
    # A function keeps one statement: its source must stay valid.
    body = definition.get("body", ())
    for number, statement in enumerate(body):
        if len(body) > 1:
            yield (*path, "body", number)
        yield from _inside((*path, "body", number), statement)


def _inside(path: tuple[Any, ...], statement: list[Any]) -> Iterator[tuple[Any, ...]]:
    for position in NESTED.get(statement[0], ()):
        nested = statement[position]
        may_be_empty = statement[0] == "by_hand" or (statement[0] == "try" and position != 1)
        for number, inner in enumerate(nested):
            if len(nested) > 1 or may_be_empty:
                yield (*path, position, number)
            yield from _inside((*path, position, number), inner)
    if statement[0] in ("gather", "task_group", "attempt_all") and len(statement[1]) > 1:
        yield from ((*path, 1, number) for number in range(len(statement[1])))
