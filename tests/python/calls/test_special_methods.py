"""Decorated special methods: those that Python looks up itself, or turns into something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

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


class Special:
    """Every special method that Python itself looks up or turns into something."""

    subclasses: ClassVar[list[str]] = []

    @profile
    def __new__(cls, *args: Any) -> Special:
        return super().__new__(cls)

    @profile
    def __init__(self, value: int = 0) -> None:
        self.value = value

    @profile
    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Special.subclasses.append(cls.__name__)

    @profile
    def __class_getitem__(cls, key: Any) -> Any:
        return cls, key

    @profile
    def __set_name__(self, owner: type, name: str) -> None:
        self.placed = (owner.__name__, name)

    @profile
    def __call__(self, given: Any) -> Any:
        return given

    @profile
    def __repr__(self) -> str:
        return "Special()"

    @profile
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Special) and other.value == self.value

    @profile
    def __hash__(self) -> int:
        return hash(self.value)

    @profile
    def __len__(self) -> int:
        return 3

    @profile
    def __iter__(self) -> Iterator[int]:
        return iter(range(3))

    @profile
    def __getitem__(self, key: Any) -> Any:
        return key

    @profile
    def __contains__(self, key: Any) -> bool:
        return key == "in"

    @profile
    def __enter__(self) -> Special:
        return self

    @profile
    def __exit__(self, *error: object) -> bool:
        return error[0] is KeyError

    @profile
    def __getattr__(self, name: str) -> Any:
        if name.startswith("made_"):
            return name
        raise AttributeError(name)

    @profile
    def __lt__(self, other: Any) -> bool:
        return self.value < other.value

    @profile
    def __add__(self, other: Any) -> Any:
        return NotImplemented

    @profile
    def __bool__(self) -> bool:
        return True


def swallowed() -> str:
    with Special() as entered:
        assert isinstance(entered, Special)
        raise KeyError("swallowed")
    return "after"


SPECIAL: list[tuple[str, Callable[[Special], Any], Any]] = [
    ("__call__", lambda special: special("given"), "given"),
    ("__repr__", repr, "Special()"),
    ("__repr__", lambda special: f"{special}", "Special()"),
    ("__eq__", lambda special: special == 5, False),
    ("__hash__", hash, hash(1)),
    ("__len__", len, 3),
    ("__iter__", sorted, [0, 1, 2]),
    ("__getitem__", lambda special: special["key"], "key"),
    ("__contains__", lambda special: "in" in special, True),
    ("__getattr__", lambda special: special.made_up, "made_up"),
    ("__getattr__", lambda special: hasattr(special, "missing"), False),
    ("__bool__", bool, True),
]


@pytest.mark.parametrize(("name", "use", "result"), SPECIAL)
def test_special_method(
    name: str, use: Callable[[Special], Any], result: Any, handler: CollectingHandler
) -> None:
    special = Special(1)
    handler.clear()
    assert use(special) == result
    assert f"Special:{name}" in handler.counts()


def test_new_and_init(handler: CollectingHandler) -> None:
    assert Special(7).value == 7
    assert handler.methods() == ["Special:__new__", "Special:__init__"]


def test_class_hooks_are_still_turned_into_classmethods(handler: CollectingHandler) -> None:
    Special.subclasses.clear()

    class Heir(Special):
        pass

    assert Special.subclasses == ["Heir"]
    assert Heir["key"] == (Heir, "key")
    assert handler.methods() == ["Special:__init_subclass__", "Special:__class_getitem__"]


def test_set_name(handler: CollectingHandler) -> None:
    class Holder:
        attribute = Special()

    assert Holder.attribute.placed == ("Holder", "attribute")
    assert "Special:__set_name__" in handler.counts()


def test_context_manager(handler: CollectingHandler) -> None:
    assert swallowed() == "after"
    assert handler.counts()["Special:__exit__"] == 1
    failed = [
        record["labels"]["error_raised"]
        for record in handler.records
        if record["method"] == "Special:__enter__"
    ]
    assert failed == [False]


def test_comparison_and_not_implemented() -> None:
    assert sorted([Special(2), Special(1)])[0].value == 1
    with pytest.raises(TypeError, match="unsupported operand"):
        Special(1) + 1
    assert Special(1) == Special(1)
    assert len({Special(1), Special(1), Special(2)}) == 2


def test_methods_of_slotted_and_meta_classes(handler: CollectingHandler) -> None:
    class Meta(type):
        @profile
        def __call__(cls, *args: Any) -> Any:
            return super().__call__(*args)

    class Slotted(metaclass=Meta):
        __slots__ = ("value",)

        @profile
        def __init__(self, value: int) -> None:
            self.value = value

    assert Slotted(3).value == 3
    assert handler.methods() == [f"{__name__}:__call__.__init__", f"{__name__}:__call__"]
