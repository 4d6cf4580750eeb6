"""What this package is meant to cost: for those who work on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from costs import imports
from costs.participants import NEW, OLD, PROMETHEUS
from costs.results import Result
from costs.rows import WRAPPER, Row, rows

US = 1000.0
TOLERANCE = 1.05
"""Of what is to cost the same as something else: less is not told apart."""

Rows = Mapping[str, Row]


class Target(NamedTuple):
    """A bound on a measured number, which has to be `at_most`."""

    title: str
    value: Callable[[Result, Rows], float]
    at_most: float


def share(case: str, of: str, of_case: str | None = None) -> Callable[[Result, Rows], float]:
    """What the case costs as a share of what it costs another participant."""

    def value(_: Result, found: Rows) -> float:
        other = found[of_case or case].costs[of]
        return found[case].costs[NEW.key].minimum / other.minimum

    return value


def minimum(case: str) -> Callable[[Result, Rows], float]:
    """Nanoseconds."""
    return lambda _, found: found[case].costs[NEW.key].minimum


def import_share(result: Result, _: Rows) -> float:
    """Time of importing as a share of that of 0.3.2."""
    new, old = (imports.cost(result.imports[one.key]).minimum_ms for one in (NEW, OLD))
    return new / old


TARGETS = (
    Target("idle, sync: of the do-nothing wrapper", share("idle_sync", WRAPPER), 1.0),
    Target("idle, async: of the do-nothing wrapper", share("idle_async", WRAPPER), 1.1),
    Target("nested call, sync: of 0.3.2", share("nested_sync", OLD.key), 1 / 35),
    Target("nested call, sync: of prometheus_client", share("nested_sync", PROMETHEUS.key), 1 / 5),
    Target("nested call, async: of 0.3.2", share("nested_async", OLD.key), 1 / 25),
    Target("root call, StreamHandler: of 0.3.2", share("root_stream", OLD.key), 1 / 12),
    Target("root call, handler in Python: of 0.3.2", share("root_python", OLD.key), 1 / 10),
    Target("root call, RabbitMQ: of 0.3.2", share("sync_up", OLD.key), 1 / 100),
    Target("four threads: of 0.3.2", share("threads_4", OLD.key), 1 / 10),
    Target("four threads: of one thread", share("threads_4", NEW.key, "threads_1"), TOLERANCE),
    Target("counter.inc: of 0.3.2", share("operation", OLD.key), 1 / 10),
    Target("four hooks: of 0.3.2", share("hooks", OLD.key), 1 / 8),
    Target("decorating, ns", minimum("decorate"), 20 * US),
    Target("importing: of 0.3.2", import_share, 1 / 2),
)


def checked(result: Result) -> list[str]:
    """A line for each target: met, missed, or not measured."""
    found = rows(result)
    return [line(target, result, found) for target in TARGETS]


def line(target: Target, result: Result, found: Rows) -> str:
    try:
        value = target.value(result, found)
    except KeyError:
        return f"  --      {target.title}: not measured"
    verdict = "met   " if value <= target.at_most else "MISSED"
    return f"  {verdict}  {target.title}: {shown(value)}, at most {shown(target.at_most)}"


def shown(value: float) -> str:
    """1/35, or the number itself above a half."""
    return f"1/{1 / value:.1f}" if 0 < value < 0.75 else f"{value:,.2f}"
