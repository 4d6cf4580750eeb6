"""
Every kind of call, as steps that can be taken in any order: `python every_call.py SEED COUNT`.

What watches the memory of a process runs it: valgrind, a Python that counts references, a build
that aborts where PyO3 would keep what is dropped without the interpreter lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import logging
import os
import random
import sys
import threading
import types
from typing import Any

from phanos import metrics, publisher
from phanos._phanos import records_to_json
from phanos.tree import MethodTreeNode

LOGGER = logging.Logger("every_call", logging.CRITICAL + 1)
"""Has nothing to say."""


class Broken(Exception):
    """What functions, hooks and handlers raise here."""


class Handler(publisher.SyncBaseHandler):
    """Looks at all that it gets; fails when it is told to."""

    fails = False

    def handle(self, records: list[dict[str, Any]], profiler_name: str = "profiler") -> None:
        records_to_json(records, LOGGER)
        records.append({})
        if self.fails:
            raise Broken


class Output:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


class AsyncHandler(publisher.AsyncBaseHandler):
    @classmethod
    async def create(cls, *args: Any, **kwargs: Any) -> AsyncHandler:
        return cls(*args, **kwargs)

    async def handle(self, records: list[dict[str, Any]], profiler_name: str = "profiler") -> None:
        await asyncio.sleep(0)


class Counter(metrics.Counter):
    """With overrides: records and their end take the way through Python."""

    def to_records(self) -> Any:
        return super().to_records()

    def cleanup(self) -> None:
        super().cleanup()


class Label:
    def __str__(self) -> str:
        return "a label"


@types.coroutine
def pause() -> Any:
    yield


class Everything:
    """A profiler with one of everything, and the steps as methods whose names begin with `do_`."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.profiler = publisher.Profiler()
        self.profiler.async_config(LOGGER, job="TEST", response_size_profile=True)
        self.handler = Handler("sync")
        self.profiler.add_handler(self.handler)
        self.profiler.add_handler(AsyncHandler("async"))
        self.profiler.add_handler(publisher.StreamHandler("stream", output=Output()))
        self.profiler.add_handler(publisher.LoggerHandler("logger", LOGGER))
        self.counter = Counter("counter", "TEST", "units", {"label"}, LOGGER)
        self.info = metrics.Info("info", "TEST", logger=LOGGER)
        self.enum = metrics.Enum("enum", "TEST", ["on", "off"], logger=LOGGER)
        for metric in (self.counter, self.info, self.enum):
            self.profiler.add_metric(metric)
        self.variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")
        self.define()
        self.steps = {
            name: getattr(self, name) for name in sorted(dir(self)) if name.startswith("do_")
        }

    def define(self) -> None:
        """Decorate a function of each kind."""
        profile = self.profiler.profile

        @profile
        def plain(*args: Any, fails: bool = False, **kwargs: Any) -> Any:
            if fails:
                raise Broken
            return [args, kwargs]

        @profile
        def numbers(*args: Any, fails: bool = False) -> Any:
            yield plain(1)
            if fails:
                raise Broken
            yield 2

        @profile
        async def coroutine(*args: Any, fails: bool = False, **kwargs: Any) -> Any:
            await pause()
            return plain(fails=fails)

        @profile
        async def numbers_later(fails: bool = False) -> Any:
            await pause()
            yield plain(1, fails=fails)
            yield 2

        class Service:
            @profile
            def method(self, value: Any = None) -> Any:
                return plain(value)

            @classmethod
            @profile
            def of_class(cls) -> Any:
                return cls().method([1])

            @staticmethod
            @profile
            def static() -> Any:
                return Service.of_class()

        self.plain, self.numbers, self.coroutine = plain, numbers, coroutine
        self.numbers_later, self.service = numbers_later, Service
        self.built_in = profile(functools.partial(sorted, [3, 1, 2]))

    def take(self, count: int) -> None:
        """Take `count` steps, chosen at random."""
        for _ in range(count):
            self.random.choice(list(self.steps.values()))()

    def do_plain(self) -> None:
        self.plain(1, [2], three=3)

    def do_fail(self) -> None:
        try:
            self.plain(fails=True)
        except Broken:
            self.plain()

    def do_method(self) -> None:
        self.service.static()
        self.service().method({})

    def do_built_in(self) -> None:
        self.built_in()

    def do_recursion(self) -> None:
        @self.profiler.profile
        def down(depth: int) -> int:
            return 0 if depth == 0 else 1 + down(depth - 1)

        down(20)

    def do_generator(self) -> None:
        list(self.numbers([1], 2))

    def do_generator_that_fails(self) -> None:
        generator = self.numbers(fails=True)
        next(generator)
        with contextlib.suppress(Broken):
            next(generator)

    def do_abandon(self) -> None:
        next(self.numbers([1]))
        started = self.coroutine({})
        started.send(None)
        del started
        self.coroutine([1], two=2).close()

    def do_abandon_in_a_cycle(self) -> None:
        cycle: list[Any] = [self.numbers()]
        next(cycle[0])
        cycle.append(cycle)

    def do_turns(self) -> None:
        # Where no loop runs: an asynchronous handler would have to be awaited.
        self.profiler.delete_handler("async")
        first, second = self.coroutine(1, 2, 3, 4, 5), self.coroutine()
        for one in (first, second, first, second):
            with contextlib.suppress(StopIteration):
                one.send(None)
        self.profiler.add_handler(AsyncHandler("async"))

    def do_loop(self) -> None:
        async def main() -> None:
            await asyncio.gather(
                self.coroutine(),
                self.coroutine(fails=True),
                self.consume(),
                return_exceptions=True,
            )
            task = asyncio.ensure_future(self.coroutine())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.plain()
            await self.profiler.aflush()

        asyncio.run(main())

    async def consume(self) -> None:
        async for _ in self.numbers_later():
            self.plain()

    def do_measure(self) -> None:
        @self.profiler.profile
        def measure() -> None:
            self.counter.inc(1, {"label": Label()})
            self.counter.inc(-1, {"label": 1})
            self.info.info_({"key": [Label()]})
            self.enum.state("on")
            self.enum.state("unknown")
            with_defaults = self.counter.inc
            with_defaults(2.5, label_values={"label": "b"})

        measure()

    def do_columns(self) -> None:
        self.info.info_({"key": 1})
        self.info.values.pop()
        str(self.info.values), list(self.info.method), self.info.to_records()
        self.info.cleanup()

    def do_hooks(self) -> None:
        def add(function: Any, args: Any, kwargs: Any) -> Any:
            kwargs["more"] = [function, args]
            return {}

        def fail(*_: Any) -> None:
            raise Broken

        self.profiler.before_func = self.profiler.before_root_func = add
        self.profiler.after_func = self.random.choice([add, fail])
        self.plain(1)
        list(self.numbers())
        self.coroutine().close()
        for name in ("before_func", "before_root_func", "after_func", "after_root_func"):
            setattr(self.profiler, name, None)

    def do_failing_handler(self) -> None:
        self.handler.fails = True
        self.plain()
        self.handler.fails = False

    def do_overridden_step(self) -> None:
        self.profiler.measure_execution_start = lambda: None  # type: ignore[method-assign]
        self.plain()
        list(self.numbers())
        self.do_turns()
        del self.profiler.measure_execution_start

    def do_by_hand(self) -> None:
        node = self.profiler.set_curr_node(self.plain)
        node.held = [node]
        self.profiler.delete_curr_node(node)

    def do_nodes(self) -> None:
        parent, child = MethodTreeNode(), MethodTreeNode(self.plain)
        parent.add_child(child)
        child.attribute = Label()
        str(child.ctx), parent.children, child.parent
        del child.attribute

    def do_context(self) -> None:
        def run() -> None:
            self.variable.set([1])
            self.plain()
            self.variable.set(None)

        contextvars.copy_context().run(run)
        generator = self.numbers()
        contextvars.copy_context().run(next, generator)
        contextvars.copy_context().run(generator.close)

    def do_thread(self) -> None:
        thread = threading.Thread(target=self.service.static)
        thread.start()
        self.plain()
        thread.join()

    def do_decorate(self) -> None:
        @self.profiler.profile
        @self.profiler.profile
        def function(argument: Any = ()) -> None:
            """Runs once."""

        function.held = [function]
        function(), repr(function), function.__doc__, function.__wrapped__
        self.profiler.profile(print)
        self.profiler.profile(function)

    def do_configure(self) -> None:
        self.profiler.delete_metric("info")
        self.plain()
        self.profiler.add_metric(self.info)
        self.profiler.add_handler(Handler("another"))
        self.plain()
        self.profiler.delete_handler("another")

    def do_another_profiler(self) -> None:
        own = publisher.Profiler()
        own.config(LOGGER, job="TEST")
        own.add_handler(publisher.StreamHandler("stream", output=Output()))
        own.profile(self.plain)(1)

    def do_collect(self) -> None:
        gc.collect()

    def do_flush(self) -> None:
        self.profiler.flush()


def fork_and_call(everything: Everything, count: int) -> None:
    """Take steps in a forked child as well; its end is an ordinary one, or that of `os._exit`."""
    for leave in (sys.exit, os._exit):
        child = os.fork()
        if child == 0:
            everything.take(count)
            leave(0)
        _, status = os.waitpid(child, 0)
        assert status == 0, status


def main() -> None:
    """Take steps, in forks as well, and end with daemon threads inside of calls."""
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    everything = Everything(seed)
    for step in everything.steps.values():
        step()
    everything.take(count)
    fork_and_call(everything, count // 10)
    inside = threading.Event()

    @everything.profiler.profile
    def stay() -> None:
        inside.set()
        while True:
            threading.Event().wait(0.001)

    threading.Thread(target=stay, daemon=True).start()
    inside.wait()


if __name__ == "__main__":
    main()
