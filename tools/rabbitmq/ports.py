"""Ports for listeners that must come back on the same one after a restart."""

from __future__ import annotations

import random
import socket
from pathlib import Path

HOST = "127.0.0.1"
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 15_000
ATTEMPTS = 200


def free_ports(count: int) -> list[int]:
    """
    Return different ports of the loopback interface that no process listens on.

    They lie below those that the system gives to outgoing connections: while a listener is
    away, no other program comes to its port by accident. Raises `OSError` if none can be found.
    """
    highest = int(EPHEMERAL.read_text().split()[0]) if EPHEMERAL.exists() else 32_768
    # Not affected by tests that seed `random` to be reproducible.
    candidates = random.SystemRandom().sample(range(LOWEST, highest), ATTEMPTS)
    found = [port for port in candidates if is_free(port)][:count]
    if len(found) < count:
        raise OSError(f"fewer than {count} free ports between {LOWEST} and {highest}")
    return found


def is_free(port: int) -> bool:
    """Whether one could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
