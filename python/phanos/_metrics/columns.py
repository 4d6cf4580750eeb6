"""One column of a metric's waiting records, as an object that behaves like a list."""

from __future__ import annotations

import enum
from collections.abc import Iterable, MutableSequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

if TYPE_CHECKING:
    from phanos._phanos import MetricStore


class ColumnIndex(enum.IntEnum):
    """Which of the three columns; the native store numbers them like this."""

    VALUES = 0
    LABELS = 1
    METHODS = 2


class Column(MutableSequence[Any]):
    """
    Live view of a column: reads and changes go to the metric's waiting records.

    It compares equal to a list with the same items. Waiting records are no Python objects: each
    read makes the items anew.
    """

    __slots__ = ("_index", "_store")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, store: MetricStore, index: ColumnIndex) -> None:
        self._store = store
        self._index = index

    def __len__(self) -> int:
        return self._store._lengths()[self._index]

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._store._column(self._index)[index]

    @overload
    def __setitem__(self, index: SupportsIndex, value: Any) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[Any]) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        items = self._store._column(self._index)
        items[index] = value
        self._store._set_column(self._index, items)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        items = self._store._column(self._index)
        del items[index]
        self._store._set_column(self._index, items)

    def insert(self, index: SupportsIndex, value: Any) -> None:
        """Insert `value` before `index`."""
        items = self._store._column(self._index)
        items.insert(index, value)
        self._store._set_column(self._index, items)

    def clear(self) -> None:
        """Remove all items."""
        self._store._set_column(self._index, ())

    def copy(self) -> list[Any]:
        """Return the items as a new list."""
        return self._store._column(self._index)

    def __iter__(self) -> Any:
        return iter(self._store._column(self._index))

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
