"""What a profiled call costs: one case for each way it can go."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from phanos.metrics import Counter
from phanos.publisher import AsyncImpProfHandler, Profiler, StreamHandler, SyncBaseHandler

from .counted import Stretches

WRAPPER, ASYNC_WRAPPER = "wrapper, sync", "wrapper, async"


class Lines:
    """A stream that counts what is written to it."""

    written = 0

    def write(self, text: str) -> None:
        self.written += text.count("\n")

    def flush(self) -> None:
        pass


class Records(SyncBaseHandler):
    """A handler written in Python that counts what it gets."""

    arrived = 0

    def handle(self, records: list[Any], profiler_name: str = "profiler") -> None:
        self.arrived += len(records)


@dataclass(frozen=True)
class Case:
    """
    One way that a call can go.

    Attributes:
        run: makes the calls and checks what came of them.
        wrapper: the case of the do-nothing wrapper to compare it with.
    """

    run: Callable[[], object]
    wrapper: str = WRAPPER


def body(number: int) -> int:
    return number


async def async_body(number: int) -> int:
    return number


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def async_wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def inner(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return inner


def loop(function: Callable[[int], Any]) -> Callable[[int], None]:
    def calls(count: int) -> None:
        for number in range(count):
            function(number)

    return calls


def async_loop(function: Callable[[int], Any]) -> Callable[[int], Coroutine[Any, Any, None]]:
    async def calls(count: int) -> None:
        for number in range(count):
            await function(number)

    return calls


def idle() -> Profiler:
    """Return a profiler that has no handler: nothing is recorded."""
    profiler = Profiler()
    profiler.config(job="counts")
    return profiler


def recording() -> tuple[Profiler, Lines]:
    """Return a profiler that writes text, at the end of a root only, and what it writes to."""
    profiler, lines = idle(), Lines()
    profiler.add_handler(StreamHandler("stream", lines))  # type: ignore[arg-type]
    profiler.RECORDS_LEN_LIMIT = 10**9
    return profiler, lines


def within_root(profiler: Profiler, calls: Callable[[int], None]) -> int:
    """Make calls within one profiled call that goes on; return their number."""
    stretches = Stretches()

    @profiler.profile
    def root() -> None:
        stretches.run(calls)

    root()
    return stretches.done


def alone(calls: Callable[[int], None]) -> int:
    stretches = Stretches()
    stretches.run(calls)
    return stretches.done


def async_alone(calls: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(Stretches().arun(calls))


def sync_nested() -> None:
    profiler, lines = recording()
    assert within_root(profiler, loop(profiler.profile(body))) + 1 == lines.written


def async_nested() -> None:
    profiler, lines = recording()
    stretches = Stretches()
    leaf = profiler.profile(async_body)

    @profiler.profile
    async def root() -> None:
        await stretches.arun(async_loop(leaf))

    asyncio.run(root())
    assert stretches.done + 1 == lines.written


def root_stream() -> None:
    profiler, lines = recording()
    assert alone(loop(profiler.profile(body))) == lines.written


def root_python() -> None:
    profiler, handler = idle(), Records("python")
    profiler.add_handler(handler)
    assert alone(loop(profiler.profile(body))) == handler.arrived


def root_rabbitmq() -> None:
    """To a port that refuses connections: records are put into the buffer and stay there."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        handler = AsyncImpProfHandler("rabbitmq", port=closed.getsockname()[1])
        profiler = Profiler()
        profiler.async_config(job="counts")
        profiler.add_handler(handler)
        calls = alone(loop(profiler.profile(body)))
        assert handler.stats()["queued"] == calls, handler.stats()


def metric_operation() -> None:
    profiler, lines = recording()
    counter = Counter("counter", "counts", "pieces", labels=["kind"])
    profiler.add_metric(counter)
    labels = {"kind": "any"}

    @profiler.profile
    def leaf(number: int) -> None:
        counter.inc(1.0, label_values=labels)

    assert 2 * within_root(profiler, loop(leaf)) + 1 == lines.written


def hooks() -> None:
    profiler, lines = recording()
    profiler.before_func = profiler.before_root_func = lambda func, args, kwargs: None
    profiler.after_func = profiler.after_root_func = lambda result, args, kwargs: None
    assert alone(loop(profiler.profile(body))) == lines.written


def decorating() -> None:
    profiler, _ = recording()
    alone(loop(lambda _: profiler.profile(body)))


def generator() -> None:
    profiler, lines = recording()

    @profiler.profile
    def numbers(number: int) -> Any:
        yield number

    assert within_root(profiler, loop(lambda number: list(numbers(number)))) + 1 == lines.written


PLAIN = {
    "bare call, sync": Case(lambda: alone(loop(body))),
    WRAPPER: Case(lambda: alone(loop(wrapped(body)))),
    "bare call, async": Case(lambda: async_alone(async_loop(async_body)), ASYNC_WRAPPER),
    ASYNC_WRAPPER: Case(lambda: async_alone(async_loop(async_wrapped(async_body))), ASYNC_WRAPPER),
}
"""Cases without phanos, to compare with."""

PROFILED = {
    "idle, sync": Case(lambda: alone(loop(idle().profile(body)))),
    "idle, async": Case(lambda: async_alone(async_loop(idle().profile(async_body))), ASYNC_WRAPPER),
    "nested, sync": Case(sync_nested),
    "nested, async": Case(async_nested, ASYNC_WRAPPER),
    "nested, generator": Case(generator),
    "nested, with a metric operation": Case(metric_operation),
    "root, StreamHandler": Case(root_stream),
    "root, StreamHandler and four hooks": Case(hooks),
    "root, handler in Python": Case(root_python),
    "root, RabbitMQ": Case(root_rabbitmq),
    "decorating": Case(decorating),
}
"""Cases with it, whose counts are compared with the accepted ones."""

CASES = PLAIN | PROFILED
"""All cases by name, in the order in which they are shown."""
