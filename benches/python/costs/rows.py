"""The rows of the table of calls: who has which case, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from costs.calls import Calls
from costs.delivery import KINDS
from costs.participants import OPENTELEMETRY
from costs.results import Result
from costs.statistics import Cost, cost_of

WRAPPER = "wrapper"
"""Key of the do-nothing wrapper, which every process measures beside its participant."""


class Row(NamedTuple):
    """Costs by the key of the participant; one that has no such case is left out."""

    title: str
    costs: Mapping[str, Cost]


class Kind(NamedTuple):
    """Names of the cases that a row is made of."""

    case: str
    title: str
    wrapper: str | None = None
    opentelemetry: str | None = None
    """Where OpenTelemetry's case has another name."""


CALLS = (
    Kind("idle_sync", "idle (no handler), sync", "wrapper_sync"),
    Kind("idle_async", "idle (no handler), async", "wrapper_async"),
    Kind("nested_sync", "recorded nested call, sync", "wrapper_sync"),
    Kind("nested_async", "recorded nested call, async", "wrapper_async"),
    Kind("root_stream", "root call, `StreamHandler`", "wrapper_sync", "root_batched"),
    Kind("root_python", "root call, handler written in Python", "wrapper_sync"),
    Kind("hooks", "root call, `StreamHandler`, four hooks", "wrapper_sync"),
    Kind("threads_1", "root calls, `StreamHandler`, one thread", "wrapper_threads_1"),
    Kind("threads_4", "root calls, `StreamHandler`, four threads", "wrapper_threads_4"),
    Kind("operation", "`counter.inc(1.0, node, labels)`, one label"),
    Kind("decorate", "decorating a function", "wrapper_decorate"),
)
DELIVERY = {
    f"{kind}_{state}": (kind, state, f"root call, `{handler}`, broker {state}")
    for kind, handler in KINDS.items()
    for state in ("up", "down")
}


def rows(result: Result) -> dict[str, Row]:
    """All rows by name."""
    return {**call_rows(result.calls), **delivery_rows(result)}


def call_rows(calls: Mapping[str, Calls]) -> dict[str, Row]:
    """Rows of what was measured of calls, however much that is."""
    found = {kind.case: call_row(kind, calls) for kind in CALLS}
    return {name: row for name, row in found.items() if row.costs}


def delivery_rows(result: Result) -> dict[str, Row]:
    """Rows of calls that hand over to RabbitMQ."""
    if result.delivery is None:
        return {}
    calls = result.delivery["calls"]
    return {
        name: Row(title, {key: cost_of(told[state]) for key, told in calls[kind].items()})
        for name, (kind, state, title) in DELIVERY.items()
    }


def call_row(kind: Kind, calls: Mapping[str, Calls]) -> Row:
    costs = {}
    for key, one in calls.items():
        other = kind.opentelemetry if key == OPENTELEMETRY.key else None
        cost = one.cost(other or kind.case)
        if cost is not None:
            costs[key] = cost
    if kind.wrapper is not None and costs:
        cost = all_participants(calls).cost(kind.wrapper)
        if cost is not None:
            costs[WRAPPER] = cost
    return Row(kind.title, costs)


def all_participants(calls: Mapping[str, Calls]) -> Calls:
    """What all processes measure, as if one participant had."""
    beside = {case: one.beside[case] for one in calls.values() for case in one.beside}
    return Calls(beside, [rounds for one in calls.values() for rounds in one.rounds])
