"""What `profile` says of what it cannot record, and of what will not be called."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any

import phanos
import pytest
from phanos import publisher
from support import CollectingHandler, make_profiler

PROFILER = publisher.Profiler()


class App:
    """Registers views as Flask and FastAPI do: what it is given is what it calls, and returns."""

    def __init__(self) -> None:
        self.views: list[Callable[..., Any]] = []

    def get(self, path: str) -> Callable[..., Any]:
        def register(view: Callable[..., Any]) -> Callable[..., Any]:
            self.views.append(view)
            return view

        return register

    route = get


@pytest.fixture
def app() -> App:
    return App()


def test_profile_needs_a_function_or_a_name() -> None:
    for wrong in (lambda: phanos.profile(), lambda: PROFILER.profile()):
        with pytest.raises(TypeError, match=r"profile expects a function: write @profile, or @pro"):
            wrong()


@pytest.mark.parametrize("name", ["", 3])
def test_a_name_is_a_text(name: Any) -> None:
    with pytest.raises(TypeError, match=r"expects a non-empty str as name, got"):
        PROFILER.profile(name=name)


def test_a_name_of_ones_own(profiler: publisher.Profiler, handler: CollectingHandler) -> None:
    @profiler.profile(name="renamed")
    def root() -> int:
        return leaf()

    def leaf() -> int:
        return 5

    leaf = profiler.profile(leaf, name="below")
    assert root() == 5
    assert handler.methods() == [f"{__name__}:renamed.below", f"{__name__}:renamed"]
    assert root.__name__ == "root"


def test_the_signature_is_that_of_0_3_2_and_a_name() -> None:
    parameters = inspect.signature(phanos.profile).parameters
    assert list(parameters) == ["func", "name"]
    assert parameters["func"].default is inspect.Parameter.empty
    assert parameters["name"].default is None


@pytest.mark.parametrize("kind", [property, functools.cached_property, classmethod])
def test_it_belongs_below_what_makes_no_callable(kind: Any) -> None:
    expected = f"profile expects a callable, got .*: put @profile below @{kind.__name__}"
    with pytest.raises(TypeError, match=expected):
        PROFILER.profile(kind(lambda self: None))


def test_a_class_statement_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("of_a_user")
    monkeypatch.setitem(sys.modules, "of_a_user", module)
    vars(module)["profile"] = PROFILER.profile
    with pytest.warns(
        UserWarning, match=r"profile makes a function of the class Shop: it has no"
    ) as w:
        exec("@profile\nclass Shop: pass", vars(module))
    assert [one.filename for one in w] == ["<string>"]
    # Under another name, as a callable that makes objects: that is nothing to warn of.
    exec("class Known: pass\nmake = profile(Known)", vars(module))


def test_a_decorated_class_that_is_inherited_from_says_what_to_do() -> None:
    class Shop:
        pass

    decorated: Any = publisher.Profiler().profile(Shop)
    assert isinstance(decorated(), Shop)
    with pytest.raises(TypeError, match="put @profile above the methods of the class"):

        class Derived(decorated):
            pass

    with pytest.raises(TypeError, match="has no subclasses"):
        type(decorated)()


def test_profile_above_a_route_is_warned_of(app: App) -> None:
    profiler = make_profiler(handler := CollectingHandler())
    with pytest.warns(
        UserWarning, match=r"@profile stands above @app.get, which gives .*view"
    ) as w:

        @profiler.profile
        @app.get("/orders")
        def view() -> None: ...

    assert w[0].filename == __file__
    app.views[0]()
    assert handler.records == []  # As the warning says.


def test_profile_below_a_route_is_right(app: App) -> None:
    profiler = make_profiler(handler := CollectingHandler())

    @app.get("/orders")
    @app.route("/orders/")
    @profiler.profile
    def view() -> None: ...

    app.views[0]()
    assert len(handler.records) == 1


def test_other_decorators_below_are_nothing_to_warn_of() -> None:
    def kept(function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    @PROFILER.profile
    @functools.lru_cache
    def cached() -> None: ...

    @PROFILER.profile
    @kept
    def get() -> None: ...


def test_without_a_source_there_is_no_warning() -> None:
    namespace: dict[str, Any] = {"profile": PROFILER.profile, "app": App()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec("@profile\n@app.get('/')\ndef view(): pass", namespace)
