"""Services loaded anew for each test: once profiled and once as if phanos did not exist."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import phanos
import pytest
from phanos.publisher import AsyncBaseHandler, BaseHandler
from support import AsyncCollectingHandler, CollectingHandler, assert_tree_at_rest, wait_until

from demo.serving import Response, request

Decorated = TypeVar("Decorated")


def undecorated(function: Decorated) -> Decorated:
    """Stand-in for the profiling decorator."""
    return function


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a service of this folder anew; the name of its module leads the recorded paths."""

    def load_service(name: str) -> ModuleType:
        path = Path(__file__).with_name(f"{name}.py")
        specification = importlib.util.spec_from_file_location(name, path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        monkeypatch.setitem(sys.modules, name, module)
        specification.loader.exec_module(module)
        return module

    return load_service


@pytest.fixture
def load_plain(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], ModuleType]:
    """Import a service whose decorated functions are what they were."""

    def load_undecorated(name: str) -> ModuleType:
        with monkeypatch.context() as patch:
            patch.setattr(phanos, "profile", undecorated)
            return load(name)

    return load_undecorated


def attach(handler: BaseHandler) -> None:
    """Configure the default profiler with one handler, the way its kind needs it."""
    is_async = isinstance(handler, AsyncBaseHandler)
    configure = phanos.profiler.async_config if is_async else phanos.profiler.config
    configure(job="servers", error_raised_label=True)
    phanos.profiler.add_handler(handler)


def assert_nothing_left() -> None:
    """Wait until the servers' last threads have removed their nodes."""
    root = phanos.profiler.tree.root
    wait_until(lambda: not list(root.children), "every node removed")
    assert_tree_at_rest(phanos.profiler)


@pytest.fixture
def recorded() -> Iterator[CollectingHandler]:
    """The default profiler's only handler, which collects; in the end no node may be left."""
    handler = CollectingHandler()
    attach(handler)
    yield handler
    assert_nothing_left()


@pytest.fixture
def recorded_async() -> Iterator[AsyncCollectingHandler]:
    """The same with an asynchronous handler."""
    handler = AsyncCollectingHandler()
    attach(handler)
    yield handler
    assert_nothing_left()


@pytest.fixture
def failed() -> Callable[[Any], dict[str, bool]]:
    """Tell of each recorded path whether its call failed; every path must occur once."""

    def failed_by_path(handler: Any) -> dict[str, bool]:
        records = handler.records
        by_path = {record["method"]: record["labels"]["error_raised"] for record in records}
        assert len(by_path) == len(records), handler.methods()
        return by_path

    return failed_by_path


@pytest.fixture
def crowd() -> Callable[[list[str]], list[Response]]:
    """Send many requests at the same time; answers come in the order of the addresses."""

    def send_all(urls: list[str]) -> list[Response]:
        with ThreadPoolExecutor(len(urls)) as pool:
            return list(pool.map(request, urls))

    return send_all
