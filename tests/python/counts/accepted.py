"""The counts that are accepted, and how counts at hand compare with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from . import toolchain
from .callgrind import Count
from .cases import CASES, PROFILED

FILE = toolchain.ACCEPTED / f"{toolchain.VERSION}.json"

MORE_OURS = 1.03
"""
Growth of our own instructions that may be.

The counts themselves repeat within 0.02 % whatever the load and the hash seed, and within 0.5 %
under another build of the interpreter; the room is for compilers.
"""

MORE_RATIO = 1.15
"""Growth of the ratio to the do-nothing wrapper that may be: builds of the interpreter differ."""

MUCH_LESS = 0.9
"""From here on the lower count had better be accepted, so that it stays that low."""

HOW_TO_ACCEPT = "if that is worth it: make count-accept"


@dataclass(frozen=True)
class Accepted:
    """
    What one case may cost.

    Attributes:
        ours: instructions per call in our shared object.
        ratio: all instructions per call as a multiple of the do-nothing wrapper's.
    """

    ours: float
    ratio: float


def ratios(counts: Mapping[str, Count]) -> dict[str, float]:
    """Return each case's total as a multiple of that of its do-nothing wrapper."""
    return {name: count.total / counts[CASES[name].wrapper].total for name, count in counts.items()}


def of(counts: Mapping[str, Count]) -> dict[str, Accepted]:
    """Return what is accepted if `counts` are; of calls that are profiled."""
    ratio = ratios(counts)
    return {
        name: Accepted(round(count.ours, 1), round(ratio[name], 2))
        for name, count in counts.items()
        if name in PROFILED
    }


def load() -> dict[str, Accepted]:
    """Return what is accepted for this Python version; nothing if nothing was yet."""
    if not FILE.exists():
        return {}
    counts = json.loads(FILE.read_text())["counts"]
    return {name: Accepted(**fields) for name, fields in counts.items()}


def save(accepted: Mapping[str, Accepted]) -> None:
    """Accept for this Python version."""
    FILE.parent.mkdir(exist_ok=True)
    fields = {name: asdict(entry) for name, entry in accepted.items()}
    lines = [f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in fields.items()]
    compiler = json.dumps(toolchain.compiler())
    counts = ",\n".join(lines)
    FILE.write_text(f'{{\n  "compiler": {compiler},\n  "counts": {{\n{counts}\n  }}\n}}\n')


def risen(name: str, now: Accepted, known: Mapping[str, Accepted]) -> str | None:
    """Return what is wrong with a count; None if it may be."""
    accepted = known.get(name)
    if accepted is None:
        return f"{name}: no count is accepted in {FILE.name}; make count-accept accepts this one"
    if now.ours > accepted.ours * MORE_OURS:
        return (
            f"{name}: {now.ours:,.1f} instructions of ours per call, "
            f"{accepted.ours * MORE_OURS:,.1f} are allowed; {HOW_TO_ACCEPT}"
        )
    if now.ratio > accepted.ratio * MORE_RATIO:
        return (
            f"{name}: {now.ratio:.2f} times the instructions of a do-nothing wrapper, "
            f"{accepted.ratio * MORE_RATIO:.2f} are allowed; {HOW_TO_ACCEPT}"
        )
    return None


def fallen(name: str, now: Accepted, known: Mapping[str, Accepted]) -> str | None:
    """Return what to do about a count that is much lower than accepted; None if it is not."""
    accepted = known.get(name)
    if accepted is None or now.ours >= accepted.ours * MUCH_LESS:
        return None
    return (
        f"{name}: {now.ours:,.1f} instructions of ours per call, no longer {accepted.ours:,.1f}; "
        "make count-accept keeps it so"
    )
