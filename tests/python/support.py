"""Helpers shared by the behaviour tests: handlers that remember, profilers, deadlines."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from phanos import publisher

JOB = "TEST"
DEADLINE_S = 5.0
SUBPROCESS_DEADLINE_S = 50.0
HOOK_NAMES = ("before_root_func", "before_func", "after_func", "after_root_func")


class _Collected:
    """Batches as they arrive: `(metric name, records)`, safe to read from any thread."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._batches: list[tuple[str, list[dict[str, Any]]]] = []

    def store(self, records: list[dict[str, Any]], profiler_name: str) -> None:
        with self._arrived:
            self._batches.append((profiler_name, list(records)))
            self._arrived.notify_all()

    def batches(self) -> list[tuple[str, list[dict[str, Any]]]]:
        with self._arrived:
            return list(self._batches)

    def wait_for_records(self, count: int, timeout_s: float) -> bool:
        with self._arrived:
            return self._arrived.wait_for(
                lambda: sum(len(records) for _, records in self._batches) >= count, timeout_s
            )

    def clear(self) -> None:
        with self._arrived:
            self._batches.clear()


class _CollectingMixin:
    """What both kinds of collecting handler offer to a test."""

    _collected: _Collected
    on_handle: Callable[[list[dict[str, Any]], str], None] | None

    @property
    def batches(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """`(metric name, records)` of every call of `handle`, oldest first."""
        return self._collected.batches()

    @property
    def records(self) -> list[dict[str, Any]]:
        """Records of all batches in order of arrival."""
        return [record for _, batch in self.batches for record in batch]

    def of_metric(self, metric: str) -> list[dict[str, Any]]:
        """Records that arrived under one metric name."""
        return [record for name, batch in self.batches if name == metric for record in batch]

    def methods(self, metric: str | None = None) -> list[str]:
        """The `method` of each record, of one metric or of all."""
        records = self.records if metric is None else self.of_metric(metric)
        return [record["method"] for record in records]

    def counts(self, metric: str | None = None) -> Counter[str]:
        """How many records each `method` has."""
        return Counter(self.methods(metric))

    def wait_for_records(self, count: int, timeout_s: float = DEADLINE_S) -> None:
        """Block until `count` records arrived; fail when the deadline passes."""
        arrived = self._collected.wait_for_records(count, timeout_s)
        assert arrived, f"expected {count} records, got {len(self.records)} in {timeout_s} s"

    def clear(self) -> None:
        """Forget what arrived so far."""
        self._collected.clear()


class CollectingHandler(_CollectingMixin, publisher.SyncBaseHandler):
    """Sync handler that keeps every batch; `on_handle` runs inside `handle`, before storing."""

    def __init__(
        self,
        handler_name: str = "collecting",
        on_handle: Callable[[list[dict[str, Any]], str], None] | None = None,
    ) -> None:
        super().__init__(handler_name)
        self._collected = _Collected()
        self.on_handle = on_handle

    def handle(self, records: list[dict[str, Any]], profiler_name: str = "profiler") -> None:
        if self.on_handle is not None:
            self.on_handle(records, profiler_name)
        self._collected.store(records, profiler_name)


class AsyncCollectingHandler(_CollectingMixin, publisher.AsyncBaseHandler):
    """Async handler that keeps every batch; `on_handle` is a coroutine function or None."""

    def __init__(
        self,
        handler_name: str = "async-collecting",
        on_handle: Callable[[list[dict[str, Any]], str], Any] | None = None,
    ) -> None:
        super().__init__(handler_name)
        self._collected = _Collected()
        self.on_handle = on_handle

    @classmethod
    async def create(cls, handler_name: str, *args: Any, **kwargs: Any) -> AsyncCollectingHandler:
        return cls(handler_name, *args, **kwargs)

    async def handle(self, records: list[dict[str, Any]], profiler_name: str = "profiler") -> None:
        if self.on_handle is not None:
            await self.on_handle(records, profiler_name)
        self._collected.store(records, profiler_name)


def make_profiler(*handlers: publisher.BaseHandler, **settings: Any) -> publisher.Profiler:
    """
    A configured profiler of its own with the handlers attached.

    `async_config` is used when one of the handlers is async. `settings` go to the
    configuration; job is `TEST`, time on and response size off unless given.
    """
    settings.setdefault("job", JOB)
    profiler = publisher.Profiler()
    if any(isinstance(handler, publisher.AsyncBaseHandler) for handler in handlers):
        profiler.async_config(**settings)
    else:
        profiler.config(**settings)
    for handler in handlers:
        profiler.add_handler(handler)
    return profiler


def path_of(profiler: publisher.Profiler) -> str:
    """Text of the current node; empty at the root of the tree."""
    return str(profiler.curr_node.get().ctx)


def assert_tree_at_rest(profiler: publisher.Profiler) -> None:
    """No node is left, and the current one is the root of the tree."""
    assert profiler.curr_node.get() is profiler.tree.root
    assert list(profiler.tree.root.children) == []


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = DEADLINE_S) -> None:
    """Poll `condition`; fail naming `what` when the deadline passes."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        pause.wait(0.002)


def join_all(threads: Iterable[threading.Thread], timeout_s: float = 30.0) -> None:
    """Join every thread; fail naming those that did not end."""
    threads = list(threads)
    deadline = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    running = [thread.name for thread in threads if thread.is_alive()]
    assert not running, f"still running after {timeout_s} s: {running}"


def run_in_threads(function: Callable[[int], Any], count: int, timeout_s: float = 30.0) -> None:
    """Run `function(index)` in `count` threads that start together; re-raise the first error."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def body(index: int) -> None:
        try:
            barrier.wait(DEADLINE_S)
            function(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=body, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    join_all(threads, timeout_s)
    if errors:
        raise errors[0]


def run_python(
    code: str, *arguments: str, python: str | None = None, timeout_s: float = SUBPROCESS_DEADLINE_S
) -> subprocess.CompletedProcess[str]:
    """Run dedented `code` in a fresh interpreter that can also import this folder."""
    environment = dict(os.environ)
    here = str(Path(__file__).parent)
    environment["PYTHONPATH"] = os.pathsep.join(
        part for part in (here, environment.get("PYTHONPATH", "")) if part
    )
    return subprocess.run(
        [python or sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environment,
        check=False,
    )


def output_of(code: str, *arguments: str, timeout_s: float = SUBPROCESS_DEADLINE_S) -> str:
    """Run `code` as `run_python` does; return its output. It must succeed, and complain not."""
    done = run_python(code, *arguments, timeout_s=timeout_s)
    assert (done.returncode, done.stderr) == (0, ""), (done.returncode, done.stderr[-3000:])
    return done.stdout


async def async_wait_until(
    condition: Callable[[], bool], what: str, timeout_s: float = DEADLINE_S
) -> None:
    """Let the loop run until `condition` holds; fail naming `what` at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        await asyncio.sleep(0.001)


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never suspends, without an event loop; return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("the coroutine suspended")


def watch_hooks(profiler: publisher.Profiler) -> list[tuple[str, str]]:
    """Assign all four hooks; return the list that gets `(hook name, current path)` of each run."""
    seen: list[tuple[str, str]] = []

    def watcher(name: str) -> Callable[..., None]:
        if name.startswith("before"):

            def before(func: Any, args: Any, kwargs: Any) -> None:
                seen.append((name, path_of(profiler)))

            return before

        def after(result: Any, args: Any, kwargs: Any) -> None:
            seen.append((name, path_of(profiler)))

        return after

    for name in HOOK_NAMES:
        setattr(profiler, name, watcher(name))
    return seen
