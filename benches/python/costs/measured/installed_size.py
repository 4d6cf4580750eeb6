"""Disk that a package takes with all it needs: `python -m costs.measured.installed_size NAME`."""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path


def closure(name: str, found: dict[str, Distribution]) -> dict[str, Distribution]:
    """The package and what it needs, by name; `found` is what is known of it already."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        # Needed under other circumstances: another platform, an older Python.
        return found
    if package.name in found:
        return found
    found[package.name] = package
    for needed in package.requires or []:
        if "extra ==" not in needed:
            closure(re.split(r"[^\w.-]", needed, maxsplit=1)[0], found)
    return found


def size(package: Distribution) -> int:
    """Bytes of its files, without what the interpreter compiled from them."""
    paths = [Path(str(package.locate_file(file))) for file in package.files or []]
    return sum(path.stat().st_size for path in paths if path.suffix != ".pyc" and path.is_file())


if __name__ == "__main__":
    print(json.dumps({name: size(one) for name, one in closure(sys.argv[1], {}).items()}))
