"""The programs in the README."""

from __future__ import annotations

import re
from pathlib import Path

_README = Path(__file__).parents[2] / "README.md"


def blocks() -> list[str]:
    """Return its blocks of Python, in order."""
    return re.findall(r"^```python\n(.*?)^```", _README.read_text(), re.DOTALL | re.MULTILINE)
