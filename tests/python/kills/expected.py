"""Every series that a page should have, from what processes say they recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from collecting import Sample
from counting import Recorder

Series = tuple[str, str, str, str]
"""Name, function, `error_raised` and upper bound of the bucket; the last is empty without one."""
TIME = "phanos_time_profiler_seconds"
SIZES = "phanos_sizes_bytes"
SHARES = "phanos_shares_pieces"


class Recorded:
    """What processes recorded that have been asked, dead ones among them."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.values: Counter[str] = Counter()

    def add(self, process: Recorder) -> None:
        """Have a process stop; add what it recorded."""
        self.calls.update(process.ask("counts"))
        self.values.update(process.ask("values"))

    def series(self, bounds: Iterable[str]) -> dict[Series, float]:
        """Return all series; `bounds` are those of the buckets of the sizes."""
        found: Counter[Series] = Counter()
        for key, count in self.calls.items():
            function, _, failed = key.partition(":")
            found[f"{TIME}_count", function, failed, ""] += count
            found[f"{TIME}_bucket", function, failed, "+Inf"] += count
            # When the function counts, it has not failed yet.
            found["phanos_items_pieces_total", function, "false", ""] += 2 * count
            found["phanos_level_pieces", function, "false", ""] += count
        for key, count in self.values.items():
            function, _, value = key.partition(":")
            for family in (SIZES, SHARES):
                found[f"{family}_count", function, "false", ""] += count
                found[f"{family}_sum", function, "false", ""] += int(value) * count
            for bound in bounds:
                is_below = float(value) <= float(bound)
                found[f"{SIZES}_bucket", function, "false", bound] += count if is_below else 0
        return dict(found)


def shown(samples: dict[Sample, float]) -> dict[Series, float]:
    """Return the series of a page but the collector's own, and how long calls took."""
    found: dict[Series, float] = {}
    for (name, pairs), value in samples.items():
        labels = dict(pairs)
        bound = labels.get("le", "")
        is_duration = name == f"{TIME}_sum" or (name == f"{TIME}_bucket" and bound != "+Inf")
        if name.startswith("phanos_collector_") or is_duration:
            continue
        assert labels["job"] == "JOB"
        function = labels["method"].rpartition(".")[2].rpartition(":")[2]
        key = (name, function, labels["error_raised"], bound)
        assert key not in found, f"{key} is there twice"
        found[key] = value
    return found


def difference(recorded: Recorded, samples: Callable[[], dict[Sample, float]]) -> str:
    """Return what the page shows otherwise than it was recorded, a line each; empty for nothing."""
    try:
        there = shown(samples())
    except OSError as error:
        return str(error)
    bounds = {bound for name, _, _, bound in there if name == f"{SIZES}_bucket"}
    wanted = recorded.series(bounds)
    keys = sorted(key for key in {*there, *wanted} if there.get(key) != wanted.get(key))
    lines = [f"{key}: {there.get(key)} instead of {wanted.get(key)}" for key in keys]
    return "\n".join(lines[:20]) if there else "no series"
