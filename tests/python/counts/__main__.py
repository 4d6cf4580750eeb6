"""The table of counts: `make counts`; with `--accept`, what `make count-accept` does."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator, Mapping

from . import accepted
from .callgrind import Count, count_all
from .cases import CASES
from .growth_cases import GROWTH

WIDTH = 36


def rows(counts: Mapping[str, Count]) -> Iterator[str]:
    """Yield a line for each case."""
    ratio = accepted.ratios(counts)
    for name, count in counts.items():
        yield f"{name:{WIDTH}} {count.total:>9,.0f} {count.ours:>9,.0f} {ratio[name]:>8.2f}"


def remarks(counts: Mapping[str, Count]) -> Iterator[str]:
    """Yield what differs from the accepted counts."""
    known = accepted.load()
    for name, now in accepted.of(counts).items():
        remark = accepted.risen(name, now, known) or accepted.fallen(name, now, known)
        if remark is not None:
            yield remark


def growth_rows() -> Iterator[str]:
    """Yield a line for each size of what must not matter."""
    names = [f"{name}={size}" for name, growth in GROWTH.items() for size in growth.sizes]
    for name, count in count_all(names).items():
        yield f"{name:{WIDTH}} {count.total:>9,.0f} {count.ours:>9,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="accept these counts from now on")
    arguments = parser.parse_args()
    print(f"Instructions per call, CPython {platform.python_version()}; ours: in phanos' own code;")
    print("ratio: to a do-nothing wrapper of the same kind.\n")
    print(f"{'':{WIDTH}} {'total':>9} {'ours':>9} {'ratio':>8}")
    counts = count_all(CASES)
    for row in rows(counts):
        print(row)
    if arguments.accept:
        accepted.save(accepted.of(counts))
        print(f"\naccepted: {accepted.FILE.name}")
        return
    print("\nnested, sync, beside")
    for row in growth_rows():
        print(row)
    print()
    for remark in remarks(counts):
        print(remark)


if __name__ == "__main__":
    main()
