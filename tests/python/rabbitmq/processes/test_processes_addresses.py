"""A broker's name that has several addresses, and other ones later."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from programs import Program, expect
from receiver import Receiver
from support import wait_until

from tools.rabbitmq import Node

pytestmark = pytest.mark.skipif(
    os.getuid() != 0, reason="only root gives a process an /etc/hosts of its own"
)

# A mount namespace of its own: the machine's names stay as they are.
HOSTS = """
    import ctypes, errno
    from phanos.publisher import AsyncImpProfHandler

    CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(CLONE_NEWNS) == 0
    assert libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
    assert libc.mount(sys.argv[3].encode(), b"/etc/hosts", None, MS_BIND, None) == 0
"""
DEAD_FIRST = (
    HOSTS
    + """
    # Longer than the test may take: it is not waited for.
    handler = handler_to(PORT, host="broker.test", socket_timeout=100, retry=1)
    profiler = profiler_with(handler)

    @profiler.profile
    def own():
        pass

    own()
    assert handler.flush(20), handler.stats()
    """
)
MOVES = (
    HOSTS
    + """
    handler = AsyncImpProfHandler(
        "rabbit", host="broker.test", port=PORT, exchange_name=EXCHANGE, socket_timeout=1
    )
    profiler = Profiler()
    profiler.async_config(job="TEST", request_size_profile=False)
    profiler.add_handler(handler)

    @profiler.profile
    def own():
        pass

    own()
    wait_until(lambda: handler.stats()["last_error"] is not None)
    told(handler.stats()["last_error"])
    assert handler._delivery.flush().wait(20), handler.stats()
    """
)


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    """What `/etc/hosts` is to the program."""
    return tmp_path / "hosts"


@pytest.fixture
def silent(broker: Node) -> Iterator[None]:
    """Nothing answers at the broker's port of `::1`: the queue of its listener is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_INET6))
        listener.bind(("::1", broker.port))
        listener.listen(0)

        def is_full() -> bool:
            client = stack.enter_context(socket.socket(socket.AF_INET6))
            client.settimeout(0.2)
            return client.connect_ex(("::1", broker.port)) != 0

        wait_until(is_full, "nobody gets through")
        yield


@pytest.mark.usefixtures("silent")
def test_one_that_does_not_answer_is_passed_over(
    program: Callable[..., Program], received: Receiver, hosts: Path
) -> None:
    hosts.write_text("::1 broker.test\n127.0.0.1 broker.test\n")
    program(DEAD_FIRST, str(hosts)).end_clean()
    expect(received, {"own": 1})


def test_a_name_is_looked_up_for_each_attempt(
    program: Callable[..., Program], received: Receiver, hosts: Path
) -> None:
    hosts.write_text("127.0.0.9 broker.test\n127.0.0.10 broker.test\n")
    running = program(MOVES, str(hosts))
    said = running.read_line()
    assert "127.0.0.9:" in said, said
    assert "127.0.0.10:" in said, said
    hosts.write_text("127.0.0.1 broker.test\n")
    running.go_on()
    code, errors = running.end()
    assert code == 0, errors
    expect(received, {"own": 1})
