"""
Random bodies of profiled functions, as plain lists that `source.py` renders.

A body calls only targets that exist already, so the call graph of a program has no cycle. While
it is built, what a call of it will do is summed up in an `Outcome`, which keeps programs small,
keeps exceptions where they can be caught and keeps calls apart that phanos 0.3.2 is known to
handle differently (COMPATIBILITY.md): those have tests of their own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import generated_values as values
from generated_metrics import Statement, Surroundings, random_operation


@dataclass
class Outcome:
    """What calling a target once, or running a body once, amounts to."""

    calls: int = 0
    # Profiled calls that return: one of these in an `except` block is labelled differently.
    clean_calls: int = 0
    raises: str | None = None
    # True if a task could be left behind when this body is cancelled.
    spawns: bool = False
    suspends: bool = False
    # True if it cancels a task after some steps of the loop.
    cancels: bool = False

    def add(self, other: Outcome, times: int = 1) -> None:
        self.calls += other.calls * times
        self.clean_calls += other.clean_calls * times
        self.spawns = self.spawns or other.spawns
        self.suspends = self.suspends or other.suspends
        self.cancels = self.cancels or other.cancels


@dataclass
class Target:
    """Something profiled that a body can call: source of the call (without await) and outcome."""

    calls: list[str]
    asynchronous: bool
    outcome: Outcome
    name: str = ""
    # An undecorated function makes no node: what it calls may be roots.
    decorated: bool = True


class BodyBuilder:
    """Builds one body; `targets` are those it may call."""

    def __init__(
        self,
        rng: random.Random,
        surroundings: Surroundings,
        targets: list[Target],
        asynchronous: bool,
        names: Any,
    ) -> None:
        self.rng = rng
        self.around = surroundings
        self.asynchronous = asynchronous
        self.names = names
        self.targets = [target for target in targets if asynchronous or not target.asynchronous]
        self.outcome = Outcome()

    def build(self, length: int, overridden: Target | None = None) -> list[Statement]:
        """Statements of a whole body, ending in a `return` or an exception."""
        body: list[Statement] = self._call_target(overridden) if overridden else []
        for _ in range(length):
            if self.outcome.raises:
                break
            body.extend(self._statement())
        if not self.outcome.raises:
            body.append(self._ending())
        return body

    def _count(self, feature: str) -> None:
        self.around.features[feature] += 1

    def _statement(self) -> list[Statement]:
        kinds = {
            self._probe: 16,
            self._records_count: 5,
            self._operation: 26,
            self._call: 30,
            self._guarded: 16,
            self._loop: 6,
            self._local_function: 6,
            self._local_class: 3,
            self._by_hand: 4,
        }
        if self.asynchronous:
            kinds |= {self._sleep: 16, self._gather: 12, self._spawn: 12, self._cancel: 16}
            kinds |= {self._to_thread: 6}
            if self.around.task_groups:
                kinds[self._task_group] = 7
        else:
            kinds[self._copied_context] = 3
            if not self.around.asynchronous_profiler:
                kinds[self._thread] = 2
        return self.rng.choices(list(kinds), list(kinds.values()))[0]()

    def _pick(self, condition: Any = lambda target: True, budget: int = 40) -> Target | None:
        allowed = [
            target
            for target in self.targets
            if target.outcome.calls + self.outcome.calls <= budget and condition(target)
        ]
        return self.rng.choice(allowed) if allowed else None

    def _expression(self, target: Target) -> str:
        return self.rng.choice(target.calls)

    # -- statements that call nothing -------------------------------------------------------

    def _probe(self) -> list[Statement]:
        self._count("probe")
        return [["probe", self.names("probe")]]

    def _records_count(self) -> list[Statement]:
        self._count("records_count")
        return [["records_count"]]

    def _operation(self) -> list[Statement]:
        statement = random_operation(self.rng, self.around)
        return [statement] if statement else self._probe()

    def _sleep(self) -> list[Statement]:
        self._count("sleep")
        self.outcome.suspends = True
        return [["sleep", self.rng.randint(1, 3)]]

    def _ending(self) -> Statement:
        if self.rng.random() < 0.18:
            self.outcome.raises = self._error()
            return ["raise", self.outcome.raises, self.names("error")]
        return ["return", self.rng.choice(values.RETURNED)]

    def _error(self) -> str:
        kinds = [values.ERRORS] * 6 + [values.SILENT_ERRORS] + [values.LOOP_ENDING_ERRORS] * 2
        if not self.around.asyncio_program:
            kinds.append(values.SYNC_ERRORS)
        error = self.rng.choice(self.rng.choice(kinds))
        if error == "GeneratorExit" and self.around.asynchronous_profiler:
            # It means that the coroutine is being closed: nothing can be awaited any more.
            error = "KeyboardInterrupt"
        self._count(f"raises {error}")
        return error

    # -- calls ------------------------------------------------------------------------------

    def _call(self) -> list[Statement]:
        target = self._pick()
        return self._operation() if target is None else self._call_target(target)

    def _call_target(self, target: Target) -> list[Statement]:
        statement = ["call", self._expression(target), target.asynchronous]
        self._count("call")
        self.outcome.add(target.outcome)
        if not target.outcome.raises:
            return [statement]
        if self.rng.random() < 0.6:
            return [self._guard([statement], target.outcome.raises)]
        self._count("exception crosses calls")
        self.outcome.raises = target.outcome.raises
        return [statement]

    def _guarded(self) -> list[Statement]:
        target = self._pick(lambda target: target.outcome.raises)
        if target is not None and self.rng.random() < 0.7:
            self.outcome.add(target.outcome)
            statement = ["call", self._expression(target), target.asynchronous]
            return [self._guard([statement], str(target.outcome.raises))]
        error = self._error()
        return [self._guard([["raise", error, self.names("error")]], error)]

    def _guard(self, body: list[Statement], error: str) -> Statement:
        """try/except around `body`, which raises `error`; the handler may raise in turn."""
        self._count("guarded")
        handler: list[Statement] = []
        for _ in range(self.rng.randint(0, 2)):
            handler.extend(self._operation() if self.rng.random() < 0.7 else self._probe())
        failing = self._pick(lambda t: t.outcome.raises and t.outcome.clean_calls == 0)
        choice = self.rng.random()
        if failing is not None and choice < 0.25:
            # Every profiled call in an `except` block fails: both versions label it so.
            self._count("failing call in except block")
            self.outcome.add(failing.outcome)
            handler.append(["call", self._expression(failing), failing.asynchronous])
            self.outcome.raises = failing.outcome.raises
        elif choice < 0.33:
            self._count("raised again")
            handler.append(["raise_again"])
            self.outcome.raises = error
        elif choice < 0.42:
            self._count("raised from")
            self.outcome.raises = "OwnError"
            handler.append(["raise_from", "OwnError", self.names("error")])
        finally_body: list[Statement] = []
        if self.rng.random() < 0.25:
            self._count("finally")
            finally_body = self._operation()
        caught = self.rng.choice((error, "BaseException"))
        return ["try", body, caught, handler, finally_body]

    def _loop(self) -> list[Statement]:
        target = self._pick(lambda target: not target.outcome.raises, budget=12)
        if target is None:
            return self._operation()
        times = self.rng.randint(2, 4)
        self._count("loop")
        self.outcome.add(target.outcome, times)
        return [["loop", times, [["call", self._expression(target), target.asynchronous]]]]

    def _local_function(self) -> list[Statement]:
        self._count("local function")
        return self._local("function")

    def _local_class(self) -> list[Statement]:
        self._count("local class")
        return self._local("class")

    def _local(self, kind: str) -> list[Statement]:
        name = self.names("local" if kind == "function" else "Local")
        inner = BodyBuilder(self.rng, self.around, self.targets, self.asynchronous, self.names)
        inner.outcome.calls = self.outcome.calls
        body: list[Statement] = []
        for _ in range(self.rng.randint(0, 2)):
            body.extend(inner._operation() if self.rng.random() < 0.5 else inner._simple_call())
        body.append(["return", self.rng.choice(values.RETURNED)])
        self.outcome.add(inner.outcome)
        self.outcome.calls = inner.outcome.calls + 1
        self.outcome.clean_calls += 1
        return [["local_" + kind, name, self.asynchronous, body]]

    def _by_hand(self) -> list[Statement]:
        """What a profiled call does, step by step through the profiler's own methods."""
        self._count("profiled by hand")
        # Nothing is awaited: a cancellation would leave the node behind, in either version.
        target = self._pick(lambda t: not (t.outcome.raises or t.asynchronous))
        body = self._operation()
        if target is not None:
            self.outcome.add(target.outcome)
            body.append(["call", self._expression(target), False])
        self.outcome.calls += 1
        self.outcome.clean_calls += 1
        return [["by_hand", self.names("node"), body, None]]

    def _simple_call(self) -> list[Statement]:
        target = self._pick(lambda target: not target.outcome.raises)
        if target is None:
            return self._operation()
        self.outcome.add(target.outcome)
        return [["call", self._expression(target), target.asynchronous]]

    # -- threads and contexts ---------------------------------------------------------------

    def _sync_target(self) -> Target | None:
        return self._pick(lambda target: not target.asynchronous, budget=25)

    def _thread(self) -> list[Statement]:
        target = self._sync_target()
        if target is None:
            return self._operation()
        self._count("root in a thread")
        self.around.branches = True
        self.around.nested_roots = True
        self.outcome.add(target.outcome)
        return [["thread", self._expression(target)]]

    def _copied_context(self) -> list[Statement]:
        target = self._sync_target()
        if target is None:
            return self._operation()
        threaded = self.rng.random() < 0.5
        self._count("copied context" + (" in a thread" if threaded else ""))
        self.outcome.add(target.outcome)
        if not threaded:
            self.outcome.raises = target.outcome.raises
        return [["copied_context", self._expression(target), threaded]]

    def _to_thread(self) -> list[Statement]:
        target = self._sync_target()
        if target is None or target.outcome.raises:
            return self._operation()
        self._count("to_thread")
        self.outcome.add(target.outcome)
        # Cancelling it would leave the thread running.
        self.outcome.spawns = True
        return [["to_thread", self._expression(target)]]

    # -- tasks ------------------------------------------------------------------------------

    def _task_target(self, condition: Any = lambda target: True) -> Target | None:
        unsafe = (*values.LOOP_ENDING_ERRORS, *values.SYNC_ERRORS)
        return self._pick(
            lambda t: t.asynchronous and t.outcome.raises not in unsafe and condition(t),
            budget=25,
        )

    def _gather(self) -> list[Statement]:
        return self._several("gather")

    def _task_group(self) -> list[Statement]:
        return self._several("task_group")

    def _several(self, how: str) -> list[Statement]:
        expressions: list[str] = []
        failing = False
        for _ in range(self.rng.randint(2, 5)):
            # A failing member of a group cancels the others: none may leave a task behind.
            target = self._task_target(lambda t: how == "gather" or not t.outcome.spawns)
            if target is None:
                break
            expressions.append(self._expression(target))
            failing = failing or target.outcome.raises is not None
            self.outcome.add(target.outcome)
        if not expressions:
            return self._sleep()
        self._count(how)
        self.around.branches = self.around.branches or len(expressions) > 1
        self.outcome.suspends = True
        # Python versions disagree about a group that fails while it is being cancelled.
        self.outcome.spawns = self.outcome.spawns or how == "task_group"
        if failing:
            self._count(f"{how} with a failing member")
        return [[how, expressions]]

    def _spawn(self) -> list[Statement]:
        """One to three tasks, something done meanwhile, each task awaited."""
        joins: list[Statement] = []
        body: list[Statement] = []
        for _ in range(self.rng.randint(1, 3)):
            target = self._task_target()
            if target is None:
                break
            task = self.names("task")
            body.append(["spawn", task, self._expression(target)])
            joins.append(["join", task])
            self.outcome.add(target.outcome)
        if not joins:
            return self._sleep()
        self._count("spawn")
        self.around.branches = True
        self.outcome.spawns = True
        self.outcome.suspends = True
        for _ in range(self.rng.randint(0, 2)):
            choices = (self._probe, self._operation, self._sleep, self._simple_call)
            body.extend(self.rng.choice(choices)())
        self.rng.shuffle(joins)
        return body + joins

    def _cancel(self) -> list[Statement]:
        target = self._task_target(lambda t: t.outcome.suspends and not t.outcome.spawns)
        if target is None:
            return self._sleep()
        self._count("cancel")
        task = self.names("task")
        self.outcome.add(target.outcome)
        self.outcome.spawns = True
        self.outcome.suspends = True
        self.outcome.cancels = True
        self.around.branches = True
        delay = self.rng.randint(0, 3)
        return [
            ["spawn", task, self._expression(target)],
            ["sleep", delay],
            ["cancel", task],
            ["join", task],
        ]
