"""Ports for listeners that must come back on the same one after a restart."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

HOST = "127.0.0.1"
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 15_000
ATTEMPTS = 200
RESERVED = Path(tempfile.gettempdir()) / f"phanos-test-ports-{os.getuid()}"

_reservations: list[int] = []
"""Open files, each locked for as long as this process lives."""


def free_ports(count: int) -> list[int]:
    """
    Return different ports of the loopback interface that no process listens on.

    They lie below those that the system gives to outgoing connections: while a listener is
    away, no other program comes to its port by accident. No other process gets them from here
    while this one lives. Raises `OSError` if none can be found.
    """
    highest = int(EPHEMERAL.read_text().split()[0]) if EPHEMERAL.exists() else 32_768
    # Not affected by tests that seed `random` to be reproducible.
    candidates = random.SystemRandom().sample(range(LOWEST, highest), ATTEMPTS)
    found: list[int] = []
    for port in candidates:
        if len(found) == count:
            return found
        if is_free(port) and _reserve(port):
            found.append(port)
    raise OSError(f"fewer than {count} free ports between {LOWEST} and {highest}")


def _reserve(port: int) -> bool:
    RESERVED.mkdir(mode=0o700, exist_ok=True)
    file = os.open(RESERVED / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _reservations.append(file)
        return True
    os.close(file)
    return False


def is_free(port: int) -> bool:
    """Whether one could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
