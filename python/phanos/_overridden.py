"""What users override in subclasses and on objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def overridden(component: object, base: type, names: Iterable[str]) -> bool:
    """Tell whether `component` has an attribute of `names` that is not the one of `base`."""
    cls = type(component)
    own: Any = getattr(component, "__dict__", ())
    return any(
        name in own or getattr(cls, name, None) is not getattr(base, name, None) for name in names
    )
