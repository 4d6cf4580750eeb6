"""
Random programs for the differential test, as plain data that JSON can hold.

`generate_program(seed)` always gives the same program for the same seed. It only uses what both
versions promise to do alike; each intended difference has a test of its own
(`test_intended_differences.py`).
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import generated_steps
import generated_values as values
from generated_bodies import BodyBuilder, Outcome, Target
from generated_metrics import Statement, Surroundings, random_metric

# Signatures and the arguments of calls that fit them.
SIGNATURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("",)),
    ("first", ("{0}", "first={0}")),
    ("first, second=2", ("{0}", "{0}, {1}", "second={0}, first={1}")),
    ("*rest, **options", ("", "{0}, {1}, {2}", "{0}, key={1}", "key={0}, other={1}")),
    ("first, /, second, *, key='k'", ("{0}, {1}", "{0}, second={1}, key={2}")),
    ("first: int, second: 'str | None' = None, *rest", ("{0}", "{0}, {1}, {2}")),
)
# Callables that are not Python functions, with calls that return or raise the same everywhere.
BORROWED: tuple[tuple[str, tuple[str, ...], str | None], ...] = (
    ("len", ("'abc'", "(1, 2)"), None),
    ("abs", ("-3", "-2.5"), None),
    ("str.count", ("'banana', 'a'",), None),
    ("int.__add__", ("1, 2",), None),
    ("object.__eq__", ("1, 1",), None),
    ("int", ("'17'",), None),
    ("len", ("3",), "TypeError"),
    ("dict.__getitem__", ("{}, 'absent'",), "KeyError"),
)
METHOD_KINDS = ("method", "method", "method", "classmethod", "staticmethod", "property", "call")


class Names:
    """Hands out names that are unique in a program."""

    def __init__(self) -> None:
        self.used: Counter[str] = Counter()

    def __call__(self, stem: str) -> str:
        self.used[stem] += 1
        return f"{stem}_{self.used[stem]}"


class ProgramGenerator:
    """Builds one program, leaf functions first: a body calls only what exists already."""

    def __init__(self, seed: int, task_groups: bool) -> None:
        self.seed = seed
        self.rng = random.Random(f"phanos oracle {seed}")
        self.names = Names()
        self.asyncio_program = self.rng.random() < 0.5
        self.asynchronous_profiler = self.asyncio_program and self.rng.random() < 0.5
        self.around = Surroundings(
            metrics=[],
            asyncio_program=self.asyncio_program,
            asynchronous_profiler=self.asynchronous_profiler,
            task_groups=task_groups and self.asyncio_program,
        )
        self.classes: list[dict[str, Any]] = []
        self.definitions: list[dict[str, Any]] = []
        self.targets: list[Target] = []
        # Methods called through a subclass or through `self` must not be overridden later.
        self.pinned: set[str] = set()
        self.overridable: list[tuple[dict[str, Any], str, Target]] = []

    def program(self) -> dict[str, Any]:
        self.around.metrics = [
            random_metric(self.rng, self.names) for _ in range(self.rng.randint(0, 4))
        ]
        self._plan_classes()
        for _ in range(self.rng.randint(3, 10)):
            self._add_callable()
        steps = generated_steps.StepBuilder(
            self.rng, self.around, self.targets, self.names, self._module
        )
        setup = steps.setup()
        statements = steps.build()
        comparison = self._comparison()
        if comparison in ("records", "strands"):
            # What an accumulating counter records depends on where batches end.
            setup = [line.replace("AccumulatingCounter(", "ForwardingCounter(") for line in setup]
        definitions = [*(entry["definition"] for entry in self.classes if entry["outer"] is None)]
        self.rng.shuffle(self.definitions)
        return {
            "seed": self.seed,
            "module": self._module,
            "mode": "asyncio" if self.asyncio_program else "sync",
            "profiler": steps.profiler,
            "comparison": comparison,
            # In 0.3.2 the default profiler keeps nodes of programs that ran before in the process.
            "nodes_comparable": not self.around.branches and steps.profiler == "own",
            "setup": setup,
            "definitions": [*steps.definitions, *definitions, *self.definitions],
            "steps": statements,
            "features": dict(self.around.features),
        }

    @property
    def _module(self) -> str:
        return f"generated.programs.program_{self.seed}"

    def _comparison(self) -> str:
        """How much of two transcripts must be equal: see `transcripts.py`."""
        if self.around.nested_roots:
            return "strands" if self.asynchronous_profiler else "records"
        if self.around.uneven_batches:
            return "records"
        both_kinds = (
            self.around.features["AsyncRecordingHandler"]
            or (self.around.features["AsyncRecordingHandler in dict"])
        )
        return "handlers" if both_kinds else "events"

    # -- definitions ------------------------------------------------------------------------

    def _plan_classes(self) -> None:
        for _ in range(self.rng.choice((0, 1, 1, 2, 2, 3))):
            outer = [entry for entry in self.classes if entry["outer"] is None]
            base = self.rng.choice(outer) if outer and self.rng.random() < 0.7 else None
            entry = self._plan_class(self.names("Class"), base, None)
            if self.rng.random() < 0.4:
                self._plan_class(self.names("Nested"), None, entry)

    def _plan_class(
        self, name: str, base: dict[str, Any] | None, outer: dict[str, Any] | None
    ) -> dict[str, Any]:
        definition = {
            "kind": "class",
            "name": name,
            "bases": [base["path"]] if base else [],
            "members": [],
        }
        path = f"{outer['path']}.{name}" if outer else name
        entry = {"definition": definition, "path": path, "base": base, "outer": outer}
        if outer:
            outer["definition"]["members"].append(definition)
            self.around.features["nested class"] += 1
        if base:
            self.around.features["inheritance"] += 1
        self.classes.append(entry)
        return entry

    def _add_callable(self) -> None:
        choice = self.rng.random()
        if choice < 0.06:
            self._add_borrowed()
        elif choice < 0.12:
            self._add_lambda()
        elif self.classes and choice < 0.6:
            self._add_method(self.rng.choice(self.classes))
        else:
            self._add_function()

    def _add_borrowed(self) -> None:
        source, arguments, error = self.rng.choice(BORROWED)
        name = self.names("borrowed")
        self.definitions.append({"kind": "expression", "name": name, "source": source})
        outcome = Outcome(calls=1, clean_calls=0 if error else 1, raises=error)
        calls = [f"{name}({given})" for given in arguments]
        self.targets.append(Target(calls, False, outcome, name))
        self.around.features["borrowed callable"] += 1

    def _add_lambda(self) -> None:
        name = self.names("anonymous")
        source = f"lambda *rest: {self.rng.choice(values.RETURNED)}"
        self.definitions.append({"kind": "expression", "name": name, "source": source})
        outcome = Outcome(calls=1, clean_calls=1)
        self.targets.append(Target([f"{name}()", f"{name}(1, 2)"], False, outcome, name))
        self.around.features["lambda"] += 1

    def _add_function(self) -> None:
        name = self.names(self.rng.choice(("function", "function", "größe", "_private")))
        asynchronous = self.asyncio_program and self.rng.random() < 0.8
        if self.rng.random() < 0.12:
            self._add_recursive(name, asynchronous)
            return
        signature, arguments = self.rng.choice(SIGNATURES)
        body, outcome = self._body(asynchronous)
        if self.rng.random() < 0.08:
            self.around.features["function without decorator"] += 1
            kind, decorators = "plain", []
        else:
            kind, decorators = "function", ["profile"]
            _count_call(outcome)
        self.around.features["async function" if asynchronous else "function"] += 1
        self.definitions.append(
            self._definition(kind, name, signature, decorators, asynchronous, body)
        )
        calls = [f"{name}({given})" for given in self._arguments(arguments)]
        self.targets.append(Target(calls, asynchronous, outcome, name, kind == "function"))

    def _add_recursive(self, name: str, asynchronous: bool) -> None:
        depth = self.rng.randint(1, 5)
        call = f"{'await ' if asynchronous else ''}{name}(depth - 1)"
        body = [["source", "if depth > 0:", f"    {call}"]]
        operation = BodyBuilder(self.rng, self.around, [], asynchronous, self.names)
        body += operation._operation()
        outcome = Outcome(calls=depth + 1, clean_calls=depth + 1)
        if self.rng.random() < 0.3:
            error = self.rng.choice(values.ERRORS)
            body.insert(0, ["source", "if depth == 0:", f"    raise {error}('bottom')"])
            outcome = Outcome(calls=depth + 1, raises=error)
        self.definitions.append(
            self._definition("function", name, "depth", ["profile"], asynchronous, body)
        )
        self.targets.append(Target([f"{name}({depth})"], asynchronous, outcome, name))
        self.around.features["recursion"] += 1

    def _add_method(self, owner: dict[str, Any]) -> None:
        if owner["base"] and self.rng.random() < 0.8 and self._override(owner):
            return
        kind = self.rng.choice(METHOD_KINDS)
        if kind == "call" and any(m["name"] == "__call__" for m in owner["definition"]["members"]):
            kind = "method"
        name = "__call__" if kind == "call" else self.names("method")
        asynchronous = self.asyncio_program and kind != "property" and self.rng.random() < 0.75
        signature, arguments = ("", ("",)) if kind == "property" else self.rng.choice(SIGNATURES)
        own_names = self._own_names(owner)
        if kind == "method":
            for target in self.targets:
                # Through `self` or `cls`, as methods usually call one another.
                target.calls += own_names.get(target.name, [])
        body, outcome = self._body(asynchronous)
        for target in self.targets:
            extra = own_names.get(target.name, [])
            target.calls = [call for call in target.calls if call not in extra]
        _count_call(outcome)
        first = {"classmethod": "cls", "staticmethod": ""}.get(kind, "self")
        decorators = {"classmethod": ["classmethod"], "staticmethod": ["staticmethod"]}.get(
            kind, ["property"] if kind == "property" else []
        )
        full_signature = ", ".join(part for part in (first, signature) if part)
        owner["definition"]["members"].append(
            self._definition(
                "function", name, full_signature, [*decorators, "profile"], asynchronous, body
            )
        )
        receivers = [owner["path"] + "()"]
        if kind in ("classmethod", "staticmethod"):
            receivers.append(owner["path"])
        heirs = [entry for entry in self.classes if _inherits(entry, owner)]
        if heirs and kind != "call" and self.rng.random() < 0.4:
            receivers.append(self.rng.choice(heirs)["path"] + "()")
            self.around.features["inherited method"] += 1
            self.pinned.add(name)
        if kind == "property":
            calls = [f"{receiver}.{name}" for receiver in receivers]
        else:
            access = "" if kind == "call" else f".{name}"
            calls = [
                f"{receiver}{access}({given})"
                for receiver in receivers
                for given in self._arguments(arguments)
            ]
        target = Target(calls, asynchronous, outcome, name)
        self.targets.append(target)
        self.around.features[("async " if asynchronous else "") + kind] += 1
        if kind == "method":
            self.overridable.append((owner, signature, target))

    def _own_names(self, owner: dict[str, Any]) -> dict[str, list[str]]:
        """Calls through `self` of the methods that `owner` has and no subclass will override."""
        found: dict[str, list[str]] = {}
        for entry, _, target in self.overridable:
            if (entry is owner or _inherits(owner, entry)) and self.rng.random() < 0.25:
                self.pinned.add(target.name)
                start = target.calls[0].index(f".{target.name}(")
                found[target.name] = ["self" + target.calls[0][start:]]
                self.around.features["call through self"] += 1
        return found

    def _override(self, owner: dict[str, Any]) -> bool:
        """Override an inherited method with one that calls `super()`."""
        taken = {member["name"] for member in owner["definition"]["members"]}
        choices = [
            (signature, target)
            for entry, signature, target in self.overridable
            if _inherits(owner, entry)
            and target.name not in taken
            and target.name not in self.pinned
        ]
        if not choices:
            return False
        signature, base_target = self.rng.choice(choices)
        start = base_target.calls[0].index(f".{base_target.name}(")
        arguments = base_target.calls[0][start:]
        through_super = Target(
            ["super()" + arguments], base_target.asynchronous, base_target.outcome, ""
        )
        body, outcome = self._body(base_target.asynchronous, through_super)
        _count_call(outcome)
        name = base_target.name
        owner["definition"]["members"].append(
            self._definition(
                "function",
                name,
                ", ".join(part for part in ("self", signature) if part),
                ["profile"],
                base_target.asynchronous,
                body,
            )
        )
        self.targets.append(
            Target([f"{owner['path']}(){arguments}"], base_target.asynchronous, outcome, name)
        )
        # A second override further down would resolve differently for heirs of this class.
        self.pinned.add(name)
        self.around.features["override with super"] += 1
        return True

    def _body(
        self, asynchronous: bool, overridden: Target | None = None
    ) -> tuple[list[Statement], Outcome]:
        builder = BodyBuilder(self.rng, self.around, self.targets, asynchronous, self.names)
        body = builder.build(self.rng.randint(0, 4), overridden)
        return body, builder.outcome

    def _arguments(self, templates: tuple[str, ...]) -> list[str]:
        picked = [self.rng.choice(values.ARGUMENTS) for _ in range(3)]
        return [template.format(*picked) for template in templates]

    def _definition(
        self,
        kind: str,
        name: str,
        signature: str,
        decorators: list[str],
        asynchronous: bool,
        body: list[Statement],
    ) -> dict[str, Any]:
        return {
            "kind": kind,
            "name": name,
            "signature": signature,
            "decorators": decorators,
            "asynchronous": asynchronous,
            "doc": f"What {name} does." if self.rng.random() < 0.3 else None,
            "body": body,
        }


def _inherits(entry: dict[str, Any], ancestor: dict[str, Any]) -> bool:
    base = entry["base"]
    return base is not None and (base is ancestor or _inherits(base, ancestor))


def _count_call(outcome: Outcome) -> None:
    outcome.calls += 1
    if not outcome.raises:
        outcome.clean_calls += 1


def generate_program(seed: int, task_groups: bool = True) -> dict[str, Any]:
    """The program of `seed`; `task_groups` if every interpreter that runs it is 3.11 or later."""
    return ProgramGenerator(seed, task_groups).program()
