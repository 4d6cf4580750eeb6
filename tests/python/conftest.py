"""Every test finds, and leaves, the process-wide state of phanos as it was."""

from __future__ import annotations

import contextvars
import gc
import logging
import os
import signal
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import phanos
import pytest
from phanos import publisher
from support import HOOK_NAMES, CollectingHandler, make_profiler

TESTS = Path(__file__).parent
ONE_VERSION = {
    "collector",
    "counts",
    "kills",
    "meta",
    "page",
    "prometheus",
    "rabbitmq",
    "real_servers",
    "typing",
    "wheels",
}
"""Folders of tests whose outcome is the same for every Python version, or nearly so."""
# What a worker of pytest-xdist does one after the other: tests of one broker, since a broker takes
# seconds to start, and else the tests of one file. The first ones take longest.
BROKERS = ("broken_broker", "tls_broker", "broker")
SHARED_BROKERS = 3
"""Brokers that the tests with `broker` are spread over, file by file."""
SLOWEST_FIRST = (
    "broken_broker",
    "real_servers",
    "test_faults_soak",
    "test_private_node",
    "broker",
    "test_processes",
)


def pytest_configure(config: pytest.Config) -> None:
    """Let workers of pytest-xdist take interrupts as pytest alone does: they ignore them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that run on one Python version, and those that run one after the other."""
    for item in items:
        folders = item.path.relative_to(TESTS).parts
        if ONE_VERSION & set(folders) and item.get_closest_marker("every_version") is None:
            item.add_marker(pytest.mark.one_version)
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group_of(item)))
    items.sort(key=_place_of)


def _group_of(item: pytest.Item) -> str:
    if "real_servers" in item.path.parts:
        return "real_servers"
    used = getattr(item, "fixturenames", ())
    group = next((name for name in BROKERS if name in used), item.path.stem)
    if group == "broker":
        return f"broker_{zlib.crc32(item.path.stem.encode()) % SHARED_BROKERS}"
    return group


def _place_of(item: pytest.Item) -> int:
    marker = item.get_closest_marker("xdist_group")
    group = "" if marker is None else str(marker.args[0])
    found = [place for place, name in enumerate(SLOWEST_FIRST) if group.startswith(name)]
    return found[0] if found else len(SLOWEST_FIRST)


def _reset_default_profiler() -> None:
    profiler = phanos.profiler
    for name in HOOK_NAMES:
        setattr(profiler, name, None)
    profiler.delete_handlers()
    for name in list(profiler.metrics):
        profiler.delete_metric(name)
    profiler.tree.clear()
    profiler.job = ""
    profiler.handle_records = False
    if profiler.curr_node.get(profiler.tree.root) is not profiler.tree.root:
        profiler.curr_node.set(profiler.tree.root)


def _known_loggers() -> dict[str, logging.Logger]:
    return {
        name: logger
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    }


def _logger_state(logger: logging.Logger) -> tuple[int, list[Any], list[Any], bool, bool]:
    return (
        logger.level,
        list(logger.handlers),
        list(logger.filters),
        logger.propagate,
        logger.disabled,
    )


def _restore_loggers(before: dict[str, tuple[int, list[Any], list[Any], bool, bool]]) -> None:
    # The root logger is left alone: pytest's own capture lives there and changes by phase.
    for name, logger in _known_loggers().items():
        level, handlers, filters, propagate, disabled = before.get(
            name, (logging.NOTSET, [], [], True, False)
        )
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.filters[:] = filters
        logger.propagate = propagate
        logger.disabled = disabled


@pytest.fixture(autouse=True)
def state_as_found() -> Iterator[None]:
    """Reset the default profiler and put back ContextVars and loggers."""
    loggers = {name: _logger_state(logger) for name, logger in _known_loggers().items()}
    context = contextvars.copy_context()
    _reset_default_profiler()
    yield
    _reset_default_profiler()
    for variable, value in contextvars.copy_context().items():
        if variable is phanos.profiler.curr_node:
            continue
        if variable in context and context[variable] is not value:
            variable.set(context[variable])
    _restore_loggers(loggers)


@pytest.fixture
def handler() -> CollectingHandler:
    """What `profiler` records into."""
    return CollectingHandler()


@pytest.fixture
def profiler(handler: CollectingHandler) -> publisher.Profiler:
    """A profiler of the test's own, configured."""
    return make_profiler(handler)


@pytest.fixture
def collected_garbage() -> Iterator[None]:
    """Start and end with an empty garbage collector, for tests that count what is left."""
    gc.collect()
    yield
    gc.collect()


@pytest.fixture
def no_complaints(
    collected_garbage: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Nothing is logged, nor raised where no code can catch it, until all garbage is gone."""
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with caplog.at_level(logging.WARNING):
        yield
        gc.collect()
    assert [str(one.exc_value) for one in unraisable] == []
    assert [record.getMessage() for record in caplog.get_records("call")] == []


@pytest.fixture
def many_switches() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
