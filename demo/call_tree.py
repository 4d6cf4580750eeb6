"""The call tree, from the page that Prometheus reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

SAMPLE = re.compile(r"(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+)")
LABEL = re.compile(r'(\w+)="([^"]*)"')
TIMES = "phanos_time_profiler_seconds"


@dataclass
class Branch:
    """One path of the tree: how often it was called, and for how long altogether."""

    calls: int = 0
    failed: int = 0
    total_s: float = 0.0
    children: dict[str, Branch] = field(default_factory=dict)


def tree_of(page: str) -> Branch:
    """Put each series where its path belongs, e.g. `shop:show_order.load_order`."""
    root = Branch()
    for line in page.splitlines():
        sample = SAMPLE.fullmatch(line)
        if sample is None or sample["name"] not in (f"{TIMES}_count", f"{TIMES}_sum"):
            continue
        labels = dict(LABEL.findall(sample["labels"]))
        owner, _, calls = labels["method"].partition(":")
        branch = root
        for name in (owner, *calls.split(".")):
            branch = branch.children.setdefault(name, Branch())
        value = float(sample["value"])
        if sample["name"] == f"{TIMES}_sum":
            branch.total_s += value
        else:
            branch.calls += int(value)
            branch.failed += int(value) if labels["error_raised"] == "true" else 0
    return root


def draw(root: Branch) -> Iterator[str]:
    """Yield the tree line by line under a heading."""
    yield f"{'path':<38}{'calls':>7}{'failed':>8}{'total ms':>11}{'mean ms':>10}"
    for owner, branch in root.children.items():
        yield owner
        yield from draw_children(branch, "")


def draw_children(branch: Branch, indent: str) -> Iterator[str]:
    """Yield a line for every branch below this one; a branch never recorded has only a name."""
    for position, (name, child) in enumerate(branch.children.items(), start=1):
        last = position == len(branch.children)
        label = f"{indent}{'└─' if last else '├─'} {name}"
        mean_s = child.total_s / max(child.calls, 1)
        yield (
            f"{label:<38}{child.calls:>7}{child.failed or '':>8}"
            f"{child.total_s * 1000:>11.2f}{mean_s * 1000:>10.2f}"
        )
        yield from draw_children(child, indent + ("   " if last else "│  "))
