"""The proxy does to a connection what its methods say."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from proxy import Proxy
from support import DEADLINE_S, wait_until

from tools.rabbitmq.ports import HOST

# How long nothing must arrive, where nothing may.
SILENCE_S = 0.1


@pytest.fixture
def echo() -> Iterator[int]:
    """Port of a server that sends back what it gets, and closes when its client does."""
    listener = socket.create_server((HOST, 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65_536):
                    connection.sendall(data)
            except ConnectionError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    """Stands before the echo, instead of a broker."""
    with Proxy(echo) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection through the proxy that has worked."""
    with connect(proxy) as client:
        assert echoed(client, b"first") == b"first"
        yield client


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=DEADLINE_S)


def first_byte(proxy: Proxy) -> bytes:
    """Connect and wait; a reset may come as early as during the first."""
    with connect(proxy) as client:
        return client.recv(1)


def echoed(client: socket.socket, data: bytes) -> bytes:
    """Send, and receive as much again."""
    client.sendall(data)
    answer = b""
    while len(answer) < len(data):
        part = client.recv(65_536)
        assert part, f"the connection ended after {len(answer)} of {len(data)} bytes"
        answer += part
    return answer


def test_forwards_and_passes_on_the_end(proxy: Proxy, client: socket.socket) -> None:
    data = bytes(range(256)) * 4_000
    sender = threading.Thread(target=client.sendall, args=(data[:-1],), daemon=True)
    sender.start()
    answer = b""
    while len(answer) < len(data) - 1:
        answer += client.recv(65_536)
    sender.join(DEADLINE_S)
    assert answer == data[:-1]
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    wait_until(lambda: proxy.open == 0, "the connection closed")
    assert proxy.accepted == 1


def test_cut_resets(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert proxy.open == 0
    with connect(proxy) as second:
        assert echoed(second, b"again") == b"again"


def test_cut_without_reset_ends_the_stream(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut(reset=False)
    assert client.recv(1) == b""
    assert proxy.open == 0


def test_refuse_spares_open_connections(proxy: Proxy, client: socket.socket) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError) as refused:
        connect(proxy)
    assert refused.value.errno == errno.ECONNREFUSED
    assert echoed(client, b"still") == b"still"
    proxy.forward()
    with connect(proxy) as second:
        assert echoed(second, b"again") == b"again"


def test_half_open_swallows(proxy: Proxy, client: socket.socket) -> None:
    proxy.half_open()
    client.sendall(b"lost")
    client.settimeout(SILENCE_S)
    with pytest.raises(TimeoutError):
        client.recv(1)
    with connect(proxy) as second:
        second.sendall(b"lost too")
        second.settimeout(SILENCE_S)
        with pytest.raises(TimeoutError):
            second.recv(1)
    # The second client has gone, and the proxy does not tell.
    assert proxy.open == 2
    proxy.cut()
    assert proxy.open == 0


def test_slow_delays_each_piece(proxy: Proxy, client: socket.socket) -> None:
    proxy.slow(latency_s=0.05)
    start = time.monotonic()
    assert echoed(client, b"x") == b"x"
    assert time.monotonic() - start >= 0.1, "not delayed both ways"


def test_slow_keeps_to_the_rate(proxy: Proxy, client: socket.socket) -> None:
    proxy.slow(bytes_per_s=20_000)
    start = time.monotonic()
    assert echoed(client, bytes(4_000)) == bytes(4_000)
    assert time.monotonic() - start >= 0.2
    proxy.forward()
    start = time.monotonic()
    assert echoed(client, bytes(400_000)) == bytes(400_000)
    assert time.monotonic() - start < 10, "it would take 20 s at that rate"


def test_nobody_behind_the_proxy(proxy: Proxy) -> None:
    proxy.refuse()
    with Proxy(proxy.port) as outer, pytest.raises(ConnectionResetError):
        first_byte(outer)
