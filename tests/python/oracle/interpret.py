"""
Runs generated programs under whichever `phanos` this interpreter has and prints transcripts.

Reads a JSON list of programs (see `program.py`) from standard input and writes a JSON list of
transcripts to standard output. Needs the standard library and `phanos` alone, so that it runs in
the environment of phanos 0.3.2 as well as in the one under test.
"""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import inspect
import io
import json
import logging
import sys
import threading
import traceback
import types
from typing import Any

import phanos
from normalise import clean, clean_record, clean_text, describe_exception
from phanos import publisher
from program_fixtures import (
    THREAD_DEADLINE_S,
    AccumulatingCounter,
    ForwardingCounter,
    OwnBaseError,
    OwnError,
    ReversedGauge,
    Sized,
    WeighingGauge,
    joined,
    run_coroutine,
)
from source import render_program

HOOKS = ("before_func", "after_func", "before_root_func", "after_root_func")

# Which root call of `main()` the code belongs to; tasks inherit it.
strand: contextvars.ContextVar[str] = contextvars.ContextVar("strand", default="main")


class Run:
    """One program's run: its namespace, and the transcript that its helpers write to."""

    def __init__(self, program: dict[str, Any]) -> None:
        self.program = program
        self.events: list[list[Any]] = []
        self.streams: dict[str, io.StringIO] = {}
        self.finished: dict[str, int] = {}
        self.attempts = 0
        # Records as handed over, to see at the end that they were not changed since.
        self.handed_over: list[tuple[list[Any], list[Any]]] = []
        self.profiler = self.fresh_profiler()
        self.module = types.ModuleType(program["module"])
        vars(self.module).update(self.helpers())

    def fresh_profiler(self) -> Any:
        if self.program["profiler"] == "own":
            return publisher.Profiler()
        profiler = phanos.profiler
        # What waits would be handed over, now or to this program's handlers.
        profiler.clear()
        profiler.delete_handlers()
        profiler.delete_metrics(True, True)
        profiler.tree.clear()
        for hook in HOOKS:
            setattr(profiler, hook, None)
        return profiler

    def helpers(self) -> dict[str, Any]:
        """Names that a generated program finds in its module."""
        run = self

        class RecordingHandler(publisher.SyncBaseHandler):
            def handle(self, records: Any, profiler_name: str = "profiler") -> None:
                run.note_batch(self.handler_name, profiler_name, records)

        class AsyncRecordingHandler(publisher.AsyncBaseHandler):
            @classmethod
            async def create(cls, handler_name: str) -> Any:
                await asyncio.sleep(0)
                return cls(handler_name)

            async def handle(self, records: Any, profiler_name: str = "profiler") -> None:
                run.note_batch(self.handler_name, profiler_name, records)
                await asyncio.sleep(0)
                run.finished[self.handler_name] = run.finished.get(self.handler_name, 0) + 1

        class TitledStreamHandler(publisher.StreamHandler):
            def handle(self, records: Any, profiler_name: str = "profiler") -> None:
                self.output.write(f"profiler: {profiler_name}, {len(records)} records follow\n")
                super().handle(records, profiler_name)

        return {
            "asyncio": asyncio,
            "contextvars": contextvars,
            "datetime": datetime,
            "logging": logging,
            "phanos": phanos,
            "Sized": Sized,
            "OwnError": OwnError,
            "OwnBaseError": OwnBaseError,
            "AccumulatingCounter": AccumulatingCounter,
            "ForwardingCounter": ForwardingCounter,
            "ReversedGauge": ReversedGauge,
            "WeighingGauge": WeighingGauge,
            "RecordingHandler": RecordingHandler,
            "AsyncRecordingHandler": AsyncRecordingHandler,
            "TitledStreamHandler": TitledStreamHandler,
            "profiler": self.profiler,
            "profile": (
                self.profiler.profile if self.program["profiler"] == "own" else phanos.profile
            ),
            "new_stream": self.new_stream,
            "captured_logger": self.captured_logger,
            "current_node": self.current_node,
            "probe": lambda name: self.note("probe", name, self.path()),
            "note_records_count": lambda: self.note("count", self.profiler.get_records_count()),
            "note_caught": lambda error: self.note(
                "caught", describe_exception(error), self.path()
            ),
            "note_results": lambda results: self.note("results", clean(results), self.path()),
            "note_hook": self.note_hook,
            "in_thread": self.in_thread,
            "joined": joined,
            "attempt": self.attempt,
            "attempt_async": self.attempt_async,
            "attempt_all": self.attempt_all,
        }

    # -- what the program's helpers note ----------------------------------------------------

    def note(self, kind: str, *details: Any) -> None:
        self.events.append([kind, strand.get(), *details])

    def current_node(self) -> Any:
        try:
            return self.profiler.curr_node.get()
        except LookupError:
            # 0.3.2 before the first call in a context.
            return self.profiler.tree.root

    def path(self) -> str:
        return str(self.current_node().ctx)

    def in_flight(self) -> str | None:
        kind = sys.exc_info()[0]
        return None if kind is None else kind.__name__

    def note_batch(self, handler: str, profiler_name: str, records: Any) -> None:
        cleaned = [clean_record(record) for record in records]
        self.handed_over.append((records, cleaned))
        self.note("batch", handler, profiler_name, cleaned, self.path(), self.in_flight())

    def note_hook(self, hook: str, subject: Any, args: Any, kwargs: Any) -> None:
        if hook.startswith("before"):
            subject = [subject.__name__, subject.__qualname__, hasattr(subject, "__wrapped__")]
        else:
            subject = clean(subject)
        self.note("hook", hook, subject, clean(args), clean(kwargs), self.path(), self.in_flight())

    def new_stream(self, handler: str) -> io.StringIO:
        self.streams[handler] = io.StringIO()
        return self.streams[handler]

    def captured_logger(self, name: str, handler: str) -> logging.Logger:
        run = self

        class Capture(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                run.note("log", handler, record.levelname, clean_text(record.getMessage()))

        logger = logging.getLogger(name)
        logger.setLevel(1)
        logger.propagate = False
        # A smaller version of a program may have used the name before, in this process.
        logger.handlers.clear()
        logger.addHandler(Capture())
        return logger

    # -- root calls -------------------------------------------------------------------------

    def attempt(self, call: Any) -> None:
        token = self.new_strand()
        try:
            self.note_outcome("returned", clean(call()))
        except BaseException as error:
            self.note_outcome("raised", describe_exception(error))
        strand.reset(token)

    async def attempt_async(self, call: Any) -> None:
        token = self.new_strand()
        try:
            self.note_outcome("returned", clean(await call()))
        except BaseException as error:
            self.note_outcome("raised", describe_exception(error))
        strand.reset(token)

    async def attempt_all(self, calls: list[Any], cancelled: list[int]) -> None:
        async def member(number: int, call: Any) -> Any:
            strand.set(f"{strand.get()}.{number}")
            return await call()

        token = self.new_strand()
        tasks = [asyncio.create_task(member(n, call)) for n, call in enumerate(calls)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for number in cancelled:
            tasks[number].cancel()
        await asyncio.wait(tasks)
        self.note_outcome("gathered", clean([(await joined(task))[0] for task in tasks]))
        strand.reset(token)

    def new_strand(self) -> Any:
        self.attempts += 1
        return strand.set(f"attempt {self.attempts}")

    def note_outcome(self, kind: str, outcome: Any) -> None:
        self.note("outcome", kind, outcome, self.path())
        self.note("count", self.profiler.get_records_count())
        self.note("nodes", self.nodes(self.profiler.tree.root))

    def nodes(self, node: Any) -> int:
        return sum(1 + self.nodes(child) for child in node.children)

    def in_thread(self, call: Any, *args: Any) -> None:
        """Run `call` in a thread with a context of its own and wait; its error is noted."""
        name = strand.get()

        def body() -> None:
            strand.set(name)
            try:
                self.note("thread returned", clean(call(*args)), self.path())
            except BaseException as error:
                self.note("thread raised", describe_exception(error), self.path())

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        thread.join(THREAD_DEADLINE_S)
        if thread.is_alive():
            raise TimeoutError(f"a thread of the program ran longer than {THREAD_DEADLINE_S} s")

    # -- the whole run ----------------------------------------------------------------------

    def transcript(self) -> dict[str, Any]:
        name = self.module.__name__
        install_module(self.module)
        try:
            code = compile(render_program(self.program), f"<{name}>", "exec")
            exec(code, vars(self.module))
            outcome = self.module.main()
            if inspect.iscoroutine(outcome):
                asyncio.run(run_coroutine(outcome, self.profiler))
            # A copy: the next program clears the default profiler, which may hand over.
            return {"events": list(self.events), "final": self.final_state()}
        finally:
            del sys.modules[name]

    def final_state(self) -> dict[str, Any]:
        profiler = self.profiler
        return {
            "streams": {
                handler: clean_text(stream.getvalue()).splitlines(keepends=True)
                for handler, stream in self.streams.items()
            },
            "async batches finished": dict(self.finished),
            "records changed after handing over": sum(
                cleaned != [clean_record(record) for record in records]
                for records, cleaned in self.handed_over
            ),
            "handlers": list(profiler.handlers),
            "metrics": [
                [
                    name,
                    metric.name,
                    metric.job,
                    metric.units,
                    metric.metric,
                    clean(metric.label_names),
                ]
                for name, metric in profiler.metrics.items()
            ],
            "profiler": [
                profiler.job,
                profiler.handle_records,
                profiler.error_raised_label,
                profiler.time_profile is not None,
                profiler.resp_size_profile is not None,
                bool(profiler.needs_profiling()),
            ],
            "callables": self.callables(self.module, ""),
        }

    def callables(self, owner: Any, prefix: str) -> list[Any]:
        """What `profile` left of each function the program defines."""
        found: list[Any] = []
        for name, member in sorted(vars(owner).items()):
            member = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if isinstance(member, type) and member.__module__ == self.module.__name__:
                found += self.callables(member, f"{prefix}{name}.")
            elif not inspect.isfunction(member):
                continue
            elif name.startswith("borrowed"):
                attributes = ("__name__", "__qualname__", "__module__", "__doc__", "__wrapped__")
                found.append([prefix + name, *(hasattr(member, each) for each in attributes)])
            elif member.__module__ == self.module.__name__:
                facts = [member.__name__, member.__qualname__, member.__doc__]
                facts += [str(inspect.signature(member)), inspect.iscoroutinefunction(member)]
                facts += [hasattr(member, "__wrapped__"), clean(member.__annotations__)]
                found.append([prefix + name, *facts])
        return found


def install_module(module: types.ModuleType) -> None:
    """Make `module` importable by its dotted name, its parents too."""
    sys.modules[module.__name__] = module
    child = module
    while "." in child.__name__:
        parent_name, _, name = child.__name__.rpartition(".")
        parent = sys.modules.setdefault(parent_name, types.ModuleType(parent_name))
        setattr(parent, name, child)
        child = parent


def run_program(program: dict[str, Any]) -> dict[str, Any]:
    """Transcript of `program`; `crash` holds the traceback if it could not be run at all."""
    try:
        return contextvars.Context().run(lambda: Run(program).transcript())
    except BaseException:
        return {"crash": traceback.format_exc()}


def main() -> None:
    # What phanos logs about rejected values is expected and would fill the terminal.
    logging.getLogger().addHandler(logging.NullHandler())
    programs = json.load(sys.stdin)
    json.dump([run_program(program) for program in programs], sys.stdout)


if __name__ == "__main__":
    main()
