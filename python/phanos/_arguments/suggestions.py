"""Names: what was meant by one that is not known, and what Prometheus takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any


def did_you_mean(given: str, known: Iterable[object]) -> str:
    """Return `"; did you mean 'name'?"` for the name that is most like `given`, or nothing."""
    # Imported here: only mistakes need it.
    import difflib

    close = difflib.get_close_matches(
        given, sorted(name for name in known if isinstance(name, str)), 1
    )
    return f"; did you mean {close[0]!r}?" if close else ""


def nothing_named(kind: str, name: object, known: Mapping[Any, Any]) -> str:
    """Return that there is no `name`, and what there is."""
    hint = did_you_mean(name, known) if isinstance(name, str) else ""
    return f"there is no {kind} {name!r}, only {', '.join(map(repr, known)) or 'none'}{hint}"


NAMES = (
    "names have letters, digits and _, and begin with no digit; it is served under another, which "
    "phanos makes of it"
)


def prometheus_takes(name: object) -> bool:
    """Tell whether a metric may have this name, or one that is no text at all."""
    return not isinstance(name, str) or re.fullmatch(r"[A-Za-z_:][A-Za-z0-9_:]*", name) is not None
