"""Whether the accepted counts can be compared with: they are those of one compiler and Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
ACCEPTED = Path(__file__).parent / "accepted"
"""One file for each Python version: the package is compiled for each."""


def compiler() -> str:
    """Return the compiler's name for itself."""
    return subprocess.run(
        ["rustc", "--version"], capture_output=True, text=True, timeout=60, check=True
    ).stdout.strip()


def obstacle(folder: Path = ACCEPTED) -> str | None:
    """Return why counts made here say nothing, in one line; None if they do."""
    file = folder / f"{VERSION}.json"
    if not file.exists():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.json")))
        return f"no counts are accepted for CPython {VERSION}, only for {known}: nothing compared"
    accepted_with = json.loads(file.read_text())["compiler"]
    if (here := compiler()) != accepted_with:
        return f"accepted counts are those of {accepted_with}, this is {here}: nothing compared"
    return None


if __name__ == "__main__":
    found = obstacle()
    if found is not None:
        print(found)
    sys.exit(found is not None)
