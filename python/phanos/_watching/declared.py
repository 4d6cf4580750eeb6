"""Attributes of objects that their class shows as well: specifications of mocks look there."""

from __future__ import annotations

from typing import Any


class _Declared:
    """Stands for an attribute in its class; an object without it has none."""

    _name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise AttributeError(f"{type(instance).__name__!r} object has no attribute {self._name!r}")


def declared() -> Any:
    """Declare an attribute that objects get when they are made."""
    return _Declared()
