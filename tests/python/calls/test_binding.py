"""Decorated functions inside classes: binding, descriptors above them, kinds of classes."""

from __future__ import annotations

import abc
import dataclasses
import enum
import functools
import types
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import pytest
from phanos import publisher
from support import CollectingHandler, assert_tree_at_rest

PROFILER = publisher.Profiler()
profile = PROFILER.profile


@pytest.fixture(autouse=True)
def handler() -> Iterator[CollectingHandler]:
    """Make the profiler of this module record into a fresh handler."""
    PROFILER.config(job="JOB")
    collecting = CollectingHandler()
    PROFILER.add_handler(collecting)
    yield collecting
    assert_tree_at_rest(PROFILER)
    PROFILER.delete_handlers()


class Base:
    def __init__(self, value: int = 0) -> None:
        self.value = value

    @profile
    def method(self, added: int = 1) -> int:
        return self.value + added

    @staticmethod
    @profile
    def static(value: int) -> int:
        return value

    @classmethod
    @profile
    def of_class(cls) -> type[Base]:
        return cls

    @property
    @profile
    def computed(self) -> int:
        return self.value * 2

    @computed.setter
    @profile
    def computed(self, value: int) -> None:
        self.value = value

    @functools.cached_property
    @profile
    def cached(self) -> list[int]:
        return [self.value]

    @profile
    def greet(self) -> str:
        return "base"

    plus_ten = functools.partialmethod(method, 10)


class Child(Base):
    @profile
    def greet(self) -> str:
        return f"child of {super().greet()}"

    @classmethod
    @profile
    def of_class(cls) -> type[Base]:
        return super().of_class()


def test_a_bound_method_is_a_bound_method(handler: CollectingHandler) -> None:
    instance = Base(2)
    bound = instance.method
    assert isinstance(bound, types.MethodType)
    assert bound.__self__ is instance
    assert bound.__func__ is Base.method
    assert bound.__func__ is Base.__dict__["method"]
    assert bound == instance.method
    assert hash(bound) == hash(instance.method)
    assert bound != Base(2).method
    assert bound(3) == 5
    assert Base.method(instance, 4) == 6
    assert instance.method(added=5) == 7
    assert handler.methods() == ["Base:method"] * 3


def test_descriptor_protocol(handler: CollectingHandler) -> None:
    instance = Base(2)
    raw = Base.__dict__["method"]
    assert raw.__get__(None, Base) is raw
    assert raw.__get__(instance, Base)() == 3
    assert raw.__get__(instance)() == 3
    assert types.MethodType(raw, instance)() == 3
    assert handler.methods() == ["Base:method"] * 3


def test_staticmethod_above(handler: CollectingHandler) -> None:
    assert Base.static(1) == 1
    assert Base().static(value=2) == 2
    assert Child.static(3) == 3
    assert handler.methods() == ["Base:static"] * 3


def test_classmethod_above(handler: CollectingHandler) -> None:
    assert Base.of_class() is Base
    assert Base().of_class() is Base
    assert Base.of_class.__self__ is Base
    assert handler.methods() == ["Base:of_class"] * 2


def test_super_in_decorated_methods(handler: CollectingHandler) -> None:
    assert Child().greet() == "child of base"
    assert Child.of_class() is Child
    assert handler.methods() == [
        "Child:greet.greet",
        "Child:greet",
        "Child:of_class.of_class",
        "Child:of_class",
    ]


def test_inherited_methods_are_named_by_the_class_that_defines_them(
    handler: CollectingHandler,
) -> None:
    assert Child(1).method() == 2
    assert handler.methods() == ["Base:method"]


def test_property_above(handler: CollectingHandler) -> None:
    instance = Base(2)
    assert instance.computed == 4
    instance.computed = 5
    assert instance.value == 5
    assert isinstance(Base.__dict__["computed"], property)
    assert handler.methods() == ["Base:computed"] * 2


def test_cached_property_above(handler: CollectingHandler) -> None:
    instance = Base(2)
    assert instance.cached is instance.cached
    assert instance.cached == [2]
    assert handler.methods() == ["Base:cached"]


def test_partial_methods(handler: CollectingHandler) -> None:
    assert Base(1).plus_ten() == 11
    assert functools.partial(Base(1).method, 4)() == 5
    assert functools.partial(Base.method, Base(1))(added=2) == 3
    assert handler.methods() == ["Base:method"] * 3


def test_methods_assigned_later(handler: CollectingHandler) -> None:
    class Later:
        pass

    @profile
    def attached(self: Any) -> Any:
        return self

    Later.attached = attached  # type: ignore[attr-defined]
    instance = Later()
    assert instance.attached() is instance  # type: ignore[attr-defined]
    instance.own = attached  # type: ignore[attr-defined]
    assert instance.own("given") == "given"  # type: ignore[attr-defined]
    assert handler.methods() == [f"{__name__}:attached"] * 2


def test_abstract_methods(handler: CollectingHandler) -> None:
    class Abstract(abc.ABC):
        @abc.abstractmethod
        @profile
        def above(self) -> int:
            return 1

        @profile
        @abc.abstractmethod
        def below(self) -> int:
            return 2

    assert Abstract.__abstractmethods__ == {"above", "below"}
    with pytest.raises(TypeError, match="abstract"):
        Abstract()  # type: ignore[abstract]

    class Concrete(Abstract):
        @profile
        def above(self) -> int:
            return super().above() + 10  # type: ignore[safe-super]

        @profile
        def below(self) -> int:
            return super().below() + 10  # type: ignore[safe-super]

    concrete = Concrete()
    assert (concrete.above(), concrete.below()) == (11, 12)
    assert len(handler.records) == 4


@pytest.mark.parametrize("options", [{}, {"frozen": True}, {"slots": True}])
def test_dataclasses(options: dict[str, bool], handler: CollectingHandler) -> None:
    @dataclasses.dataclass(**options)
    class Point:
        x: int
        y: int = 2
        notes: list[str] = dataclasses.field(default_factory=list)

        @profile
        def __post_init__(self) -> None:
            self.notes.append("made")

        @profile
        def total(self) -> int:
            return self.x + self.y

    point = Point(1)
    assert [field.name for field in dataclasses.fields(Point)] == ["x", "y", "notes"]
    assert point.notes == ["made"]
    assert point.total() == 3
    assert dataclasses.replace(point, x=5).total() == 7
    assert handler.counts() == {f"{__name__}:__post_init__": 2, f"{__name__}:total": 2}


def test_a_method_does_not_become_a_member_of_an_enum(handler: CollectingHandler) -> None:
    class Color(enum.Enum):
        RED = 1
        BLUE = 2

        @profile
        def shown(self) -> str:
            return self.name.lower()

    assert [member.name for member in Color] == ["RED", "BLUE"]
    assert Color.RED.shown() == "red"
    assert handler.methods() == [f"{__name__}:shown"]


def test_named_tuple_and_protocol_methods(handler: CollectingHandler) -> None:
    class Pair(NamedTuple):
        left: int
        right: int

        @profile
        def total(self) -> int:
            return self.left + self.right

    @runtime_checkable
    class HasTotal(Protocol):
        @profile
        def total(self) -> int: ...

    assert Pair(1, 2).total() == 3
    assert Pair._fields == ("left", "right")
    assert isinstance(Pair(1, 2), HasTotal)
    assert not isinstance(object(), HasTotal)
    assert handler.methods() == [f"{__name__}:total"]
