"""Chromium, the command, and a collector that knows a shop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Visit, calls, visiting
from collecting import Collector, LocalSender, built_command, collectors, wait_until
from playwright.sync_api import sync_playwright
from shop_records import Shop

from tools.browser import Browser


@pytest.fixture(scope="session")
def command() -> Path:
    return built_command()


# Not for the whole session: while it is there, asyncio takes the thread's loop for running.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = Browser.find()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=found.program,
            env={**os.environ, **found.environment()},
            # Root has no sandbox, and small machines little shared memory.
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def noon(collector: Collector) -> int:
    """Return the moment, in milliseconds of the epoch, before which all was well."""
    return collector.noon  # type: ignore[attr-defined, no-any-return]


@pytest.fixture(scope="module")
def collector(
    command: Path, shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collector]:
    """Has counted good times, and then bad ones."""
    running = Collector(command, tmp_path_factory.mktemp("collector"))
    running.start()

    def counted(since: int) -> int:
        answer = calls(running, f"job=shop&window={since}..")
        return sum(row[1] for row in answer["rows"])

    try:
        with LocalSender(running.socket) as sender:
            sender.send("time_profiler", shop.requests(40))
            sender.flush()
            before = shop.calls.total()
            wait_until(lambda: counted(0) == before, lambda: f"{counted(0)} of {before}")
            noon = calls(running, "job=shop&window=all")["now"]
            shop.slow, shop.failing = 4.0, 0.2
            sender.send("time_profiler", shop.requests(40))
            sender.flush()
            after = shop.calls.total() - before
            wait_until(lambda: counted(noon) == after, lambda: f"{counted(noon)} of {after}")
            running.noon = noon  # type: ignore[attr-defined]
            yield running
    finally:
        running.close()


@pytest.fixture
def visit(browser: Any, collector: Collector) -> Iterator[Visit]:
    with visiting(browser, collector) as visit:
        yield visit


@pytest.fixture
def any_collector(command: Path, tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Start collectors of a test's own."""
    with collectors(command, tmp_path) as start:
        yield start
