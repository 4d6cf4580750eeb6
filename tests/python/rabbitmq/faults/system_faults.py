"""Faults of the system that a program runs on: no threads, silent addresses, forks."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

from faults.scenario import scenario
from faults.scene import Scene

STATE_S = 20.0
ATTEMPT_S = 0.2
OWN_HOSTS = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"')
"""Runs a command with another `/etc/hosts`, the first argument."""
CHILD_CALLS = 500


def lacks_root() -> str | None:
    return None if os.getuid() == 0 else "only root can become a user with a limit of processes"


def lacks_own_hosts() -> str | None:
    try:
        tried = subprocess.run([*OWN_HOSTS, "/etc/hosts", "true"], capture_output=True)
        with socket.socket(socket.AF_INET6) as listener:
            listener.bind(("::1", 0))
    except OSError as error:
        return str(error)
    return None if tried.returncode == 0 else tried.stderr.decode().strip()


@scenario("connection cut, and no thread can be started for a while", lacks=lacks_root)
def no_threads(scene: Scene) -> None:
    scene.record()
    scene.worker.ask("refuse_threads", True)
    scene.proxy.cut()
    scene.wait_until(
        lambda: scene.last_errors().count("refuses a thread") == 2, "told by both handlers"
    )
    scene.record(2.0)
    assert scene.worker.ask("flush", ATTEMPT_S) == [False, False]
    scene.worker.ask("refuse_threads", False)
    scene.record()


def first_address_is_silent(scene: Scene) -> None:
    """Nothing answers at the broker's port of `::1`: the queue of its listener is full."""
    stack = ExitStack()
    scene.keep(stack)
    listener = stack.enter_context(socket.socket(socket.AF_INET6))
    listener.bind(("::1", scene.proxy.port))
    listener.listen(0)
    for _ in range(10):
        client = stack.enter_context(socket.socket(socket.AF_INET6))
        client.settimeout(ATTEMPT_S)
        if client.connect_ex(("::1", scene.proxy.port)) != 0:
            break
    else:
        raise AssertionError("everybody gets through")
    hosts: Path = scene.folder / "hosts"
    hosts.write_text("::1 broker.test\n127.0.0.1 broker.test\n")
    scene.under = (*OWN_HOSTS, str(hosts))


@scenario(
    "first address of the broker's name silent, cut three times",
    # Longer than the scenario may take: it is not waited for.
    handler={"host": "broker.test", "socket_timeout": 100},
    before=first_address_is_silent,
    lacks=lacks_own_hosts,
)
def silent_address(scene: Scene) -> None:
    for _ in range(3):
        scene.worker.wait_for_state("connected", STATE_S)
        scene.record(0.5)
        scene.proxy.cut()
    scene.record()


@scenario("children forked in threads whose function returns")
def forked_in_threads(scene: Scene) -> None:
    for _ in range(3):
        scene.record(0.3)
        assert scene.worker.ask("fork_in_thread", CHILD_CALLS) == 0
    scene.record()
