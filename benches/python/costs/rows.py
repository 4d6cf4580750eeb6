"""The table of calls: which case each row shows, participant by participant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from costs.calls import Calls
from costs.statistics import Cost

WRAPPER = "wrapper"
"""Key of the do-nothing wrapper, which is measured in every process beside its participant."""


class Row(NamedTuple):
    """A row of the table, and the names of its cases."""

    title: str
    case: str
    wrapper: str | None = None
    opentelemetry: str | None = None
    """Where OpenTelemetry's case has another name."""

    def costs(self, measured: Mapping[str, Calls]) -> dict[str, Cost]:
        """Costs by the key of the participant; a participant that lacks the case is left out."""
        found = {}
        for key, one in measured.items():
            case = self.opentelemetry if key == "opentelemetry" else None
            cost = one.cost(case or self.case)
            if cost is not None:
                found[key] = cost
        if self.wrapper is not None:
            every = [rounds for one in measured.values() for rounds in one.rounds]
            beside = next(iter(measured.values())).beside
            cost = Calls(beside, every).cost(self.wrapper)
            if cost is not None:
                found[WRAPPER] = cost
        return found


ROWS = (
    Row("idle (no handler), sync", "idle_sync", "wrapper_sync"),
    Row("idle (no handler), async", "idle_async", "wrapper_async"),
    Row("recorded nested call, sync", "nested_sync", "wrapper_sync"),
    Row("recorded nested call, async", "nested_async", "wrapper_async"),
    Row("root call, `StreamHandler`", "root_stream", "wrapper_sync", "root_batched"),
    Row("root call, handler written in Python", "root_python", "wrapper_sync"),
    Row("root call, four hooks", "hooks", "wrapper_sync"),
    Row("root calls in one thread", "threads_1", "wrapper_threads_1"),
    Row("root calls in four threads", "threads_4", "wrapper_threads_4"),
    Row("`counter.inc(1.0, node, labels)`", "operation"),
    Row("decorating a function", "decorate", "wrapper_decorate"),
)
