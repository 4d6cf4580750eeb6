"""A TCP proxy between a client and the broker that can be told to misbehave like a network."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from tools.rabbitmq.ports import HOST, free_ports

DEADLINE_S = 10.0
CHUNK_BYTES = 65_536
# Closing a socket that lingers for 0 s sends RST instead of FIN.
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Behaviour:
    """What happens to bytes on their way, in both directions alike."""

    swallow: bool = False
    latency_s: float = 0.0
    bytes_per_s: float | None = None


class Proxy:
    """
    Forwards connections to `port` of the loopback interface from a port of its own.

    Every method may be called from any thread, and returns when what it says has happened.
    """

    def __init__(self, port: int) -> None:
        self.port = free_ports(1)[0]
        self.accepted = 0
        self._last_forwarded: int | None = None
        self._target = port
        self._behaviour = Behaviour()
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._links: dict[asyncio.Task[None], Link] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self.forward()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), f"the proxy's thread runs after {DEADLINE_S} s"
        self._loop.close()

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._links)

    def forward(self) -> None:
        """Let new connections in, and pass on everything at once."""
        self._behaviour = Behaviour()
        self._run(self._listen())

    def lead_to(self, port: int) -> None:
        """Forward connections that are made from now on to another port."""
        self._target = port

    def slow(self, *, latency_s: float = 0.0, bytes_per_s: float | None = None) -> None:
        """Pass on what is sent at one time after `latency_s`, and at no higher rate than this."""
        self._behaviour = Behaviour(latency_s=latency_s, bytes_per_s=bytes_per_s)

    def half_open(self) -> None:
        """
        Swallow everything, the ends of connections included, while connections stay open.

        A connection that has lost bytes is beyond repair: `cut` it before `forward`.
        """
        self._behaviour = Behaviour(swallow=True)

    def half_open_after_next(self) -> None:
        """Do that as soon as one more connection was let in, and another one comes."""
        self._last_forwarded = self.accepted + 1

    def refuse(self) -> None:
        """Refuse new connections; open ones stay."""
        self._run(self._stop_listening())

    def cut(self, *, reset: bool = True) -> None:
        """End every open connection on both sides: by RST, or by FIN as if a peer closed it."""
        self._run(self._cut(reset))

    def _run(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(DEADLINE_S)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((HOST, self.port))
            self._listener.setblocking(False)
            self._accepting = self._loop.create_task(self._accept(self._listener))

    async def _stop_listening(self) -> None:
        if self._listener is not None and self._accepting is not None:
            await ended(self._accepting)
            self._listener.close()
            self._listener = None

    async def _cut(self, reset: bool) -> None:
        for task, link in list(self._links.items()):
            link.reset = reset
            await ended(task)
            # A task that is cancelled before it began closes nothing.
            link.close()

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = await self._loop.sock_accept(listener)
            client.setblocking(False)
            self.accepted += 1
            if self._last_forwarded is not None and self.accepted > self._last_forwarded:
                self._last_forwarded = None
                self.half_open()
            link = Link(self, client)
            task = self._loop.create_task(link.run())
            self._links[task] = link
            task.add_done_callback(self._links.pop)


class Link:
    """One connection: a socket to the client and one to the broker."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self.reset = False
        self._proxy = proxy
        self._client = client
        self._broker = socket.socket()
        self._broker.setblocking(False)

    async def run(self) -> None:
        """Forward both ways until both are at their end or one fails."""
        proxy = self._proxy
        pumps: list[asyncio.Task[None]] = []
        try:
            await proxy._loop.sock_connect(self._broker, (HOST, proxy._target))
            ways = [(self._client, self._broker), (self._broker, self._client)]
            pumps = [proxy._loop.create_task(self._pump(*way)) for way in ways]
            await asyncio.gather(*pumps)
        except OSError:
            self.reset = True
        finally:
            # First, since the loop would take the next socket of that number for this one.
            for pump in pumps:
                await ended(pump)
            self.close()

    def close(self) -> None:
        """Close both sockets, if they are open."""
        for end in (self._client, self._broker):
            if end.fileno() >= 0:
                self._close(end)

    async def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        loop = self._proxy._loop
        while data := await loop.sock_recv(source, CHUNK_BYTES):
            behaviour = self._proxy._behaviour
            if behaviour.swallow:
                continue
            await asyncio.sleep(behaviour.latency_s)
            if behaviour.bytes_per_s is None:
                await loop.sock_sendall(sink, data)
            else:
                await self._trickle(sink, data, behaviour.bytes_per_s)
        if self._proxy._behaviour.swallow:
            # Neither side learns that the other has gone; only `cut` ends it.
            await asyncio.get_running_loop().create_future()
        sink.shutdown(socket.SHUT_WR)

    async def _trickle(self, sink: socket.socket, data: bytes, bytes_per_s: float) -> None:
        piece = max(1, int(bytes_per_s / 100))
        for start in range(0, len(data), piece):
            part = data[start : start + piece]
            await asyncio.sleep(len(part) / bytes_per_s)
            await self._proxy._loop.sock_sendall(sink, part)

    def _close(self, end: socket.socket) -> None:
        if self.reset:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        else:
            try:
                # First, since `close` sends RST if something was not read.
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                self.reset = False
        end.close()


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.wait([task])
