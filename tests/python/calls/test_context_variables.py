"""Context variables of users are what they would be without profiling."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import (
    DEADLINE_S,
    CollectingHandler,
    assert_tree_at_rest,
    drive,
    make_profiler,
    path_of,
)

# More than one node of CPython's mapping holds, so that nodes are shared between mappings.
VARIABLES = [contextvars.ContextVar(f"users_{number}") for number in range(24)]


ITEM = __name__.rpartition(".")[2]


Step = tuple[Any, ...]


def variables_now() -> tuple[Any, ...]:
    return tuple(variable.get(None) for variable in VARIABLES)


def steps(source: random.Random, depth: int) -> list[Step]:
    """A program: what it sets, puts back, calls, copies and runs elsewhere."""
    program: list[Step] = []
    for _ in range(source.randint(1, 5)):
        kind = source.choice(
            ("set", "set", "reset", "call", "copied", "kept", "generator", "thread")
        )
        if kind == "set":
            program.append((kind, source.randrange(len(VARIABLES)), source.random()))
        elif kind == "reset":
            program.append((kind,))
        elif depth > 0:
            parts = 2 if kind == "generator" else 1
            program.append((kind, *(steps(source, depth - 1) for _ in range(parts))))
            if kind == "generator":
                program[-1] += (source.random() < 0.5,)
    return program


class Run:
    """Runs one program, noting what is seen; `profiler` of `None` decorates nothing."""

    def __init__(self, profiler: Any) -> None:
        self.profiler = profiler
        self.seen: list[Any] = []
        self.kept: list[tuple[contextvars.Context, str]] = []
        decorate = profiler.profile if profiler is not None else lambda function: function

        @decorate
        def called(program: list[Step], path: str) -> None:
            self.run(program, path)

        @decorate
        def generator(first: list[Step], second: list[Step], path: str) -> Iterator[None]:
            self.run(first, path)
            yield
            self.run(second, None)

        self.called = called
        self.generator = generator

    def look(self, path: str | None) -> None:
        self.seen.append(variables_now())
        if self.profiler is not None and path is not None:
            assert path_of(self.profiler) == path

    def run(self, program: list[Step], path: str | None) -> None:
        tokens: list[tuple[contextvars.ContextVar[Any], contextvars.Token[Any]]] = []
        for kind, *arguments in program:
            getattr(self, f"do_{kind}")(tokens, path, *arguments)
            self.look(path)

    def do_set(self, tokens: list[Any], path: str | None, number: int, value: float) -> None:
        tokens.append((VARIABLES[number], VARIABLES[number].set(value)))

    def do_reset(self, tokens: list[Any], path: str | None) -> None:
        if tokens:
            variable, token = tokens.pop()
            variable.reset(token)

    def do_call(self, tokens: list[Any], path: str | None, program: list[Step]) -> None:
        self.called(program, below(path, "called"))

    def do_copied(self, tokens: list[Any], path: str | None, program: list[Step]) -> None:
        context = contextvars.copy_context()
        context.run(self.run, program, path)
        self.kept.append((context, path))

    def do_kept(self, tokens: list[Any], path: str | None, program: list[Step]) -> None:
        if self.kept:
            context, path = self.kept.pop(0)
            context.run(self.run, program, path)

    def do_generator(
        self, tokens: list[Any], path: str | None, first: list[Step], second: list[Step], here: bool
    ) -> None:
        running = self.generator(first, second, below(path, "generator"))
        next(running)
        self.look(path)
        finish = [*running] if here else contextvars.copy_context().run(list, running)
        assert finish == []

    def do_thread(self, tokens: list[Any], path: str | None, program: list[Step]) -> None:
        context = contextvars.copy_context()
        failures: list[BaseException] = []

        def body() -> None:
            try:
                context.run(self.run, program, path)
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
        assert failures == []


def below(path: str | None, name: str) -> str | None:
    """The path of a call; nothing is expected where a generator goes on in another context."""
    if path is None:
        return None
    return f"{path}.{name}" if path else f"Run:{name}"


@pytest.mark.parametrize("seed", range(60))
def test_programs_see_the_same_values_with_and_without_profiling(seed: int) -> None:
    program = steps(random.Random(seed), depth=4)
    profiler = make_profiler(CollectingHandler())
    plain, profiled = Run(None), Run(profiler)
    contextvars.Context().run(plain.run, program, "")
    contextvars.Context().run(profiled.run, program, "")
    assert profiled.seen == plain.seen
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("seed", range(20))
def test_tasks_see_the_same_values_with_and_without_profiling(seed: int) -> None:
    def observed(decorate: Callable[[Any], Any]) -> list[Any]:
        source = random.Random(seed)
        seen: list[Any] = []

        @decorate
        async def work(name: str, depth: int) -> None:
            tokens = []
            for turn in range(source.randint(1, 4)):
                variable = source.choice(VARIABLES)
                tokens.append((variable, variable.set((name, turn))))
                await asyncio.sleep(0)
                seen.append((name, variables_now()))
                if depth > 0 and source.random() < 0.5:
                    below = [work(f"{name}.{number}", depth - 1) for number in range(2)]
                    if source.random() < 0.5:
                        await asyncio.gather(*below)
                    else:
                        for one in below:
                            await one
                if source.random() < 0.5:
                    variable, token = tokens.pop()
                    variable.reset(token)
                seen.append((name, variables_now()))

        async def main() -> None:
            await asyncio.wait_for(work("root", 3), DEADLINE_S)
            seen.append(variables_now())

        contextvars.Context().run(asyncio.run, main())
        return seen

    profiler = make_profiler(CollectingHandler())
    assert observed(profiler.profile) == observed(lambda function: function)
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("setting", [False, True])
def test_coroutines_of_one_context_may_end_in_any_order(first: int, setting: bool) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @types.coroutine
    def once() -> Iterator[None]:
        yield

    @profiler.profile
    def leaf() -> None:
        """Show what is current."""

    @profiler.profile
    async def turn() -> None:
        if setting:
            VARIABLES[0].set(object())
        await once()
        leaf()

    def body() -> None:
        for _ in range(3):
            coroutines = [turn(), turn()]
            for coroutine in coroutines:
                coroutine.send(None)
            assert path_of(profiler) == f"{ITEM}:turn.turn"
            for coroutine in (coroutines[first], coroutines[1 - first]):
                with pytest.raises(StopIteration):
                    coroutine.send(None)
            assert profiler.curr_node.get() is profiler.tree.root

    contextvars.Context().run(body)
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("kind", ["function", "generator", "coroutine"])
@pytest.mark.parametrize("setting", [False, True])
def test_a_call_that_leaves_a_coroutine_suspended_puts_back_what_was_before(
    kind: str, setting: bool
) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    suspended: list[Any] = []

    @types.coroutine
    def once() -> Iterator[None]:
        yield

    @profiler.profile
    async def later() -> None:
        await once()

    def prime() -> None:
        if setting:
            VARIABLES[0].set(object())
        suspended.append(later())
        suspended[-1].send(None)

    @profiler.profile
    def function() -> None:
        prime()

    @profiler.profile
    def generator() -> Iterator[None]:
        prime()
        yield

    @profiler.profile
    async def coroutine() -> None:
        prime()

    @profiler.profile
    def leaf() -> None:
        """Show what is current."""

    def body() -> None:
        for _ in range(3):
            if kind == "function":
                function()
            elif kind == "generator":
                running = generator()
                next(running)
            else:
                drive(coroutine())
            assert profiler.curr_node.get() is profiler.tree.root
            leaf()
            suspended.pop().close()
            assert profiler.curr_node.get() is profiler.tree.root
            leaf()

    contextvars.Context().run(body)
    assert handler.counts()[f"{ITEM}:leaf"] == 6
    gc.collect()
    assert_tree_at_rest(profiler)


def test_a_generator_that_left_a_coroutine_suspended_goes_on_as_itself() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    suspended: list[Any] = []

    @types.coroutine
    def once() -> Iterator[None]:
        yield

    @profiler.profile
    async def later() -> None:
        await once()

    @profiler.profile
    def setting() -> None:
        VARIABLES[0].set(object())

    @profiler.profile
    def generator() -> Iterator[None]:
        suspended.append(later())
        suspended[-1].send(None)
        yield
        for _ in range(2):
            setting()
            assert path_of(profiler) == f"{ITEM}:generator"

    def body() -> None:
        assert list(generator()) == [None]
        suspended.pop().close()
        assert profiler.curr_node.get() is profiler.tree.root

    contextvars.Context().run(body)
    assert handler.counts()[f"{ITEM}:generator.setting"] == 2
    assert_tree_at_rest(profiler)


@pytest.mark.usefixtures("many_switches")
def test_what_one_thread_looks_up_is_not_what_another_one_put_back() -> None:
    profiler = make_profiler(CollectingHandler())
    failures: list[BaseException] = []
    stop = threading.Event()

    @profiler.profile
    def leaf() -> str:
        return path_of(profiler)

    @profiler.profile
    def outer() -> None:
        for _ in range(20):
            assert leaf() == f"{ITEM}:outer.leaf"
            assert path_of(profiler) == f"{ITEM}:outer"

    def body() -> None:
        try:
            for _ in range(200):
                outer()
                assert path_of(profiler) == ""
                contextvars.copy_context().run(outer)
                assert path_of(profiler) == ""
        except BaseException as error:
            failures.append(error)
            stop.set()

    threads = [threading.Thread(target=body) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(6 * DEADLINE_S)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []
    assert_tree_at_rest(profiler)
