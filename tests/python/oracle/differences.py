"""
Intended differences from phanos 0.3.2: a registry of small programs and what each version does.

Each program is a function that returns plain data. `run_differences.py` runs it in both
environments; `test_intended_differences.py` compares with the outcomes stated here and with the
table in COMPATIBILITY.md. Needs the standard library and `phanos` alone.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from phanos import publisher


@dataclass(frozen=True)
class Difference:
    """One entry of COMPATIBILITY.md: a program and its outcome under each version."""

    identifier: str
    program: Callable[[], Any]
    upstream: Any
    ours: Any


REGISTRY: dict[str, Difference] = {}


def difference(
    identifier: str, *, upstream: Any, ours: Any
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Register the decorated program under `identifier`."""

    def register(program: Callable[[], Any]) -> Callable[[], Any]:
        if identifier in REGISTRY:
            raise ValueError(f"{identifier} is taken by {REGISTRY[identifier].program.__name__}")
        if upstream == ours:
            raise ValueError(f"{identifier} is no difference: both are {ours!r}")
        REGISTRY[identifier] = Difference(identifier, program, upstream, ours)
        return program

    return register


class Recorder(publisher.SyncBaseHandler):
    """Keeps the records of each batch in the order in which it is handed over."""

    def __init__(self, handler_name: str = "recorder") -> None:
        super().__init__(handler_name)
        self.batches: list[tuple[str, list[Any]]] = []

    def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        self.batches.append((profiler_name, [dict(record) for record in records]))

    def records(self, metric: str) -> list[Any]:
        return [record for name, batch in self.batches if name == metric for record in batch]

    def methods(self, metric: str = publisher.TIME_PROFILER) -> list[str]:
        return [record["method"].partition(":")[2] for record in self.records(metric)]

    def values(self, metric: str) -> list[Any]:
        return [record["value"][1] for record in self.records(metric)]


def configured(*metrics: Any, **settings: Any) -> tuple[Any, Recorder]:
    """A profiler of its own under `config`, with `metrics`, and the handler that records for it."""
    profiler = publisher.Profiler()
    profiler.config(**{"job": "JOB", **settings})
    return profiler, equip(profiler, *metrics)


def equip(profiler: Any, *metrics: Any) -> Recorder:
    for metric in metrics:
        profiler.add_metric(metric)
    recorder = Recorder()
    profiler.add_handler(recorder)
    return recorder


def outcome(call: Callable[[], Any]) -> str:
    """`returned`, or the name of the exception that `call` raised."""
    try:
        call()
    except BaseException as error:
        return type(error).__name__
    return "returned"


def count_nodes(profiler: Any) -> int:
    """How many nodes hang below the root of the profiler's tree."""

    def below(node: Any) -> int:
        return sum(1 + below(child) for child in node.children)

    return below(profiler.tree.root)


def current_path(profiler: Any) -> str:
    """Path of the current node, without the owner in front of it."""
    return str(profiler.curr_node.get().ctx).partition(":")[2]


@contextlib.contextmanager
def logged(name: str, level: int = logging.WARNING) -> Iterator[list[logging.LogRecord]]:
    """Collects what is logged through the logger `name` and those below it."""
    found: list[logging.LogRecord] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    logger = logging.getLogger(name)
    collector = Collect()
    level_before = logger.level
    logger.addHandler(collector)
    logger.setLevel(level)
    try:
        yield found
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level_before)


def has(owner: Any, *names: str) -> list[bool]:
    """Which of the attributes `names` `owner` has."""
    return [hasattr(owner, name) for name in names]
