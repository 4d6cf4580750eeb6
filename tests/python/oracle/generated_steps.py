"""
What a generated program does at top level: configuration, handlers, hooks, root calls and the
changes between them.
"""

from __future__ import annotations

import random
from typing import Any

import generated_values as values
from generated_bodies import BodyBuilder, Outcome, Target
from generated_metrics import JOBS, Statement, Surroundings, random_operation

HOOKS = ("before_func", "after_func", "before_root_func", "after_root_func")
HANDLER_CLASSES = (
    "RecordingHandler", "StreamHandler", "LoggerHandler", "NamedLoggerHandler",
    "TitledStreamHandler",
)  # fmt: skip


class StepBuilder:
    """Builds `setup` lines, hook definitions and the statements of `main()`."""

    def __init__(
        self,
        rng: random.Random,
        around: Surroundings,
        targets: list[Target],
        names: Any,
        module: str,
    ) -> None:
        self.rng = rng
        self.around = around
        self.names = names
        self.module = module
        self.profiler = "default" if rng.random() < 0.2 else "own"
        self.definitions: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self.steps: list[Statement] = []
        self.handlers: list[str] = []
        self.registered: list[dict[str, Any]] = []
        self.built_in: set[str] = set()
        self.handle_records = True
        # Records wait outside any call: deleting now hands over in one version only.
        self.waiting = False
        # Targets that may be root calls under this program's profiler.
        self.roots = [target for target in targets if self._may_be_root(target)]
        if not self.roots:
            self.roots = [self._plain_root()]

    def setup(self) -> list[str]:
        """Module-level lines; complete once `build` has run."""
        self.lines.extend(metric["line"] for metric in self.around.metrics)
        return self.lines

    def build(self) -> list[Statement]:
        self._configure(first=True)
        late = [metric for metric in self.around.metrics if self.rng.random() < 0.2]
        for metric in self.around.metrics:
            if metric not in late:
                self._register(metric)
        if not self.handlers or self.rng.random() < 0.7:
            self._add_handler()
        if self.rng.random() < 0.6:
            for hook in HOOKS:
                if self.rng.random() < 0.6:
                    self._set_hook(hook)
        self._root_call()
        for _ in range(self.rng.randint(1, 7)):
            if self.rng.random() < 0.55:
                self._root_call()
            else:
                self._change(late)
        if self.rng.random() < 0.08:
            self._long_root_call()
        self._root_call()
        return self.steps

    def _source(self, *lines: str) -> None:
        self.steps.append(["source", *lines])

    def _count(self, feature: str) -> None:
        self.around.features[feature] += 1

    # -- root calls -------------------------------------------------------------------------

    def _may_be_root(self, target: Target) -> bool:
        if target.outcome.calls > 60 or (target.asynchronous and not self.around.asyncio_program):
            return False
        if self.around.asynchronous_profiler:
            # There a sync root's records wait for the next async root: a difference. So is a
            # task cancelled while it hands over, as a nested call does that reaches the limit.
            return target.asynchronous and target.decorated and target.outcome.calls <= 20
        # Undecorated, it would make overlapping roots of the tasks it starts.
        return target.decorated or not target.outcome.suspends

    def _plain_root(self) -> Target:
        asynchronous = self.around.asyncio_program
        name = self.names("root")
        self._define(name, "", ["profile"], asynchronous, [["return", "7"]])
        return Target([f"{name}()"], asynchronous, Outcome(calls=1, clean_calls=1), name)

    def _root_call(self) -> None:
        target = self.rng.choice(self.roots)
        expression = self.rng.choice(target.calls)
        # An undecorated function may record outside any call, or call nothing profiled.
        hands_over = self._active() and target.decorated
        if target.asynchronous and self.rng.random() < 0.2 and self._several_roots():
            hands_over = self._active()
        elif not target.asynchronous and self.rng.random() < 0.08:
            self._count("root call in a thread")
            self.around.branches = True
            self.steps.append(["attempt", f"in_thread(lambda: {expression})", False])
        else:
            self._count("root call")
            self.steps.append(["attempt", expression, target.asynchronous])
        self.waiting = not hands_over
        if not self._active():
            self._count("root call while idle")

    def _several_roots(self) -> bool:
        """Roots in tasks of their own, running interleaved; under `config` some are cancelled."""
        unsafe = (*values.LOOP_ENDING_ERRORS, *values.SYNC_ERRORS)
        allowed = [
            target
            for target in self.roots
            if target.asynchronous
            and target.decorated
            and target.outcome.raises not in unsafe
            # Together they reach the limit: see `_may_be_root`.
            and not (target.outcome.cancels and self.around.asynchronous_profiler)
        ]
        if not allowed:
            return False
        picked = [self.rng.choice(allowed) for _ in range(self.rng.randint(2, 4))]
        cancelled: list[int] = []
        if not self.around.asynchronous_profiler and self.rng.random() < 0.3:
            cancelled = [n for n, target in enumerate(picked) if not target.outcome.spawns][:1]
            self._count("cancelled root")
        self._count("overlapping roots")
        self.around.branches = True
        self.around.nested_roots = True
        self.steps.append(["attempt_all", [self.rng.choice(t.calls) for t in picked], cancelled])
        return True

    def _root_by_hand(self) -> None:
        """A root call made of the profiler's own methods, its records handed over at the end."""
        if not self._active():
            return
        self._count("root profiled by hand")
        hand_over = "profiler.profile_ext.handle_records_clear()"
        if self.around.asynchronous_profiler:
            hand_over = f"await {hand_over}"
        builder = BodyBuilder(self.rng, self.around, [], False, self.names)
        self.steps.append(["by_hand", self.names("node"), builder._operation(), hand_over])
        self.waiting = False

    def _active(self) -> bool:
        """Whether a profiled call is recorded and handed over."""
        return bool(self.handlers and (self.registered or self.built_in) and self.handle_records)

    def _long_root_call(self) -> None:
        """A root with enough calls below it to reach `RECORDS_LEN_LIMIT` while it runs."""
        asynchronous = self.around.asyncio_program
        leaves = [t for t in self.roots if t.outcome.calls <= 3 and not t.outcome.raises]
        leaf = self.rng.choice(leaves) if leaves else self._plain_root()
        if leaf.asynchronous and not asynchronous:
            return
        name = self.names("long_root")
        call = ["call", self.rng.choice(leaf.calls), leaf.asynchronous]
        body = [["loop", self.rng.choice((98, 99, 100, 101, 130, 260)), [call]], ["return", "7"]]
        self._define(name, "", ["profile"], asynchronous, body)
        self.around.uneven_batches = self.around.asynchronous_profiler
        self._count("limit of waiting records")
        self.steps.append(["attempt", f"{name}()", asynchronous])

    def _define(
        self, name: str, signature: str, decorators: list[str], asynchronous: bool, body: Any
    ) -> None:
        self.definitions.append(
            {
                "kind": "function",
                "name": name,
                "signature": signature,
                "decorators": decorators,
                "asynchronous": asynchronous,
                "body": body,
            }
        )

    # -- configuration ----------------------------------------------------------------------

    def _configure(self, first: bool) -> None:
        settings: dict[str, str] = {"job": repr(self.rng.choice(JOBS))}
        # Given always: what `dict_config` does without it is one of the differences.
        # One that measures already stays on: whether switching it off removes it is another.
        time_profile = self.rng.random() < 0.85 or "time_profiler" in self.built_in
        settings["time_profile"] = repr(time_profile)
        response_size = self.rng.random() < 0.5 or "response_size" in self.built_in
        if response_size or self.rng.random() < 0.5:
            settings["response_size_profile"] = repr(response_size)
        if self.rng.random() < 0.3:
            settings["error_raised_label"] = repr(self.rng.random() < 0.4)
        self.handle_records = first or self.rng.random() < 0.8
        if not self.handle_records or self.rng.random() < 0.3:
            settings["handle_records"] = repr(self.handle_records)
        self.built_in |= {"time_profiler"} if time_profile else set()
        self.built_in |= {"response_size"} if response_size else set()
        by_dict = self.rng.random() < 0.4
        self._count(("" if first else "again ") + ("dict_config" if by_dict else "config"))
        if self.around.asynchronous_profiler:
            self._count("asynchronous profiler")
        prefix = "async_" if self.around.asynchronous_profiler else ""
        if not by_dict:
            if self.rng.random() < 0.3:
                settings["logger"] = f"logging.getLogger({self.names(self.module)!r})"
            arguments = ", ".join(f"{key}={value}" for key, value in settings.items())
            self._source(f"profiler.{prefix}config({arguments})")
            return
        if self.rng.random() < 0.3:
            settings["logger"] = repr(self.names(self.module))
        entries = [self._handler_entry() for _ in range(self.rng.randint(0, 2) if first else 0)]
        lines = [f"    {key!r}: {value}," for key, value in settings.items()]
        if entries:
            lines += ["    'handlers': {", *(f"        {entry}" for entry in entries), "    },"]
        call = "await profiler.async_dict_config({" if prefix else "profiler.dict_config({"
        self._source(call, *lines, "})")

    def _handler_arguments(self, handler_class: str) -> tuple[str, dict[str, str]]:
        """Name of a new handler and the source of its other arguments."""
        name = self.names("handler")
        if handler_class in ("StreamHandler", "TitledStreamHandler"):
            stream = self.names("stream")
            self.lines.append(f"{stream} = new_stream({name!r})")
            return name, {"output": stream}
        if handler_class == "LoggerHandler":
            logger = self.names("logger")
            self.lines.append(f"{logger} = captured_logger('{self.module}.{logger}', {name!r})")
            level = self.rng.choice((None, "logging.INFO", "logging.WARNING", "5"))
            return name, {"logger": logger, **({"level": level} if level else {})}
        if handler_class == "NamedLoggerHandler":
            logger = self.names("named_logger")
            self.lines.append(f"captured_logger('{self.module}.{logger}', {name!r})")
            return name, {"logger_name": repr(f"{self.module}.{logger}")}
        return name, {}

    def _handler_class(self) -> str:
        if self.around.asynchronous_profiler and self.rng.random() < 0.45:
            return "AsyncRecordingHandler"
        return self.rng.choice(HANDLER_CLASSES)

    def _handler_entry(self) -> str:
        handler_class = self._handler_class()
        name, arguments = self._handler_arguments(handler_class)
        self._count(f"{handler_class} in dict")
        self.handlers.append(name)
        for key in ("output", "logger"):
            if key in arguments:
                arguments[key] = repr(f"ext://{self.module}.{arguments[key]}")
        own = handler_class in ("RecordingHandler", "AsyncRecordingHandler", "TitledStreamHandler")
        if own:
            path = self.rng.choice((handler_class, repr(f"{self.module}.{handler_class}")))
        else:
            path = repr(f"phanos.publisher.{handler_class}")
        entries = {"'class'": path, "'handler_name'": repr(name)}
        entries |= {repr(key): value for key, value in arguments.items()}
        inner = ", ".join(f"{key}: {value}" for key, value in entries.items())
        return f"{self.names('reference')!r}: {{{inner}}},"

    def _add_handler(self, name_again: str | None = None) -> None:
        handler_class = self._handler_class()
        name, arguments = self._handler_arguments(handler_class)
        self._count(handler_class)
        own = handler_class in ("RecordingHandler", "AsyncRecordingHandler", "TitledStreamHandler")
        path = handler_class if own else f"phanos.publisher.{handler_class}"
        if name_again is None:
            self.handlers.append(name)
        parts = [repr(name_again or name), *(f"{key}={value}" for key, value in arguments.items())]
        created = f"{path}({', '.join(parts)})"
        if handler_class == "AsyncRecordingHandler" and self.rng.random() < 0.5:
            created = f"await {path}.create({', '.join(parts)})"
        self._source(f"profiler.add_handler({created})")

    def _register(self, metric: dict[str, Any]) -> None:
        self.registered.append(metric)
        self._source(f"profiler.add_metric({metric['variable']})")

    def _set_hook(self, hook: str) -> None:
        name = self.names(f"{hook}_hook")
        first = "func" if hook.startswith("before") else "result"
        builder = BodyBuilder(self.rng, self.around, [], False, self.names)
        body: list[Statement] = [["source", f"note_hook({hook!r}, {first}, args, kwargs)"]]
        for _ in range(self.rng.randint(0, 2)):
            body += builder._operation()
        self._define(name, f"{first}, args, kwargs", [], False, body)
        self._count(hook)
        self._source(f"profiler.{hook} = {name}")

    # -- changes between root calls ---------------------------------------------------------

    def _change(self, late: list[dict[str, Any]]) -> None:
        choice = self.rng.choice(
            (
                "handle_records", "add_handler", "delete_handler", "delete_metric", "error_raised",
                "configure", "hook", "no_hook", "by_hand", "outside", "built_in", "unknown", "late",
                "late", "clear",
            )
        )  # fmt: skip
        if choice == "handle_records":
            self.handle_records = not self.handle_records
            self._count("handle_records switched")
            self._source(f"profiler.handle_records = {self.handle_records}")
        elif choice == "add_handler":
            self._add_handler()
        elif choice == "error_raised":
            self._count("error_raised_label switched")
            self._source("profiler.error_raised_label = not profiler.error_raised_label")
        elif choice == "hook":
            self._set_hook(self.rng.choice(HOOKS))
        elif choice == "no_hook":
            self._count("hook removed")
            self._source(f"profiler.{self.rng.choice(HOOKS)} = None")
        elif choice == "outside":
            statement = random_operation(self.rng, self.around, "profiler.tree.root")
            if statement:
                self._count("operation outside any call")
                self.waiting = True
                self.steps.append(statement)
        elif choice == "by_hand":
            self._root_by_hand()
        elif choice == "unknown":
            self._count("unknown name deleted")
            method = self.rng.choice(("delete_handler", "delete_metric"))
            self._source(f"profiler.{method}('no such name')")
        elif choice == "late":
            if late:
                self._count("metric added late")
                # It may have recorded already.
                self.waiting = True
                self._register(late.pop())
        elif not self.waiting:
            self._deletion(choice)

    def _deletion(self, choice: str) -> None:
        if choice == "delete_handler" and self.handlers:
            if self.rng.random() < 0.25:
                self._count("delete_handlers")
                self.handlers.clear()
                self._source("profiler.delete_handlers()")
            elif self.rng.random() < 0.5:
                self._count("handler replaced")
                self._add_handler(self.rng.choice(self.handlers))
            else:
                self._count("delete_handler")
                name = self.handlers.pop(self.rng.randrange(len(self.handlers)))
                self._source(f"profiler.delete_handler({name!r})")
        elif choice == "delete_metric":
            self._delete_metric()
        elif choice == "configure":
            self._configure(first=False)
        elif choice == "built_in":
            method, name = self.rng.choice(
                (
                    ("create_time_profiler", "time_profiler"),
                    ("create_response_size_profiler", "response_size"),
                )
            )
            self._count(method)
            self.built_in.add(name)
            self._source(f"profiler.{method}()")
        elif choice == "clear":
            self._count("clear")
            self._source("profiler.clear()")

    def _delete_metric(self) -> None:
        names = sorted(self.built_in) + [metric["name"] for metric in self.registered]
        if self.rng.random() < 0.25:
            everything = self.rng.random() < 0.5
            self._count("delete_metrics")
            self._source(f"profiler.delete_metrics({'True, True' if everything else ''})")
            self.registered.clear()
            if everything:
                self.built_in.clear()
        elif names:
            name = self.rng.choice(names)
            self._count("delete_metric")
            self._source(f"profiler.delete_metric({name!r})")
            self.registered = [m for m in self.registered if m["name"] != name]
            self.built_in.discard(name)
