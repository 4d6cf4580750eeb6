"""
Values whose JSON is compared with orjson's, and the classes they are made of.

Imported by the tests and by the interpreter that has orjson.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import uuid
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypedDict


class OwnStr(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not what orjson reads"


class OwnInt(int):
    def __str__(self) -> str:
        return "not what orjson reads"

    __repr__ = __str__

    def __index__(self) -> int:
        return 0

    __int__ = __index__


class OwnFloat(float):
    pass


class OwnDict(dict[str, Any]):
    def __iter__(self) -> Any:
        return iter(())

    def items(self) -> Any:
        return {}.items()


class OwnList(list[Any]):
    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


class OwnTuple(tuple[Any, ...]):
    __slots__ = ()


class Point(NamedTuple):
    x: int
    y: int


class Movie(TypedDict):
    name: str
    year: int


class Plain(enum.Enum):
    NUMBER = 1
    TEXT = "x"
    PAIR = (1, 2)
    LISTED = [1, {"a": None}]  # noqa: RUF012
    MOMENT = datetime.date(2020, 1, 2)
    REFUSED = 1j


class Outer(enum.Enum):
    INNER = Plain.PAIR


class Number(enum.IntEnum):
    ONE = 1


class Bits(enum.Flag):
    READ = 1
    WRITE = 2


class Text(str, enum.Enum):
    LETTER = "q"


class Real(float, enum.Enum):
    HALF = 0.5


@dataclasses.dataclass
class Data:
    a: Any
    b: Any = None
    _hidden: int = 3
    shared: ClassVar[int] = 9


@dataclasses.dataclass
class Slotted:
    __slots__ = ("_hidden", "a", "b")
    a: Any
    b: Any
    _hidden: int


class Loose:
    """Gives its subclasses a `__dict__`."""


@dataclasses.dataclass
class MixedSlots(Loose):
    """Slots of its own besides the `__dict__` of the base: the fields count."""

    __slots__ = ("a",)
    a: Any


@dataclasses.dataclass
class Started:
    a: int
    start: dataclasses.InitVar[int]
    made: int = dataclasses.field(init=False, default=7)
    seen: list[int] = dataclasses.field(default_factory=list)

    def __post_init__(self, start: int) -> None:
        self.seen.append(start)


@dataclasses.dataclass
class Nothing:
    pass


@dataclasses.dataclass
class OnlyHidden:
    _a: int = 1


class Inherits(Data):
    """No dataclass by itself."""


@dataclasses.dataclass
class DictData(dict[str, Any]):
    a: int = 1


class OwnDatetime(datetime.datetime):
    pass


class OwnUuid(uuid.UUID):
    pass


class Zone(datetime.tzinfo):
    """A time zone of the user's own, with any offset."""

    def __init__(self, *offset: Any) -> None:
        self.offset = datetime.timedelta(*offset)

    def __reduce__(self) -> Any:
        return type(self), (self.offset.days, self.offset.seconds, self.offset.microseconds)

    def utcoffset(self, moment: datetime.datetime | None) -> datetime.timedelta:
        return self.offset

    def dst(self, moment: datetime.datetime | None) -> None:
        return None


class NormalizingZone(Zone):
    """As in pytz: asked for the moment in its own terms first."""

    def normalize(self, moment: datetime.datetime) -> datetime.datetime:
        return moment.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=3)))


class ConvertingZone(Zone):
    """As in pendulum: the moment is asked."""

    def convert(self, moment: datetime.datetime) -> datetime.datetime:
        raise AssertionError("only looked for")


def nested(levels: int, wrap: Callable[[Any], Any], innermost: Any) -> Any:
    """`innermost` wrapped `levels` times."""
    value = innermost
    for _ in range(levels):
        value = wrap(value)
    return value


def _with_extra() -> Data:
    data = Data(1)
    data.extra = OwnStr("e")  # type: ignore[attr-defined]
    del data.b
    return data


def _mixed_slots() -> MixedSlots:
    mixed = MixedSlots(1)
    mixed.extra = 2  # type: ignore[attr-defined]
    return mixed


