"""
Metrics of generated programs and the operations on them; also what a program's parts share.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import generated_values as values

Statement = list[Any]

JOBS = ("JOB", "my app", "", "ěšč", "a:b")
UNITS = ("V", "requests", "µs", "", "a b")
METRIC_CLASSES = (
    "Histogram", "Summary", "Counter", "Gauge", "Gauge", "Info", "Enum", "TimeProfiler",
    "ResponseSize", "AccumulatingCounter", "ReversedGauge", "WeighingGauge",
)  # fmt: skip
OWN_CLASSES = ("AccumulatingCounter", "ReversedGauge", "WeighingGauge")


@dataclass
class Surroundings:
    """What a body may use: the program's metrics and the facts that rule constructs out."""

    metrics: list[dict[str, Any]]
    asyncio_program: bool
    asynchronous_profiler: bool
    task_groups: bool
    features: Counter[str] = field(default_factory=Counter)
    # Several branches of the tree alive at a time: 0.3.2 leaves nodes behind.
    branches: bool = False
    # A root inside another's run: who hands over whose records first is not compared.
    nested_roots: bool = False
    # A sync call inside an asynchronous profiler's root reached the limit of waiting records.
    uneven_batches: bool = False


def random_metric(rng: random.Random, names: Any) -> dict[str, Any]:
    """A metric's description; `line` is the source that creates it."""
    metric_class = rng.choice(METRIC_CLASSES)
    variable = names("metric")
    name = rng.choice((variable, f"{variable} ěšč", f"my.{variable}"))
    labels = rng.sample(values.LABEL_NAMES, rng.choice((0, 0, 1, 1, 2, 3)))
    states = rng.sample(values.STATES, rng.randint(1, 4)) if metric_class == "Enum" else []
    arguments = [f"name={name!r}", f"job={rng.choice(JOBS)!r}"]
    if states:
        arguments.append(f"states={set_source(states)}")
    needs_units = metric_class not in ("Info", "Enum", "TimeProfiler", "ResponseSize")
    if needs_units or (metric_class in ("Info", "Enum") and rng.random() < 0.4):
        arguments.append(f"units={rng.choice(UNITS)!r}")
    if labels:
        arguments.append(f"labels={set_source(labels)}")
    owner = "" if metric_class in OWN_CLASSES else "phanos.metrics."
    return {
        "variable": variable,
        "class": metric_class,
        "name": name,
        "labels": labels,
        "states": states,
        "line": f"{variable} = {owner}{metric_class}({', '.join(arguments)})",
    }


def set_source(members: list[str]) -> str:
    return "{" + ", ".join(repr(member) for member in members) + "}"


def random_operation(
    rng: random.Random, around: Surroundings, node: str = "current_node()"
) -> Statement | None:
    """A metric operation with the node before the labels: the form both versions accept."""
    if not around.metrics:
        return None
    metric = rng.choice(around.metrics)
    operation = rng.choice(values.OPERATIONS[metric["class"]])
    value, good = values.operation_value(rng, metric["class"], operation, metric["states"])
    labels, label_kind = values.label_source(rng, metric["labels"])
    around.features[f"{metric['class']}.{operation} {'good' if good else 'bad'} value"] += 1
    around.features[f"{label_kind} labels"] += 1
    if labels is None and metric["class"] in ("TimeProfiler", "ResponseSize"):
        labels = "None"
    by_name = labels is not None and rng.random() < 0.3
    if by_name:
        around.features["arguments by name"] += 1
    return ["operate", metric["variable"], operation, value, node, labels, by_name]
