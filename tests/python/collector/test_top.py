"""`phanos top`, once and in a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collecting import DEADLINE_S, Collector, LocalSender, record
from phanos.publisher import ImpProfHandler, Profiler

from tools.rabbitmq import Node

WIDTH, HEIGHT = 120, 20
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


def call(method: str, milliseconds: float, failed: bool = False) -> dict[str, object]:
    value = ["observe", milliseconds]
    return record("histogram", "mS", method, value, {"error_raised": failed})


RECORDS = [
    *[call("A:get.load.query", 1.0)] * 48,
    call("A:get.load", 60.0),
    call("A:get", 80.0),
    call("B:post.pay", 300.0, failed=True),
    call("B:post", 310.0, failed=True),
]


@pytest.fixture
def running(collector: Callable[..., Collector]) -> Collector:
    running = collector()
    with LocalSender(running.socket) as sender:
        sender.send("time_profiler", RECORDS)
        sender.flush()
    return running


def once(command: Path, *options: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
    said = subprocess.run(
        [str(command), "top", "--once", *options],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert said.returncode == expected, said.stderr
    return said


def paths(said: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split()[0] for line in said.stdout.splitlines()[2:]]


def test_the_table_is_printed_once(command: Path, running: Collector) -> None:
    url = f"http://127.0.0.1:{running.port}"
    said = once(command, url, "--window", "all", "--sort", "p95")
    assert paths(said) == ["B:post", "B:post.pay", "A:get", "A:get.load", "A:get.load.query"]
    head = said.stdout.splitlines()[0]
    assert "job JOB" in head
    assert "1 worker" in head
    query = said.stdout.splitlines()[-1].split()
    assert "48" in query
    assert "100 %" in next(line for line in said.stdout.splitlines() if "B:post.pay" in line)
    assert (
        paths(once(command, url, "--window", "all", "--sort", "per-root"))[0] == "A:get.load.query"
    )
    assert paths(once(command, url, "--window", "all", "--lines", "1")) == ["B:post"]
    assert paths(once(command, url, "--window", "all", "--search", "LOAD")) == [
        "A:get.load",
        "A:get.load.query",
    ]
    tree = once(command, url, "--window", "all", "--tree").stdout.splitlines()[2:]
    assert [line.split("  ")[0] for line in tree if not line.startswith(" ")] == ["B:post", "A:get"]
    assert any(line.startswith("    query ") for line in tree)


def test_without_calls_the_table_is_empty(
    command: Path, collector: Callable[..., Collector]
) -> None:
    said = once(command, f"http://127.0.0.1:{collector().port}")
    assert paths(said) == []
    assert "job -  window 300s  0 calls/s  0 workers" in said.stdout


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["http://127.0.0.1:1"], 1, "http://127.0.0.1:1: no collector answers"),
        (["https://x"], 1, "only http:// is spoken"),
        (["http://"], 1, "is no address such as http://127.0.0.1:9464"),
        (["--window", "soon"], 2, "is no window such as 5m"),
        (["--sort", "speed"], 2, "is none of total, self, calls"),
        (["--amqp-url", "amqp://x"], 1, "--once needs a collector"),
    ],
)
def test_what_is_wrong_is_one_line(command: Path, options: list[str], code: int, told: str) -> None:
    said = once(command, *options, expected=code)
    assert said.stderr.startswith("phanos top: error: ")
    assert told in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_without_a_terminal_it_says_so(command: Path, running: Collector) -> None:
    said = subprocess.run(
        [str(command), "top", f"http://127.0.0.1:{running.port}"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert said.returncode == 1
    assert "--once prints the table" in said.stderr


class Terminal:
    """A terminal in which `phanos top` runs, read as what was written last in each line."""

    def __init__(self, command: Path, *options: str) -> None:
        self._main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self.settings = termios.tcgetattr(other)
        self._other = other
        self.process = subprocess.Popen(
            [str(command), "top", *options],
            stdin=other,
            stdout=other,
            stderr=other,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        self._read = b""

    def press(self, keys: str) -> None:
        # Only what is drawn from now on counts.
        self._read = b""
        os.write(self._main, keys.encode())

    def wait_for(self, pattern: str) -> str:
        """Wait until the screen is drawn with this; return it without colours."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            readable, _, _ = select.select([self._main], [], [], 0.2)
            if readable:
                with contextlib.suppress(OSError):
                    self._read += os.read(self._main, 65536)
            # Each drawing begins at the top.
            for drawn in reversed(self._read.split(b"\x1b[H")):
                text = ESCAPES.sub(b"", drawn).decode(errors="replace").replace("\r\n", "\n")
                if re.search(pattern, text, re.MULTILINE | re.DOTALL):
                    return text
        raise AssertionError(f"{pattern} is not in {self._read[-4000:]!r}")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_S)
        os.close(self._main)
        os.close(self._other)

    def current_settings(self) -> list[object]:
        return list(termios.tcgetattr(self._other))


@pytest.fixture
def terminal(command: Path, running: Collector) -> Iterator[Terminal]:
    terminal = Terminal(command, f"http://127.0.0.1:{running.port}", "--window", "all")
    yield terminal
    terminal.close()


def test_it_is_live_and_driven_by_keys(terminal: Terminal, running: Collector) -> None:
    first = terminal.wait_for(r"total v\s+B:post .*q quit")
    assert len(first.splitlines()) <= HEIGHT
    with LocalSender(running.socket, "another") as sender:
        sender.send("time_profiler", [call("C:slow", 5000.0)])
        terminal.wait_for(r"total v\s+C:slow .*2 workers|2 workers.*total v\s+C:slow ")
    terminal.press("/")
    terminal.press("load\r")
    terminal.wait_for(r'search "load".*A:get\.load ')
    terminal.press("\x1b")
    terminal.wait_for(r"B:post ")
    terminal.press(",")
    terminal.wait_for(r"path \^.*A:get ")
    terminal.press("t")
    terminal.wait_for(r"^    query ")
    terminal.press("p")
    terminal.wait_for(r"PAUSED")
    terminal.press("q")
    assert terminal.process.wait(DEADLINE_S) == 0
    # As it was: echo, lines, signals.
    assert terminal.current_settings() == list(terminal.settings)


def test_a_collector_that_is_gone_is_told(terminal: Terminal, running: Collector) -> None:
    terminal.wait_for(r"B:post ")
    running.kill()
    terminal.wait_for(r"no collector answers.*B:post ")
    running.start()
    terminal.wait_for(r"no calls in this window")
    terminal.press("\x03")
    assert terminal.process.wait(DEADLINE_S) == 0


@pytest.mark.rabbitmq
@pytest.mark.timeout(300)
def test_a_broker_alone_is_enough(command: Path, tmp_path: Path) -> None:
    with Node(tmp_path / "broker") as node:
        url = f"amqp://guest:guest@127.0.0.1:{node.port}/%2f"
        terminal = Terminal(command, "--amqp-url", url)
        try:
            terminal.wait_for("no calls in this window")
            profiler = Profiler()
            profiler.config(job="JOB")
            handler = ImpProfHandler("rabbit", port=node.port)
            profiler.add_handler(handler)

            @profiler.profile
            def counted() -> None:
                pass

            counted()
            assert profiler.flush(DEADLINE_S)
            terminal.wait_for(r"job JOB.*:counted ")
            terminal.press("q")
            assert terminal.process.wait(DEADLINE_S) == 0
            handler.close()
        finally:
            terminal.close()
