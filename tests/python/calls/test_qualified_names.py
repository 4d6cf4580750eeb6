"""`names="qualified"`: the class of each call is in its path; and how many paths there may be."""

from __future__ import annotations

import asyncio
import functools
import io
import json
import types
from typing import Any

import pytest
from phanos import metrics, publisher
from phanos.handlers import StreamHandler, TreeHandler
from support import CollectingHandler, assert_tree_at_rest, make_profiler, path_of

HERE = __name__
pytestmark = pytest.mark.usefixtures("nothing_decorated_before")


@pytest.fixture
def qualified(handler: CollectingHandler) -> publisher.Profiler:
    """A profiler with qualified names."""
    return make_profiler(handler, names="qualified")


def repositories(profiler: publisher.Profiler) -> Any:
    """Classes as an application factory makes them."""

    class Purchases:
        @profiler.profile
        def get(self) -> None:
            Clients().get()
            Clients.Cache.get()
            helper()

    class Clients:
        @profiler.profile
        def get(self) -> None: ...

        class Cache:
            @staticmethod
            @profiler.profile
            def get() -> None: ...

    @profiler.profile
    def helper() -> None: ...

    return Purchases


def test_methods_have_their_classes(
    qualified: publisher.Profiler, handler: CollectingHandler
) -> None:
    repositories(qualified)().get()
    assert handler.methods() == [
        "Purchases.get > Clients.get",
        "Purchases.get > Clients.Cache.get",
        "Purchases.get > helper",
        "Purchases.get",
    ]
    assert {record["item"] for record in handler.records} == {"Purchases.get"}


class Base:
    """A class at the top of a module."""

    profiler = publisher.Profiler()

    @classmethod
    @profiler.profile
    def made(cls) -> str:
        return path_of(cls.profiler)

    @profiler.profile
    async def awaited(self) -> str:
        return self.made()

    @profiler.profile
    def generated(self) -> Any:
        yield self.made()


class Derived(Base):
    """Inherits its methods."""


@Base.profiler.profile
def function() -> str:
    return Derived.made()


def test_every_kind_of_function(handler: CollectingHandler) -> None:
    Base.profiler.config(job="JOB", names="qualified")
    Base.profiler.add_handler(handler)
    assert Derived.made() == "Base.made"
    assert asyncio.run(Derived().awaited()) == "Base.awaited > Base.made"
    assert list(Base().generated()) == ["Base.generated > Base.made"]
    assert function() == "function > Base.made"
    partial = Base.profiler.profile(functools.partial(Base.made))
    assert partial() == "Base.made*"
    assert Base.profiler.profile(sum)([1]) == 1
    assert handler.methods()[-1] == "sum"
    Base.profiler.reset()


def test_a_chosen_name_is_kept(qualified: publisher.Profiler, handler: CollectingHandler) -> None:
    class Shop:
        @qualified.profile(name="checkout")
        def post(self) -> None:
            self.pay()

        @qualified.profile(name="pay by card")
        def pay(self) -> None: ...

    Shop().post()
    assert handler.methods() == ["checkout > pay by card", "checkout"]


def test_two_functions_of_one_name_have_their_modules(handler: CollectingHandler) -> None:
    profiler = make_profiler(handler, names="qualified")
    modules = [types.ModuleType(name) for name in ("shop.orders", "shop.invoices")]
    for module in modules:
        vars(module)["profile"] = profiler.profile
        exec("class Twice:\n    @profile\n    def get(self): pass", vars(module))
    for module in modules:
        module.Twice().get()
    assert handler.methods() == ["shop.orders.Twice.get", "shop.invoices.Twice.get"]

    def factory() -> Any:
        class Thrice:
            @profiler.profile
            def get(self) -> None: ...

        return Thrice

    def other() -> Any:
        class Thrice:
            @profiler.profile
            def get(self) -> None: ...

        return Thrice

    handler.clear()
    one, two = factory(), other()
    one().get()
    two().get()
    test = "test_two_functions_of_one_name_have_their_modules"
    assert handler.methods() == [
        f"{HERE}.{test}.{name}.Thrice.get" for name in ("factory", "other")
    ]


def test_the_same_function_decorated_anew_is_the_same(
    qualified: publisher.Profiler, handler: CollectingHandler
) -> None:
    for _ in range(3):
        repositories(qualified)().get()
    assert len(handler.counts()) == 4


def test_switching_makes_new_paths_of_what_was_called_before(
    profiler: publisher.Profiler, handler: CollectingHandler
) -> None:
    orders = repositories(profiler)()
    short = [f"{HERE}:get.get", f"{HERE}:get.get", f"{HERE}:get.helper", f"{HERE}:get"]
    orders.get()
    assert handler.methods() == short
    profiler.config(job="JOB", names="qualified")
    handler.clear()
    orders.get()
    assert handler.methods()[-1] == "Purchases.get"
    profiler.config(job="JOB")
    handler.clear()
    orders.get()
    assert handler.methods() == short
    assert_tree_at_rest(profiler)


