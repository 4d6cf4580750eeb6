"""What `make wheel` made, and the interpreters it was made for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pages import REPOSITORY

DIST = REPOSITORY / "dist"
DEFAULT = f"{sys.version_info.major}.{sys.version_info.minor}"
# Building from the source distribution compiles everything anew.
TIMEOUT_S = 900


def interpreters() -> dict[str, str]:
    """Return the interpreters by version, as the Makefile says."""
    words = os.environ.get("PHANOS_INTERPRETERS", "").split()
    return {version: path for version, _, path in (word.partition("=") for word in words)}


def only(pattern: str) -> Path:
    """Return the one file in dist/ that matches."""
    (found,) = DIST.glob(pattern)
    return found


def wheel_for(version: str) -> Path:
    """Return the wheel for a version of CPython."""
    tag = f"cp{version.replace('.', '')}"
    return only(f"phanos-*-{tag}-{tag}-*.whl")