def _moved() -> collections.OrderedDict[str, int]:
    moved = collections.OrderedDict(a=1, b=2, c=3)
    moved.move_to_end("a")
    return moved


WRAPS: dict[str, Callable[[Any], Any]] = {
    "list": lambda value: [value],
    "tuple": lambda value: (value,),
    "dict": lambda value: {"k": value},
    "dataclass": Data,
    "mixed": lambda value: [{"k": (Data(value),)}],
}

_MOMENT = datetime.datetime(2021, 2, 3, 4, 5, 6, 78)
_SECONDS = (0, 1, 29, 30, 59, 90, 3599, 3600, 37_800, 86_399, -1, -29, -30, -31, -3600, -86_399)

CASES: dict[str, Any] = {
    "scalars": [None, True, False, 0, -1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1],
    "large": 2**64,
    "small": -(2**63) - 1,
    "own int": [OwnInt(5), OwnInt(-(2**63)), OwnInt(2**64 - 1)],
    "own large int": OwnInt(2**64),
    "own float": OwnFloat(1.5),
    "own str": OwnStr("a"),
    "own containers": [OwnDict(a=OwnList([1, OwnDict()])), OwnList()],
    "own tuple": OwnTuple((1,)),
    "named tuple": Point(1, 2),
    "typed dict": Movie(name="n", year=1),
    "other dicts": [_moved(), collections.defaultdict(int, a=1), collections.Counter("aab")],
    "empty": [[], (), {}, "", Nothing(), OnlyHidden()],
    "special floats": [float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1e22, 1e-5],
    "text": "".join(map(chr, [*range(0x250), 0x2028, 0x2029, 0xFEFF, 0xFFFF, 0x1F980])),
    "surrogate": "a\udc80",
    "surrogate key": {"\ud800": 1},
    "text key": {'\x00"\\/\u2028ž': 1},
    "keys": [{"": 1, "a b": 2}],
    **{f"key {key!r}": {key: 1} for key in (1, None, True, 1.5, (1,), OwnStr("k"), Text.LETTER)},
    **{f"enum {member!r}": member for member in (*Plain, Outer.INNER, Number.ONE, *Bits)},
    "enums": [Text.LETTER, Bits.READ | Bits.WRITE, {"e": Plain.LISTED}],
    "float enum": Real.HALF,
    "dataclasses": [Data(1), Slotted(1, [2], 3), Started(1, 2), _with_extra(), Data(Data([]))],
    "mixed slots": _mixed_slots(),
    "dict dataclass": [DictData()],
    "dataclass subclass": Inherits(1),
    "dataclass of the refused": Data({1}),
    "class": Data,
    "moments": [
        _MOMENT,
        _MOMENT.replace(microsecond=0),
        _MOMENT.replace(tzinfo=datetime.timezone.utc, fold=1),
        datetime.datetime.min,
        datetime.datetime.max,
        datetime.date.min,
        datetime.date.max,
        *(datetime.time(1, 2, 3, 10**power) for power in range(6)),
        *(datetime.time(1, 2, 3, 10**power - 1) for power in range(7)),
    ],
    **{
        f"{zone.__name__} {seconds}": _MOMENT.replace(tzinfo=zone(0, seconds))
        for zone in (Zone, NormalizingZone, ConvertingZone)
        for seconds in _SECONDS
    },
    "time with zone": datetime.time(1, tzinfo=datetime.timezone.utc),
    "timedelta": datetime.timedelta(1),
    "own datetime": OwnDatetime(2020, 1, 1),
    "uuids": [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.UUID(int=0x123456789ABCDEF << 40)],
    "own uuid": OwnUuid(int=1),
    "bytes": b"a",
    "bytearray": bytearray(b"a"),
    "set": {1},
    "complex": 1j,
    "range": range(3),
    "deque": collections.deque([1]),
    **{
        f"{name} {levels} deep around {innermost!r}": nested(levels, wrap, innermost)
        for name, wrap in WRAPS.items()
        for levels in ((62, 63, 64) if name == "mixed" else (252, 253, 254, 255))
        for innermost in (1, [], {})
    },
}
"""By what they show. Each is compared inside of a list of one."""
