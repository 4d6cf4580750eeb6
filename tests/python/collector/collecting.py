"""A `phanos collect` of a test, and senders to its socket."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[3]
# On a busy machine; what is waited for takes milliseconds.
DEADLINE_S = 60.0
SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
Sample = tuple[str, tuple[tuple[str, str], ...]]


def built_command() -> Path:
    """Return the command without Python, compiled; `PHANOS_COMMAND` names another one."""
    if given := os.environ.get("PHANOS_COMMAND"):
        return Path(given)
    package = ["--package", "phanos-collector"]
    subprocess.run(["cargo", "build", "--locked", "--quiet", *package], cwd=PROJECT, check=True)
    return PROJECT / "target" / "debug" / "phanos"


def free_port() -> int:
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Collector:
    """A process that can be killed and started again."""

    def __init__(
        self,
        command: Path,
        folder: Path,
        *options: str,
        trusted: Path | None = None,
        token: str | None = None,
    ) -> None:
        self.folder = folder
        self._token = {} if token is None else {"Authorization": f"Bearer {token}"}
        # The authority of its certificate, if it serves by https.
        self._trusted = trusted
        self.port = free_port()
        self.socket = folder / "run" / "socket"
        self._log = folder / "collector.log"
        self._command = [
            str(command),
            "collect",
            *("--listen", f"127.0.0.1:{self.port}"),
            *("--listen-socket", str(self.socket)),
            *("--zero-first", "0"),
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_until(self.is_up, f"no collector: {self.log()}")

    def is_up(self) -> bool:
        try:
            return "phanos_collector_" in self.page()
        except OSError:
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            return False

    def page(self, accept: str = "text/plain") -> str:
        """Return the page in a format."""
        scheme = "https" if self._trusted else "http"
        context = ssl.create_default_context(cafile=self._trusted) if self._trusted else None
        url = f"{scheme}://127.0.0.1:{self.port}/metrics"
        request = urllib.request.Request(url, headers={"Accept": accept, **self._token})
        with urllib.request.urlopen(request, timeout=DEADLINE_S, context=context) as answer:
            body: bytes = answer.read()
        return body.decode()

    def samples(self) -> dict[Sample, float]:
        return dict(samples_in(self.page()))

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of that name with those labels."""
        wanted = labels.items()
        found = self.samples().items()
        return sum(value for (own, pairs), value in found if own == name and wanted <= set(pairs))

    def wait_for(self, name: str, expected: float, **labels: str) -> None:
        def is_there() -> bool:
            return self.value(name, **labels) >= expected

        wait_until(is_there, lambda: f"{name}: {self.value(name, **labels)} of {expected}")
        assert self.value(name, **labels) == expected

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.ended()

    def ended(self) -> int:
        """Wait for the end and return the exit code."""
        assert self._process is not None
        return self._process.wait(DEADLINE_S)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""


def wait_until(is_true: Any, complaint: Any) -> None:
    """Wait for a condition; `complaint` is text, or gives it."""
    end = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < end, complaint() if callable(complaint) else complaint
        time.sleep(0.02)


def samples_in(page: str) -> Iterator[tuple[Sample, float]]:
    for line in page.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match, line
        pairs = tuple(LABEL.findall(match["labels"] or ""))
        yield (match["name"], pairs), float(match["value"])


def record(
    kind: str, units: str, method: str, value: list[Any], labels: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "item": method.split(":")[0],
        "metric": kind,
        "units": units,
        "job": "JOB",
        "method": method,
        "labels": labels or {},
        "value": value,
    }


@contextlib.contextmanager
def collectors(command: Path, folder: Path) -> Iterator[Callable[..., Collector]]:
    """Start collectors with options; they end with the context."""
    started: list[Collector] = []

    def start(*options: str, **client: Any) -> Collector:
        collector = Collector(command, folder, *options, **client)
        started.append(collector)
        collector.start()
        return collector

    yield start
    for one in started:
        one.close()


class LocalSender:
    """Speaks the frames of `crates/delivery/src/local/frame.rs`, written anew from their table."""

    def __init__(self, path: Path, worker: str = "worker") -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(DEADLINE_S)
        self._socket.connect(str(path))
        self._worker = worker
        self._number = 0
        self._send(1, b"phanos" + struct.pack("<H", 1))

    def _send(self, kind: int, payload: bytes) -> None:
        self._socket.sendall(struct.pack("<IB", len(payload) + 1, kind) + payload)

    def _text(self, text: str) -> bytes:
        encoded = text.encode()
        return struct.pack("<H", len(encoded)) + encoded

    def send(self, metric: str, records: Iterable[dict[str, Any]]) -> None:
        """Send one message."""
        self._number += 1
        body = json.dumps(list(records), separators=(",", ":")).encode()
        texts = b"".join(self._text(text) for text in (self._worker, metric, "JOB"))
        self._send(2, struct.pack("<QQ", self._number, 1) + texts + body)

    def flush(self) -> None:
        """Return when everything sent so far is stored."""
        self._send(3, b"")
        while self._next_reply() != ("stored", self._number):
            pass

    def _next_reply(self) -> tuple[str, int]:
        length, kind = struct.unpack("<IB", self._exactly(5))
        payload = self._exactly(length - 1)
        if kind == 4:
            return "welcome", 0
        assert kind == 5, payload
        return "stored", int(struct.unpack("<Q", payload)[0])

    def _exactly(self, size: int) -> bytes:
        read = b""
        while len(read) < size:
            piece = self._socket.recv(size - len(read))
            assert piece, "the collector has closed the connection"
            read += piece
        return read

    def __enter__(self) -> LocalSender:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