def test_text_wire_and_tree_carry_them() -> None:
    text, lines, tree = io.StringIO(), io.StringIO(), io.StringIO()
    profiler = make_profiler(
        StreamHandler("text", text),
        StreamHandler("json", lines, format="json"),
        TreeHandler("tree", tree),
        names="qualified",
        error_raised_label=False,
    )
    repositories(profiler)().get()
    assert "method: Purchases.get > Clients.get, value: " in text.getvalue()
    first = json.loads(lines.getvalue().splitlines()[0])
    assert (first["item"], first["method"]) == ("Purchases.get", "Purchases.get > Clients.get")
    names = [line.strip("│├└─ ").split("  ")[0] for line in tree.getvalue().splitlines()]
    assert names == ["Purchases.get", "Clients.get", "Clients.Cache.get", "helper"]


def test_operations_and_steps_in_python_have_them(handler: CollectingHandler) -> None:
    profiler = make_profiler(handler, names="qualified")
    counter = metrics.Counter("orders", "JOB", "orders")
    profiler.add_metric(counter)

    class OwnSteps(publisher.SyncExtProfiler):
        def sync_inner(self, func: Any, *args: Any, **kwargs: Any) -> Any:
            counter.inc(1)
            return super().sync_inner(func, *args, **kwargs)

    profiler.profile_ext = OwnSteps(profiler)
    repositories(profiler)().get()
    assert "Purchases.get > Clients.get" in handler.methods("time_profiler")
    assert "Purchases.get" in handler.methods("orders")
    node = profiler.set_curr_node(Base.generated.__wrapped__)  # type: ignore[attr-defined]
    assert path_of(profiler) == "Base.generated"
    profiler.delete_curr_node(node)
    assert_tree_at_rest(profiler)


def walker(profiler: publisher.Profiler) -> Any:
    @profiler.profile
    def walk(depth: int) -> str:
        return walk(depth - 1) if depth else leaf()

    @profiler.profile
    def leaf() -> str:
        return path_of(profiler)

    return walk


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        ("short", [f"{HERE}:walk", f"{HERE}:walk*", f"{HERE}:walk*.leaf"]),
        ("qualified", ["walk", "walk*", "walk* > leaf"]),
    ],
)
def test_recursion_is_folded(names: Any, paths: list[str], handler: CollectingHandler) -> None:
    profiler = make_profiler(handler, names=names, fold_recursion=True)
    walk = walker(profiler)
    assert walk(30) == paths[-1]
    assert walk(2) == paths[-1]
    assert handler.counts() == {paths[0]: 2, paths[1]: 32, paths[2]: 2}
    assert_tree_at_rest(profiler)


def test_nested_recursion_is_folded(
    qualified: publisher.Profiler, handler: CollectingHandler
) -> None:
    walk = walker(qualified)

    @qualified.profile
    def root() -> None:
        walk(3)

    root()
    assert handler.counts() == {
        "root > walk": 1,
        "root > walk*": 3,
        "root > walk* > leaf": 1,
        "root": 1,
    }


def test_recursion_is_not_folded_by_default(
    profiler: publisher.Profiler, handler: CollectingHandler
) -> None:
    assert walker(profiler)(3) == f"{HERE}:walk.walk.walk.walk.leaf"


def test_deeper_calls_share_a_path(handler: CollectingHandler) -> None:
    profiler = make_profiler(handler, max_depth=3)

    @profiler.profile
    def even(depth: int) -> None:
        if depth:
            odd(depth - 1)

    @profiler.profile
    def odd(depth: int) -> None:
        if depth:
            even(depth - 1)

    even(9)
    even(2)
    assert handler.counts() == {
        f"{HERE}:even": 2,
        f"{HERE}:even.odd": 2,
        f"{HERE}:even.odd.even": 2,
        f"{HERE}:even.odd.even.(deeper)": 7,
    }


def test_too_many_paths_share_one_and_are_counted(handler: CollectingHandler) -> None:
    profiler = make_profiler(handler, max_paths=3)
    for number in range(10):

        @profiler.profile(name=f"generated{number}")
        def root() -> None:
            leaf()

        @profiler.profile
        def leaf() -> None: ...

        root()
    assert handler.counts() == {
        f"{HERE}:generated0": 1,
        f"{HERE}:generated0.leaf": 1,
        f"{HERE}:generated1": 1,
        "(overflow)": 17,
    }
    stats = profiler.stats()
    assert (stats["paths"], stats["paths_refused"]) == (3, 9)


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"names": "long"}, ValueError),
        ({"max_depth": -1}, ValueError),
        ({"max_depth": 2.5}, TypeError),
        ({"max_paths": True}, TypeError),
        ({"max_paths": 10**9}, ValueError),
        ({"fold_recursion": "yes"}, TypeError),
    ],
)
def test_settings_are_checked(setting: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"{next(iter(setting))} must be .*, got"):
        publisher.Profiler().config(**setting)
