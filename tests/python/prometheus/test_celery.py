"""Celery's workers, forked or greenlets: every task that ran is counted once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from collecting import DEADLINE_S
from counting import Place
from web_server import HERE, environment, wait_for_calls

from tools.rabbitmq import Node

TASKS = 120


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with Node(tmp_path_factory.mktemp("celery")) as node:
        yield node


@contextmanager
def celery(place: Place, url: str, *options: str) -> Iterator[Path]:
    """Run workers until they are told to end."""
    log = place.runtime.parent / "celery.log"
    command = [
        *(sys.executable, "-m", "celery", "-A", "served_tasks", "worker", "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle", "--concurrency", "3", *options),
    ]
    given = {**environment(place), "CELERY_URL": url}
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=HERE, env=given, stdout=output, stderr=output)
    try:
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0, log.read_text()


@pytest.mark.rabbitmq
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "options",
    [("--pool", "prefork", "--max-tasks-per-child", "20"), ("--pool", "gevent")],
    ids=["forked", "greenlets"],
)
def test_every_task_is_counted_once(place: Place, node: Node, options: tuple[str, ...]) -> None:
    # Not installed for Python versions that do not run the servers.
    from celery import Celery

    url = f"pyamqp://guest:guest@127.0.0.1:{node.port}//"
    with Celery(broker=url) as sender:
        with celery(place, url, *options) as log:
            for _ in range(TASKS):
                sender.send_task("view")
            wait_for_calls(place, TASKS)
            for _ in range(20):
                sender.send_task("view")
            wait_for_calls(place, TASKS + 20)
        said = log.read_text()
        assert "Traceback" not in said, said
        with celery(place, url, *options):
            wait_for_calls(place, TASKS + 20)
            sender.send_task("view")
            wait_for_calls(place, TASKS + 21)
