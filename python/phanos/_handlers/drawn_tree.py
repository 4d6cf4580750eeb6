"""Paths of calls as a tree: how often each was called, for how long, and drawn as text."""

from __future__ import annotations

from collections.abc import Iterator

from phanos.types import Record

ARROW = " > "
"""Between the calls of a path that has qualified names."""


def parts_of(path: str) -> list[str]:
    """Return the calls of a path, as `["Shop:checkout", "load"]` of `Shop:checkout.load`."""
    if ARROW in path:
        return path.split(ARROW)
    owner, colon, calls = path.partition(":")
    if not colon:
        return [path]  # One call with a qualified name, or a context that users made up.
    root, *below = calls.split(".")
    return [f"{owner}:{root}", *below]


class Branch:
    """One path: how often it was called, how many of the calls failed, and for how long in all."""

    __slots__ = ("calls", "children", "failed", "total_ms")

    def __init__(self) -> None:
        self.calls = 0
        self.failed = 0
        self.total_ms = 0.0
        self.children: dict[str, Branch] = {}

    def add(self, record: Record) -> None:
        """Count a record of durations where its path belongs below this branch."""
        branch = self
        for name in parts_of(record["method"]):
            branch = branch.children.setdefault(name, Branch())
        branch.calls += 1
        branch.failed += record["labels"].get("error_raised") is True
        branch.total_ms += record["value"][1]

    def lines(self, repeated: int) -> Iterator[str]:
        """
        Yield a line for each branch below this one.

        Args:
            repeated: with so many calls or more for each call of its root a branch is marked.
        """
        for name, root in self.children.items():
            yield _line(name, root)
            yield from _lines_below(root, "", max(root.calls, 1), repeated)


def _lines_below(branch: Branch, indent: str, roots: int, repeated: int) -> Iterator[str]:
    for position, (name, child) in enumerate(branch.children.items(), start=1):
        is_last = position == len(branch.children)
        line = _line(f"{indent}{'└─' if is_last else '├─'} {name}", child)
        times = child.calls / roots
        yield f"{line}  repeated {times:.3g} times" if times >= repeated else line
        yield from _lines_below(child, indent + ("   " if is_last else "│  "), roots, repeated)


def _line(label: str, branch: Branch) -> str:
    if not branch.calls:  # Calls below it have ended, and it has not.
        return label
    mean = branch.total_ms / branch.calls
    failed = f"  {branch.failed} failed" if branch.failed else ""
    return f"{label:<44}{branch.calls:>6} x {mean:>9.2f} ms = {branch.total_ms:>10.2f} ms{failed}"
