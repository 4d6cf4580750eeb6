"""Modules that are dropped, as plug-ins are when they are loaded anew, are freed."""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections.abc import Iterator

import pytest
from freed import Thing, assert_freed
from phanos import publisher
from support import CollectingHandler, assert_tree_at_rest, drive, make_profiler

pytestmark = pytest.mark.usefixtures("collected_garbage")

NAME = "a_plug_in"
OTHER = "a_library"
SOURCE = """
import functools

@profiler.profile
def plain():
    return None

@profiler.profile
def generator():
    yield

@profiler.profile
async def coroutine():
    pass

@profiler.profile
async def asynchronous_generator():
    yield

async def consume():
    async for _ in asynchronous_generator():
        pass

class Service:
    @profiler.profile
    def method(self):
        return None

    @classmethod
    @profiler.profile
    def of_class(cls):
        return None

    class Nested:
        @profiler.profile
        def method(self):
            return None

def local():
    @profiler.profile
    def function():
        return None

    return function

@profiler.profile
@library.wraps
def wrapped():
    return None
"""
# What a library defines, of which decorated functions say that they are of the plug-in.
LIBRARY = """
import functools

def wraps(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper
"""

CALLS = {
    "plain": lambda module, _: module.plain(),
    "generator": lambda module, _: list(module.generator()),
    "coroutine": lambda module, _: drive(module.coroutine()),
    "asynchronous generator": lambda module, _: drive(module.consume()),
    "method": lambda module, _: module.Service().method(),
    "class method": lambda module, _: module.Service.of_class(),
    "method of a nested class": lambda module, _: module.Service.Nested().method(),
    "local function": lambda module, _: module.local()(),
    "wrapped": lambda module, _: module.wrapped(),
    "by hand": lambda module, profiler: profiler.delete_curr_node(
        profiler.set_curr_node(module.plain)
    ),
    "by hand, not decorated": lambda module, profiler: profiler.delete_curr_node(
        profiler.set_curr_node(module.local)
    ),
    "method and context of a node": lambda module, profiler: str(
        profiler.curr_node.get().__class__(module.plain).ctx
    ),
}


def load(name: str, source: str, **names: object) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(names)
    sys.modules[name] = module
    exec(compile(source, name, "exec"), vars(module))
    return module


@pytest.fixture
def kept_profiler() -> Iterator[publisher.Profiler]:
    profiler = make_profiler(CollectingHandler())
    yield profiler
    for name in (NAME, OTHER):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("overridden", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_a_module_is_freed(call: str, overridden: bool, kept_profiler: publisher.Profiler) -> None:
    if overridden:
        kept_profiler.measure_execution_start = lambda: None
    library = load(OTHER, LIBRARY)
    module = load(NAME, SOURCE, profiler=kept_profiler, library=library)
    module.thing = Thing()
    reference = weakref.ref(module.thing)
    for _ in range(2):
        CALLS[call](module, kept_profiler)
    assert_tree_at_rest(kept_profiler)
    del module, sys.modules[NAME]
    assert_freed(module=reference)


def test_what_a_function_leads_to_is_shown(kept_profiler: publisher.Profiler) -> None:
    module = load(NAME, "@profiler.profile\ndef plain():\n    pass", profiler=kept_profiler)
    module.plain()
    assert any(one is vars(module) for one in gc.get_referents(module.plain))
