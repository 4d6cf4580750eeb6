"""What test suites and plug-ins replace is called as 0.3.2 calls it: same order, same arguments."""

from __future__ import annotations

from typing import Any

import interpreters
import pytest
import run_replacements
from phanos import publisher
from replacements import REPLACEMENTS

run_replacements.load()


@pytest.fixture(scope="module")
def outcomes() -> tuple[dict[str, Any], dict[str, Any]]:
    """What every program did under 0.3.2 and under ours."""
    return interpreters.run_both("run_replacements.py", sorted(REPLACEMENTS))


@pytest.mark.parametrize("name", sorted(REPLACEMENTS))
def test_replacement(name: str, outcomes: tuple[dict[str, Any], dict[str, Any]]) -> None:
    upstream, ours = outcomes
    assert not str(upstream[name]).startswith("Traceback"), upstream[name]
    assert ours[name] == upstream[name]


# What the package itself uses of `phanos.publisher`, by the program that replaces it there.
USED = {
    "AsyncExtProfiler": "ext_profilers-AsyncExtProfiler",
    "AsyncImpProfHandler": "the_class_of_an_asynchronous_handler_in_settings",
    "AsyncioPublisher": "the_class_of_asynchronous_publishers",
    "BlockingPublisher": "the_class_of_publishers_in_a_profiler",
    "ContextTree": "context_tree",
    "ImpProfHandler": "the_class_of_a_handler_in_settings-mock",
    "LoggerHandler": "handle-LoggerHandler-class-after",
    "MethodTreeNode": "method_tree_node-after",
    "NETWORK_ERRORS": "network_errors",
    "NamedLoggerHandler": "handle-NamedLoggerHandler-class-after",
    "OutputFormatter": "output_formatter-StreamHandler",
    "Profiler": "steps_of_a_profiler-class",
    "RESPONSE_SIZE": "names_of_metrics-RESPONSE_SIZE",
    "ResponseSize": "built_in_metrics-ResponseSize",
    "StreamHandler": "handle-StreamHandler-class-after",
    "SyncExtProfiler": "ext_profilers-SyncExtProfiler",
    "TIME_PROFILER": "names_of_metrics-TIME_PROFILER",
    "TimeProfiler": "built_in_metrics-TimeProfiler",
    "log_error_profiling": "log_error_profiling-module-after",
}
# Base classes, types and names of an older generation, which nothing looks up when it runs.
NOT_USED = {
    "AbstractExtProfiler",
    "AfterType",
    "AsyncBaseHandler",
    "BaseHandler",
    "BeforeType",
    "LoggerLike",
    "MetricWrapper",
    "PhanosProfiler",
    "Record",
    "SyncBaseHandler",
    "curr_node",
    "PrometheusHandler",
    "TreeHandler",
}


def test_every_public_name_is_replaced_by_a_program() -> None:
    assert set(publisher.__all__) == USED.keys() | NOT_USED
    assert set(USED.values()) <= REPLACEMENTS.keys()


def test_classes_show_the_names_that_specifications_of_mocks_are_made_from() -> None:
    modules = [f"phanos.{name}" for name in ("publisher", "metrics", "tree", "log", "messaging")]
    upstream, ours = interpreters.run_both("class_names.py", modules)
    lacking = {name: set(shown) - set(ours[name]) for name, shown in upstream.items()}
    assert {name for name in lacking if lacking[name]} == set()
    assert len(upstream) > 40
