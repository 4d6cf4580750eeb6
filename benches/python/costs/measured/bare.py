"""The functions that participants decorate, what calls them, and the costs to compare with."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import FunctionType
from typing import Any

from costs.measured.case import Case

NESTED = 90
"""Profiled calls per root: below the limit at which a nested call of phanos hands over."""
SHARED = 1000
"""Calls that threads share: enough for starting them together to cost little."""
FUNCTIONS = 1000
"""Different functions to decorate."""

Sync = Callable[[int], int]
Async = Callable[[int], Coroutine[Any, Any, int]]
Decorator = Callable[[Any], Any]

_loop = asyncio.new_event_loop()


def body(number: int) -> int:
    return number


async def async_body(number: int) -> int:
    return number


def do_nothing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The least that a decorator in Python can do."""

    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def async_do_nothing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for coroutine functions."""

    @functools.wraps(function)
    async def inner(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return inner


def itself(function: Any) -> Any:
    """No decorator."""
    return function


def call(function: Callable[[int], Any], calls: int) -> None:
    for number in range(calls):
        function(number)


async def async_call(function: Callable[[int], Awaitable[Any]], calls: int) -> None:
    for number in range(calls):
        await function(number)


def run_async(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run on the event loop of this process."""
    return _loop.run_until_complete(coroutine)


def sync_run(function: Sync) -> Callable[[int], None]:
    """`Case.run` that calls the function; checks it first."""
    assert function(5) == 5
    return functools.partial(call, function)


def async_run(function: Async) -> Callable[[int], None]:
    """The same for coroutine functions."""
    assert run_async(function(5)) == 5
    return lambda calls: run_async(async_call(function, calls))


def threads_run(function: Sync, threads: int) -> Callable[[int], None]:
    """`Case.run` that shares the calls out to threads, which begin together."""
    pool = ThreadPoolExecutor(threads)
    together = Barrier(threads)

    def work(calls: int) -> None:
        together.wait()
        call(function, calls)

    def run(calls: int) -> None:
        working = [pool.submit(work, calls // threads) for _ in range(threads)]
        for future in working:
            future.result()

    return run


def decorating_run(decorate: Decorator) -> Callable[[int], None]:
    """`Case.run` that decorates functions, each another one than the one before."""
    functions = [FunctionType(body.__code__, globals(), f"body{n}") for n in range(FUNCTIONS)]
    decorated = decorate(functions[0])
    assert decorated(5) == 5
    assert decorated.__name__ == "body0"

    def run(calls: int) -> None:
        for number in range(calls):
            decorate(functions[number % FUNCTIONS])

    return run


def cases() -> list[Case]:
    """The bare calls and the do-nothing wrappers, which every process measures."""
    return [
        Case("bare_sync", sync_run(body), "bare_sync"),
        Case("bare_async", async_run(async_body), "bare_async"),
        Case("bare_threads_1", threads_run(body, 1), "bare_threads_1", SHARED),
        Case("bare_threads_4", threads_run(body, 4), "bare_threads_4", SHARED),
        Case("bare_decorate", decorating_run(itself), "bare_decorate"),
        Case("wrapper_sync", sync_run(do_nothing(body)), "bare_sync"),
        Case("wrapper_async", async_run(async_do_nothing(async_body)), "bare_async"),
        Case("wrapper_threads_1", threads_run(do_nothing(body), 1), "bare_threads_1", SHARED),
        Case("wrapper_threads_4", threads_run(do_nothing(body), 4), "bare_threads_4", SHARED),
        Case("wrapper_decorate", decorating_run(do_nothing), "bare_decorate"),
    ]
