"""One column of a metric's waiting records, seen as a list."""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

if TYPE_CHECKING:
    from ._phanos import MetricStore

VALUES, LABELS, METHODS = range(3)
"""Numbers of the columns; the native store knows them by these."""


class Column(MutableSequence[Any]):
    """
    Live view of a column: reads and changes go to the metric's records.

    Compares equal to a list with the same items. Reading makes the items; they are not
    kept as Python objects while they wait.
    """

    __slots__ = ("_store", "_which")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, store: MetricStore, which: int) -> None:
        self._store = store
        self._which = which

    def __len__(self) -> int:
        return self._store._lengths()[self._which]

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._store._column(self._which)[index]

    @overload
    def __setitem__(self, index: SupportsIndex, value: Any) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[Any]) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        items = self._store._column(self._which)
        items[index] = value
        self._store._set_column(self._which, items)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        items = self._store._column(self._which)
        del items[index]
        self._store._set_column(self._which, items)

    def insert(self, index: SupportsIndex, value: Any) -> None:
        """Insert `value` before `index`."""
        items = self._store._column(self._which)
        items.insert(index, value)
        self._store._set_column(self._which, items)

    def clear(self) -> None:
        """Remove all items."""
        self._store._set_column(self._which, ())

    def copy(self) -> list[Any]:
        """Return the items as a new list."""
        return self._store._column(self._which)

    def __iter__(self) -> Any:
        return iter(self._store._column(self._which))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Column):
            return self.copy() == other.copy()
        if isinstance(other, list):
            return self.copy() == other
        return NotImplemented

    def __add__(self, other: Iterable[Any]) -> list[Any]:
        return [*self.copy(), *other]

    def __radd__(self, other: Iterable[Any]) -> list[Any]:
        return [*other, *self.copy()]

    def __repr__(self) -> str:
        return repr(self.copy())
