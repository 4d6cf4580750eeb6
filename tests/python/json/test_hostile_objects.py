"""Objects that raise, lie or change while they are turned into JSON: no batch is lost."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import gc
import json
import sys
from typing import Any

import pytest
from phanos import metrics
from phanos._phanos import records_to_json, waiting_to_json


class HostileError(Exception):
    pass


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise HostileError


class HostileMeta(type):
    __getattribute__ = refuse
    __subclasscheck__ = refuse
    __instancecheck__ = refuse


class HostileBase(metaclass=HostileMeta):
    __getattribute__ = refuse
    __str__ = refuse
    __repr__ = refuse
    __iter__ = refuse
    __len__ = refuse
    __eq__ = refuse
    __hash__ = object.__hash__


# The oldest interpreter asks the metaclass for the name.
HOSTILE_TEXT = f"<{'HostileBase' if sys.version_info >= (3, 11) else 'object'} without text>"


class HostileKey:
    __str__ = refuse


class HostileList(list[Any]):
    __iter__ = refuse
    __len__ = refuse
    __getitem__ = refuse


class HostileDict(dict[str, Any]):
    __iter__ = refuse
    __len__ = refuse
    keys = refuse
    items = refuse


class HostileZone(datetime.tzinfo):
    utcoffset = refuse
    dst = refuse
    tzname = refuse


class SilentZone(datetime.tzinfo):
    def utcoffset(self, moment: Any) -> Any:
        return None


class HostileEnum(enum.Enum):
    ONE = 1

    @property
    def value(self) -> Any:
        raise HostileError


class EndlessEnum(enum.Enum):
    ONE = 1

    @property
    def value(self) -> Any:
        return self


@dataclasses.dataclass
class HostileData:
    a: int

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise HostileError


@dataclasses.dataclass
class OddDict:
    a: int = 1

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return 1


@dataclasses.dataclass
class Slotted:
    __slots__ = ("a", "b")
    a: int
    b: int


def lacking() -> Slotted:
    slotted = Slotted(1, 2)
    del slotted.a
    return slotted


NOON = datetime.datetime(2020, 1, 2, 12)


CASES: list[tuple[Any, Any]] = [
    (HostileBase(), HOSTILE_TEXT),
    ({HostileKey(): 1}, {"<HostileKey without text>": 1}),
    (HostileList([1, 2]), [1, 2]),
    (HostileDict(a=1), {"a": 1}),
    (NOON.replace(tzinfo=HostileZone()), "<datetime without text>"),
    (NOON.replace(tzinfo=SilentZone()), "2020-01-02 12:00:00"),
    (HostileEnum.ONE, "HostileEnum.ONE"),
    (EndlessEnum.ONE, "EndlessEnum.ONE"),
    (HostileData(1), {"a": 1}),
    (OddDict(), "OddDict(a=1)"),
    (lacking(), {"b": 2}),
    (collections.UserDict(a=1), "{'a': 1}"),
]


# Not by value: the framework would ask the objects for their names.
@pytest.mark.parametrize("case", range(len(CASES)))
def test_hostile_objects_do_not_stop_a_batch(case: int) -> None:
    value, expected = CASES[case]
    assert json.loads(records_to_json([1, value, {"value": value}])) == [
        1,
        expected,
        {"value": expected},
    ]


def test_hostile_objects_in_columns_do_not_stop_a_batch() -> None:
    metric = metrics.Info("info", "JOB")
    metric.values = [("info", 1), HostileBase(), (HostileKey(), 1)]
    metric.label_values = [{}, HostileBase(), {HostileKey(): HostileBase()}]
    metric.method = ["A:b", HostileBase(), HostileKey()]
    written = waiting_to_json(metric)
    assert written == records_to_json(metric.to_records())
    items = [record["item"] for record in json.loads(written)]
    assert items == ["A", HOSTILE_TEXT, "<HostileKey without text>"]


def test_containers_that_change_while_they_are_written() -> None:
    listed: list[Any] = []
    mapped: dict[str, Any] = {}

    class Changing:
        def __str__(self) -> str:
            listed.append(Changing())
            listed.pop(0)
            mapped.clear()
            mapped.update({str(number): number for number in range(100)})
            gc.collect()
            return "changed"

    listed.extend([Changing(), 1, 2, Changing()])
    mapped.update(a=Changing(), b=listed, c=3)
    first, second = json.loads(records_to_json([mapped, mapped]))
    assert first["a"] == "changed"
    assert first["c"] == 3
    assert second == {str(number): number for number in range(100)}


def test_writing_leaks_nothing() -> None:
    odd = object()
    value = {"a": [odd, (odd,), {odd: HostileKey()}, NOON, HostileEnum.ONE, lacking()]}
    records_to_json([value])
    before = sys.getrefcount(odd), sys.getrefcount(value)
    for _ in range(50):
        records_to_json([value, value])
    assert (sys.getrefcount(odd), sys.getrefcount(value)) == before
