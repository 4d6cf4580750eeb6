"""`names="qualified-by-object"`: methods have the class of the object that they are called on."""

from __future__ import annotations

import asyncio
import gc
import types
import weakref
from typing import Any

import pytest
from phanos import publisher
from support import CollectingHandler, assert_tree_at_rest, make_profiler

HERE = __name__
pytestmark = pytest.mark.usefixtures("nothing_decorated_before")


@pytest.fixture
def by_object(handler: CollectingHandler) -> publisher.Profiler:
    return make_profiler(handler, names="qualified-by-object")


def repositories(profiler: publisher.Profiler) -> Any:
    """A base class whose methods are all that is decorated, and two that inherit them."""

    class Repository:
        @profiler.profile
        def get(self, *ids: int) -> None:
            self.query()

        @profiler.profile
        def query(self) -> None: ...

        @classmethod
        @profiler.profile
        def made(cls) -> Any:
            made = cls()
            made.query()
            return made

        @staticmethod
        @profiler.profile
        def merged(one: Any) -> None: ...

        @profiler.profile
        async def awaited(self, *more: int) -> None:
            self.query()

        @profiler.profile
        def generated(self) -> Any:
            yield self.query()

        @profiler.profile(name="pay")
        def paid(self) -> None: ...

    class Orders(Repository):
        pass

    class Clients(Repository):
        def get(self, *ids: int) -> None:
            super().get(*ids)

        @profiler.profile
        def query(self) -> None:
            super().query()

    return types.SimpleNamespace(Repository=Repository, Orders=Orders, Clients=Clients)


def test_inherited_methods_have_the_class_of_the_object(
    by_object: publisher.Profiler, handler: CollectingHandler
) -> None:
    made = repositories(by_object)
    for _ in range(2):
        handler.clear()
        made.Orders().get()
        made.Repository().get()
        assert handler.methods() == [
            "Orders.get > Orders.query",
            "Orders.get",
            "Repository.get > Repository.query",
            "Repository.get",
        ]
    assert_tree_at_rest(by_object)


def test_what_super_calls_has_the_class_that_defines_it(
    by_object: publisher.Profiler, handler: CollectingHandler
) -> None:
    repositories(by_object).Clients().get()
    assert handler.methods() == [
        "Repository.get > Clients.query > Repository.query",
        "Repository.get > Clients.query",
        "Repository.get",
    ]


def test_every_kind_of_method(by_object: publisher.Profiler, handler: CollectingHandler) -> None:
    made = repositories(by_object)
    orders = made.Orders.made()
    made.Orders.merged(orders)
    orders.paid()
    list(orders.generated())
    for arguments in ((), (1, 2, 3, 4, 5)):  # More than are stored without a tuple.
        asyncio.run(orders.awaited(*arguments))
    orders.get(1, 2, 3, 4, 5)
    assert handler.methods()[1::2][:1] == ["Orders.made"]
    counts = handler.counts()
    assert dict(counts) == {
        "Orders.made > Orders.query": 1,
        "Orders.made": 1,
        "Repository.merged": 1,
        "pay": 1,
        "Orders.generated > Orders.query": 1,
        "Orders.generated": 1,
        "Orders.awaited > Orders.query": 2,
        "Orders.awaited": 2,
        "Orders.get > Orders.query": 1,
        "Orders.get": 1,
    }


def test_functions_of_any_first_argument_have_their_own_names(
    by_object: publisher.Profiler, handler: CollectingHandler
) -> None:
    @by_object.profile
    def load(what: Any = None, *, key: int = 0) -> None: ...

    for argument in (1, "two", load, str):
        load(argument)
    load(key=3)
    load()
    assert handler.methods() == ["load"] * 6


def test_one_method_under_several_callers_and_classes_by_turns(
    by_object: publisher.Profiler, handler: CollectingHandler
) -> None:
    made = repositories(by_object)

    @by_object.profile
    def one(objects: list[Any]) -> None:
        for object in objects:
            object.query()

    @by_object.profile
    def two(objects: list[Any]) -> None:
        one(objects)
        for object in objects:
            object.query()

    objects = [made.Orders(), made.Repository(), made.Orders()]
    two(objects)
    two(objects)
    assert dict(handler.counts()) == {
        "two": 2,
        "two > one": 2,
        "two > one > Orders.query": 4,
        "two > one > Repository.query": 2,
        "two > Orders.query": 4,
        "two > Repository.query": 2,
    }


def test_two_subclasses_of_one_name_have_their_modules(
    by_object: publisher.Profiler, handler: CollectingHandler
) -> None:
    base = repositories(by_object).Repository
    classes = [
        type("Cart", (base,), {"__module__": module}) for module in ("shop.web", "shop.jobs")
    ]
    for kind in classes:
        kind().query()
    assert handler.methods() == ["shop.web.Cart.query", "shop.jobs.Cart.query"]


def test_methods_of_a_metaclass(by_object: publisher.Profiler, handler: CollectingHandler) -> None:
    class Meta(type):
        @by_object.profile
        def register(cls) -> None: ...

    class Derived(Meta):
        pass

    Derived("Model", (), {}).register()
    assert handler.methods() == ["Derived.register"]


def test_classes_are_not_kept_alive_and_their_addresses_are_not_mistaken(
    by_object: publisher.Profiler, handler: CollectingHandler
) -> None:
    base = repositories(by_object).Repository
    for number in range(300):
        kind = type(f"Kind{number}", (base,), {})
        kind().query()
        gone = weakref.ref(kind)
        del kind
        gc.collect(0)
        assert handler.methods() == [f"Kind{number}.query"]
        handler.clear()
    gc.collect()
    assert gone() is None


def test_more_classes_than_a_method_has_names_for(
    by_object: publisher.Profiler, handler: CollectingHandler
) -> None:
    base = repositories(by_object).Repository
    kinds = [type(f"Kind{number}", (base,), {}) for number in range(100)]
    for _ in range(2):
        handler.clear()
        for kind in kinds:
            kind().query()
        counts = handler.counts()
        assert counts["Kind63.query"] == 1
        assert counts["Repository.query"] == 36


def test_switching_between_names(profiler: publisher.Profiler, handler: CollectingHandler) -> None:
    orders = repositories(profiler).Orders()
    expected = {
        "short": f"{HERE}:get",
        "qualified": "Repository.get",
        "qualified-by-object": "Orders.get",
    }
    for names in ("qualified-by-object", "short", "qualified", "qualified-by-object", "qualified"):
        profiler.config(job="JOB", names=names)  # type: ignore[arg-type]
        handler.clear()
        orders.get()
        orders.get()
        assert handler.methods()[1::2] == [expected[names]] * 2
    with pytest.raises(ValueError, match="'short', 'qualified' or 'qualified-by-object'"):
        profiler.config(job="JOB", names="object")  # type: ignore[arg-type]


def test_a_class_that_cannot_be_looked_into_harms_nobody(
    by_object: publisher.Profiler, handler: CollectingHandler
) -> None:
    class Odd(type):
        def __getattribute__(cls, name: str) -> Any:
            if name in ("__mro__", "__module__", "__qualname__"):
                raise RuntimeError(name)
            return super().__getattribute__(name)

    class Model(metaclass=Odd):
        @by_object.profile
        def get(self) -> int:
            return 5

    class Derived(Model):
        pass

    assert Derived().get() == 5
    assert handler.methods() == ["Model.get"]
