"""The numbers of one run under one Python version, as they are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from costs.calls import Calls
from costs.growth import Growth

DIGITS = 6
"""Significant digits of what is kept."""


@dataclass(frozen=True)
class Result:
    """One file of `benches/results`."""

    about: dict[str, Any]
    """Date, machine, versions and how much was measured."""
    calls: Mapping[str, Calls]
    growth: Mapping[str, Growth]
    imports: Mapping[str, Any]
    """Starts of interpreters by participant: see `costs.imports`."""
    installed_bytes: Mapping[str, Mapping[str, int]]
    """By participant and package, with what the participant needs."""
    path_memory: dict[str, Any] | None
    delivery: dict[str, Any] | None
    """See `costs.delivery`; None without a broker or without 0.3.2."""
    wheel_bytes: int | None

    @property
    def python(self) -> str:
        """Version such as 3.11.7."""
        return str(self.about["python"]["version"])

    @property
    def minor(self) -> tuple[int, ...]:
        """Version such as (3, 11)."""
        return tuple(int(part) for part in self.python.split(".")[:2])


def to_json(result: Result) -> str:
    """The file's text: lists of numbers are lines."""
    text = json.dumps(rounded(vars(result)), indent=1)
    return re.sub(r"\[([^\[\]{}]*)\]", on_one_line, text) + "\n"


def on_one_line(found: re.Match[str]) -> str:
    return f"[{' '.join(found[1].split())}]"


def rounded(value: Any) -> Any:
    """The same with fewer digits, and with dicts for named tuples."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if hasattr(value, "_asdict"):
        return rounded(value._asdict())
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {key: rounded(each) for key, each in items}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in cast("Sequence[Any]", value)]
    return value


def from_json(text: str) -> Result:
    """
    Read a file.

    Raises:
        ValueError, KeyError, TypeError: it is none of ours.
    """
    told = json.loads(text)
    told["calls"] = {key: Calls(**each) for key, each in told["calls"].items()}
    told["growth"] = {key: Growth(**each) for key, each in told["growth"].items()}
    return Result(**told)


def path_of(result: Result, folder: Path) -> Path:
    """Where a result is kept: a file for each day and Python version."""
    day, (major, minor) = str(result.about["date"])[:10], result.minor
    return folder / f"{day}-cpython-{major}.{minor}.json"


def newest(folder: Path) -> list[Result]:
    """The last result of each Python version, the newest version first."""
    by_version: dict[tuple[int, ...], Result] = {}
    for path in sorted(folder.glob("*-cpython-*.json")):
        result = from_json(path.read_text())
        by_version[result.minor] = result
    return [by_version[minor] for minor in sorted(by_version, reverse=True)]
