"""
Tests of applications: what was called, how often, and how it hangs together.

With `unittest`, or in any block of code:

    with phanos.testing.recording() as calls:
        client.get("/orders")
    calls.assert_called("Orders.get > load", times=1)
    calls.at_most(query=3)

With pytest, name the plug-in `phanos.pytest_plugin` in `pytest_plugins` of a conftest.py, and take
the fixture `phanos_calls`.
"""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Any

from ._handlers.drawn_tree import Branch, parts_of
from ._profiler.snapshot import Snapshot
from .handlers import SyncBaseHandler
from .publisher import TIME_PROFILER, Profiler
from .types import Record

__all__ = ["Recording", "recording"]


class _Collecting(SyncBaseHandler):
    """Keeps all records of a recording."""

    def __init__(self) -> None:
        super().__init__("phanos.testing")
        self.batches: list[tuple[str, list[Record]]] = []

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        # Copied: other handlers, added by the program under test, share the list.
        self.batches.append((profiler_name, list(records)))


class Recording:
    """
    What a profiler records while a `with` block runs; afterwards the profiler is as it was found.

    Meanwhile it records every call, even if it is not configured, is paused or sampled, and its
    handlers get nothing, so that no test needs a broker.

    A call is named by its path or by the end of it, calls separated by `>`, the class of each left
    out or not: `Orders.get > load > query`, `load > query` and `query` are one of the same calls.
    """

    def __init__(self, profiler: Profiler) -> None:
        self._profiler = profiler
        self._handler = _Collecting()
        self._before: Snapshot | None = None

    def __enter__(self) -> Recording:
        if self._before is not None:
            raise RuntimeError("a recording can be entered once: make another by recording()")
        profiler = self._profiler
        profiler._hand_over()
        self._before = Snapshot(profiler)
        try:
            if profiler.profile_ext is None:
                profiler.config(job="tests")
            if profiler.time_profile is None:
                profiler.create_time_profiler()
            profiler.handlers.clear()
            profiler.add_handler(self._handler)
            profiler.handle_records = True
            profiler.resume()
            profiler.sample_rate = 1.0
        except BaseException:
            self._before.restore()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before is not None:
            self._profiler._hand_over()
            self._before.restore()

    @property
    def records(self) -> list[Record]:
        """All records so far, of all metrics, in the order in which they were handed over."""
        return [record for _, records in self._taken() for record in records]

    @property
    def counts(self) -> Counter[str]:
        """How often each path was called so far, as `{"Orders:get.load": 1}`."""
        return Counter(record["method"] for record in self._calls())

    @property
    def tree(self) -> str:
        """What was called so far as a tree, a line for each path."""
        tree = Branch()
        for record in self._calls():
            tree.add(record)
        return "\n".join(tree.lines(repeated=10))

    def times(self, call: str) -> int:
        """Return how often `call` was made so far."""
        wanted = [part.strip() for part in call.split(">")]
        if not all(wanted):
            raise ValueError(f"expected calls separated by >, as in 'get > load', got {call!r}")
        return sum(
            count for path, count in self.counts.items() if _ends_with(parts_of(path), wanted)
        )

    def assert_called(self, call: str, *, times: int | None = None) -> None:
        """Raise AssertionError unless `call` was made, or was made exactly so many times."""
        __tracebackhide__ = True
        made = self.times(call)
        if made == times or (times is None and made):
            return
        wanted = "a call" if times is None else _times(times)
        raise AssertionError(f"expected {wanted} of {call!r}, got {_times(made)}{self._shown()}")

    def assert_not_called(self, call: str) -> None:
        """Raise AssertionError if `call` was made."""
        __tracebackhide__ = True
        self.assert_called(call, times=0)

    def at_most(self, limits: dict[str, int] | None = None, /, **by_name: int) -> None:
        """
        Raise AssertionError if a call was made more often than it may be.

        Args:
            limits: how often a call may be made, by its name: `{"Orders.get > load": 1}`.
            **by_name: the same for names that are no more than a name: `query=3`.
        """
        __tracebackhide__ = True
        for call, limit in {**(limits or {}), **by_name}.items():
            made = self.times(call)
            if made > limit:
                raise AssertionError(
                    f"expected at most {_times(limit)} of {call!r}, got {_times(made)}"
                    f"{self._shown()}"
                )

    def _calls(self) -> list[Record]:
        batches = self._taken()
        return [one for name, records in batches if name == TIME_PROFILER for one in records]

    def _taken(self) -> list[tuple[str, list[Record]]]:
        if self._before is not None:
            self._profiler._hand_over()
        return self._handler.batches

    def _shown(self) -> str:
        return f". What was called:\n{self.tree or '(nothing)'}"


def recording(profiler: Profiler | None = None) -> Recording:
    """Return a recording of `profiler`, by default of the default one, for a `with` block."""
    if profiler is None:
        import phanos  # Which makes that profiler when it is imported.

        profiler = phanos.profiler
    checked: Any = profiler
    if not isinstance(checked, Profiler):
        raise TypeError(f"recording expects a Profiler, got {profiler!r}")
    return Recording(profiler)


def _ends_with(path: list[str], wanted: list[str]) -> bool:
    pairs = zip(path[-len(wanted) :], wanted, strict=False)
    return len(path) >= len(wanted) and all(_is_called(part, name) for part, name in pairs)


def _is_called(part: str, name: str) -> bool:
    """Tell whether `part` of a path is a call named `name`, with or without its class."""
    full = part.replace(":", ".")
    return name in (part, full) or full.endswith(f".{name}")


def _times(count: int) -> str:
    return f"{count} call{'' if count == 1 else 's'}"
