"""Running a program under valgrind's memcheck, and reading what that reports."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import phanos
from phanos import _phanos

from tools.valgrind import Valgrind

OURS = Path(_phanos.__file__ or "").name
"""Name of our shared object."""

DEADLINE_S = 540
FRAMES = 40
# What the interpreter and PyO3 keep for ever is lost where the process ends, by design: memory that
# is lost is only reported if we asked for it ourselves, this near to the top of the stack, and
# again and again.
NEAR = 8
REPEATED = 5


@dataclass(frozen=True)
class Report:
    """
    Something that memcheck found.

    Attributes:
        kind: as memcheck calls it, such as "InvalidRead".
        text: what it says, and the functions on the stack, the innermost first.
    """

    kind: str
    text: str


class MemcheckError(Exception):
    """The program failed, or valgrind could not run it."""


def reports_of(program: Sequence[str | Path]) -> list[Report]:
    """Run `python *program` and its forks; return the reports in which we have a part."""
    valgrind = Valgrind.find()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *(str(valgrind.program), "--tool=memcheck", f"--num-callers={FRAMES}"),
                *("--leak-check=full", "--show-leak-kinds=definite", "--trace-children=no"),
                *("--xml=yes", f"--xml-file={folder}/%p.xml"),
                *(sys.executable, "-s", "-S", *map(str, program)),
            ],
            env=_environment() | valgrind.environment(),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        if done.returncode != 0:
            raise MemcheckError(f"exit {done.returncode}\n{done.stdout}{done.stderr}"[-5000:])
        files = sorted(Path(folder).glob("*.xml"))
        return [report for file in files for report in read(file.read_text())]


def _environment() -> dict[str, str]:
    package = Path(phanos.__file__).parents[1]
    environment = {
        "PYTHONPATH": str(package),
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        # Memory as the interpreter asks for it, and not as pools of its own hand it out.
        "PYTHONMALLOC": "malloc",
    }
    if "LD_LIBRARY_PATH" in os.environ:  # Where the interpreter may find itself.
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return environment


def read(text: str) -> list[Report]:
    """Return the reports in memcheck's XML in which we have a part."""
    return list(_ours(ElementTree.fromstring(_closed(text))))


def _closed(text: str) -> str:
    """A fork that ends by `os._exit` leaves its file as it is."""
    return text if text.rstrip().endswith("</valgrindoutput>") else f"{text}</valgrindoutput>"


def _ours(output: ElementTree.Element) -> Iterator[Report]:
    for error in output.iter("error"):
        kind = error.findtext("kind", "")
        frames = [frame for stack in error.iter("stack") for frame in stack.iter("frame")]
        near = frames
        if kind.startswith("Leak_"):
            near = frames[:NEAR]
            if int(error.findtext("xwhat/leakedblocks", "0")) < REPEATED:
                continue
        if any(Path(frame.findtext("obj", "")).name == OURS for frame in near):
            what = error.findtext("what") or error.findtext("xwhat/text", "")
            names = "\n".join(
                f"    {frame.findtext('fn', '?')} ({Path(frame.findtext('obj', '?')).name})"
                for frame in frames
            )
            yield Report(kind, f"{what}\n{names}")
