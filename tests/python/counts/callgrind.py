"""Counting: runs a case under callgrind, and reads what callgrind wrote."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import phanos
from phanos import _phanos

from tools.valgrind import Valgrind

from .counted import CALLS, MARKED_BY, MARKS

OURS = Path(_phanos.__file__ or "").name
"""Name of our shared object."""

DEADLINE_S = 120
MAIN_THREAD = "01"
UNKNOWN_INSTRUCTION = "unhandled instruction bytes"


class CountError(Exception):
    """A case could not be counted."""


@dataclass(frozen=True)
class Count:
    """
    Instructions of one call.

    Attributes:
        total: in all of the process' main thread.
        ours: in our shared object, not in what it calls.
    """

    total: float
    ours: float


def count_all(names: Iterable[str]) -> dict[str, Count]:
    """Count several cases, as many at a time as there are processors; raises `CountError`."""
    names = list(names)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(names, pool.map(count, names), strict=True))


def count(name: str, valgrind: Valgrind | None = None) -> Count:
    """
    Count a case; names of growth cases bear a size, as in `depth=10`.

    Raises:
        CountError: the program failed, or valgrind cannot run it.
    """
    valgrind = valgrind or Valgrind.find()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *(str(valgrind.program), "--tool=callgrind", "--separate-threads=yes"),
                *(f"--callgrind-out-file={folder}/out", f"--dump-before={MARKED_BY}"),
                # No site: what `.pth` files of an environment do must not be counted.
                *(sys.executable, "-s", "-S", "-m", "counts.counted", name),
            ],
            env=_environment() | valgrind.environment(),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        if done.returncode != 0:
            raise CountError(explained(name, done))
        return _per_call(name, Path(folder))


def _environment() -> dict[str, str]:
    """Return an environment that is the same on every machine, as far as it can be."""
    here, package = Path(__file__).parents[1], Path(phanos.__file__).parents[1]
    environment = {"PYTHONPATH": f"{here}:{package}", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    if "LD_LIBRARY_PATH" in os.environ:  # Where the interpreter may find itself.
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return environment


def explained(name: str, done: subprocess.CompletedProcess[str]) -> str:
    """Return what to say of a case whose program ended badly."""
    text = f"case {name!r}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    if UNKNOWN_INSTRUCTION in done.stderr:
        return (
            f"{text}\nThis valgrind does not know an instruction that this processor is used "
            "with: it takes a newer one, first on PATH."
        )
    return text


def _per_call(name: str, folder: Path) -> Count:
    """Return the difference of the two stretches, whose lengths differ by `CALLS`."""
    marked: list[Counter[str]] = []
    dumps = folder.glob(f"out.*-{MAIN_THREAD}")
    for dump in sorted(dumps, key=lambda path: int(path.suffix[1:].partition("-")[0])):
        text = dump.read_text()
        if f"desc: Trigger: --dump-before={MARKED_BY}" in text:
            marked.append(self_costs(text))
    if len(marked) != MARKS:
        raise CountError(f"case {name!r}: {MARKS} dumps expected, got {len(marked)}")
    _, once, twice = marked
    return Count(
        total=(twice.total() - once.total()) / CALLS, ours=(twice[OURS] - once[OURS]) / CALLS
    )


_OBJECT = re.compile(r"(c?)ob=\((\d+)\)(?: (.*))?")


def self_costs(dump: str) -> Counter[str]:
    """
    Return instructions by the file name of the object that they are in.

    What a line of costs belongs to is told by the lines above it. A line that follows
    `calls=` is the cost of what is called, which counts elsewhere.
    """
    names: dict[str, str] = {}
    costs: Counter[str] = Counter()
    current, is_callee = "", False
    for line in dump.splitlines():
        found = _OBJECT.fullmatch(line)
        if found is not None:
            called, number, path = found.groups()
            if path is not None:  # Said once, and where it is mentioned first.
                names[number] = Path(path).name
            if not called:
                current = number
        elif line.startswith("calls="):
            is_callee = True
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if not is_callee:
                costs[current] += _cost(line)
            is_callee = False
    return Counter({names[number]: cost for number, cost in costs.items()})


def _cost(line: str) -> int:
    _, _, cost = line.partition(" ")
    return int(cost or 0)
