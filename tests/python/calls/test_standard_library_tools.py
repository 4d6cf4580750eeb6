"""Decorated functions under the standard library's tools: pickle, mock, functools, processes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import inspect
import multiprocessing
import pickle
import types
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest import mock

import phanos
import pytest
from phanos import publisher
from support import DEADLINE_S, CollectingHandler

MODULE = __name__


@phanos.profile
def doubled(number: int, *, times: int = 2) -> int:
    """Found by name from another process."""
    return number * times


@phanos.profile
async def doubled_later(number: int) -> int:
    return number * 2


class Service:
    @phanos.profile
    def fetch(self, key: str, *, default: int = 0) -> int:
        return default

    @phanos.profile
    async def fetch_later(self, key: str) -> int:
        return 1

    @staticmethod
    @phanos.profile
    def static(key: str) -> str:
        return key

    @classmethod
    @phanos.profile
    def of_class(cls, key: str) -> str:
        return key


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "function",
    [doubled, doubled_later, Service.fetch, Service.static],
    ids=lambda f: f.__qualname__,
)
def test_pickled_by_name(function: Any, protocol: int) -> None:
    assert pickle.loads(pickle.dumps(function, protocol)) is function


def test_bound_methods_and_containers_are_pickled() -> None:
    loaded = pickle.loads(pickle.dumps({"bound": Service().fetch, "plain": [doubled]}))
    assert loaded["plain"][0] is doubled
    assert loaded["bound"]("key", default=3) == 3
    assert pickle.loads(pickle.dumps(Service.of_class))("key") == "key"


def test_run_in_a_spawned_process() -> None:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        assert executor.submit(doubled, 4, times=3).result(DEADLINE_S * 6) == 12
        assert list(executor.map(doubled, [1, 2], timeout=DEADLINE_S)) == [2, 4]
        assert executor.submit(Service().fetch, "key", default=5).result(DEADLINE_S) == 5


def test_autospec_of_a_function() -> None:
    spec = mock.create_autospec(doubled, return_value=7)
    assert spec(1, times=2) == 7
    spec.assert_called_once_with(1, times=2)
    for args, kwargs in [((), {}), ((1, 2), {}), ((1,), {"unknown": 1})]:
        with pytest.raises(TypeError):
            spec(*args, **kwargs)
    assert inspect.signature(spec) == inspect.signature(doubled)


def test_autospec_of_a_coroutine_function() -> None:
    spec = mock.create_autospec(doubled_later, return_value=7)
    assert inspect.iscoroutinefunction(spec) or asyncio.iscoroutinefunction(spec)
    assert asyncio.run(spec(1)) == 7
    spec.assert_awaited_once_with(1)


def test_autospec_of_a_class() -> None:
    spec = mock.create_autospec(Service, instance=True)
    spec.fetch.return_value = 3
    assert spec.fetch("key", default=1) == 3
    with pytest.raises(TypeError):
        spec.fetch()
    with pytest.raises(TypeError):
        spec.fetch("key", unknown=1)
    assert isinstance(spec.fetch_later, mock.AsyncMock)
    with pytest.raises(TypeError):
        spec.static()


def test_patching_with_autospec() -> None:
    original = Service.__dict__["fetch"]
    with mock.patch.object(Service, "fetch", autospec=True) as patched:
        patched.return_value = 9
        service = Service()
        assert service.fetch("key") == 9
        patched.assert_called_once_with(service, "key")
        with pytest.raises(TypeError):
            service.fetch()  # type: ignore[call-arg]
    assert Service.__dict__["fetch"] is original
    assert Service().fetch("key", default=2) == 2


def test_patching_by_name_and_wrapping() -> None:
    with mock.patch(f"{MODULE}.doubled", wraps=doubled) as patched:
        assert doubled(4) == 8
    patched.assert_called_once_with(4)
    with mock.patch.object(Service, "static", return_value="patched"):
        assert Service.static("key") == "patched"
    assert Service.static("key") == "key"


def test_lru_cache_above(profiler: publisher.Profiler, handler: CollectingHandler) -> None:
    @functools.lru_cache
    @profiler.profile
    def cached(number: int) -> int:
        return number * 2

    assert [cached(1), cached(1), cached(2)] == [2, 2, 4]
    assert cached.cache_info().hits == 1
    assert handler.methods() == [f"{MODULE}:cached"] * 2


def test_lru_cache_below(profiler: publisher.Profiler, handler: CollectingHandler) -> None:
    @profiler.profile
    @functools.lru_cache
    def cached(number: int) -> list[int]:
        return [number]

    assert cached(1) is cached(1)
    assert cached.__wrapped__.cache_info().hits == 1  # type: ignore[attr-defined]
    assert cached.__name__ == "cached"
    assert handler.methods() == [f"{MODULE}:cached"] * 2


def test_singledispatch_above(profiler: publisher.Profiler, handler: CollectingHandler) -> None:
    @functools.singledispatch
    @profiler.profile
    def described(given: object) -> str:
        return "object"

    @described.register
    @profiler.profile
    def described_int(given: int) -> str:
        return "int"

    assert (described(1), described("a")) == ("int", "object")
    assert handler.methods() == [f"{MODULE}:described_int", f"{MODULE}:described"]


def test_singledispatch_below(profiler: publisher.Profiler, handler: CollectingHandler) -> None:
    @profiler.profile
    @functools.singledispatch
    def described(given: object) -> str:
        return "object"

    described.register(int, lambda given: "int")  # type: ignore[attr-defined]
    assert (described(1), described("a")) == ("int", "object")
    assert handler.methods() == [f"{MODULE}:described"] * 2


def test_singledispatchmethod(profiler: publisher.Profiler, handler: CollectingHandler) -> None:
    class Describing:
        @functools.singledispatchmethod
        @profiler.profile
        def described(self, given: object) -> str:
            return "object"

        @described.register
        @profiler.profile
        def _(self, given: int) -> str:
            return "int"

    describing = Describing()
    assert (describing.described(1), describing.described("a")) == ("int", "object")
    assert handler.counts() == {f"{MODULE}:_": 1, f"{MODULE}:described": 1}


def test_context_manager_decorator(
    profiler: publisher.Profiler, handler: CollectingHandler
) -> None:
    events: list[str] = []

    @contextlib.contextmanager
    @profiler.profile
    def managed(name: str) -> Iterator[str]:
        events.append("enter")
        try:
            yield name
        except KeyError:
            events.append("error")
        finally:
            events.append("exit")

    with managed("name") as given:
        assert given == "name"
    with managed("name"):
        raise KeyError("swallowed")
    assert events == ["enter", "exit", "enter", "error", "exit"]
    assert handler.methods() == [f"{MODULE}:managed"] * 2


def test_async_context_manager_decorator(
    profiler: publisher.Profiler, handler: CollectingHandler
) -> None:
    @contextlib.asynccontextmanager
    @profiler.profile
    async def managed(name: str) -> AsyncIterator[str]:
        await asyncio.sleep(0)
        yield name

    async def main() -> None:
        async with managed("name") as given:
            assert given == "name"

    asyncio.run(main())
    assert handler.methods() == [f"{MODULE}:managed"]


def test_types_coroutine_below(profiler: publisher.Profiler, handler: CollectingHandler) -> None:
    async def inner() -> str:
        return "result"

    @types.coroutine
    def old_style() -> Any:
        result = yield from inner().__await__()
        return result

    @profiler.profile
    async def outer() -> str:
        return await old_style()  # type: ignore[no-any-return]

    assert asyncio.run(outer()) == "result"
    assert handler.methods() == [f"{MODULE}:outer"]


def test_total_ordering_and_cmp_to_key(
    profiler: publisher.Profiler, handler: CollectingHandler
) -> None:
    @functools.total_ordering
    class Ordered:
        def __init__(self, value: int) -> None:
            self.value = value

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Ordered) and other.value == self.value

        __hash__ = None  # type: ignore[assignment]

        @profiler.profile
        def __lt__(self, other: Ordered) -> bool:
            return self.value < other.value

    assert Ordered(2) > Ordered(1)
    assert Ordered(1) <= Ordered(1)

    @profiler.profile
    def compared(left: int, right: int) -> int:
        return left - right

    assert sorted([3, 1, 2], key=functools.cmp_to_key(compared)) == [1, 2, 3]
    assert set(handler.methods()) == {f"{MODULE}:__lt__", f"{MODULE}:compared"}


def test_partial_of_a_coroutine_function(
    profiler: publisher.Profiler, handler: CollectingHandler
) -> None:
    async def added(first: int, second: int) -> int:
        return first + second

    decorated = profiler.profile(functools.partial(added, 1))
    assert inspect.iscoroutinefunction(decorated)
    assert asyncio.run(decorated(2)) == 3
    assert decorated.__name__ == "added"
    assert handler.methods() == ["functools:added"]
