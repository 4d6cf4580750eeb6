"""The programs in examples/ run as a user runs them, and print the records they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.serving import request

EXAMPLES = Path(__file__).parents[3] / "examples"
DEADLINE_S = 20.0


def run(name: str) -> list[str]:
    """Run an example to its end; return the lines it printed."""
    finished = subprocess.run(
        [sys.executable, EXAMPLES / name],
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout.splitlines()


class Running:
    """A served example: its address, and the records it printed up to now."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.address = ""
        self.lines: list[str] = []
        self.changed = threading.Condition()
        self.readers = [
            threading.Thread(target=self.read_records, daemon=True),
            threading.Thread(target=self.read_log, daemon=True),
        ]
        for reader in self.readers:
            reader.start()

    def read_records(self) -> None:
        """Keep the records; the servers print lines of their own to standard output."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("profiler: "):
                with self.changed:
                    self.lines.append(line.rstrip("\n"))
                    self.changed.notify_all()

    def read_log(self) -> None:
        """Find the address in what the server logs on standard error."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(r"running on (http://127\.0\.0\.1:\d+)", line, re.IGNORECASE)
            if found is not None:
                with self.changed:
                    self.address = found[1]
                    self.changed.notify_all()

    def wait_for_address(self) -> None:
        """Block until the server listens."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.address, DEADLINE_S), "no address logged"

    def take_records(self, count: int) -> list[str]:
        """Block until that many were printed; return and forget them."""
        with self.changed:
            arrived = self.changed.wait_for(lambda: len(self.lines) >= count, DEADLINE_S)
            taken, self.lines = self.lines, []
        assert arrived, taken
        return taken


@contextmanager
def served(name: str) -> Iterator[Running]:
    """Run an example that serves until it is told to stop, on a port the system chooses."""
    with subprocess.Popen(
        [sys.executable, EXAMPLES / name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PORT": "0"},
    ) as process:
        running = Running(process)
        try:
            running.wait_for_address()
            yield running
        finally:
            process.terminate()
            process.wait(DEADLINE_S)
            for reader in running.readers:
                reader.join(DEADLINE_S)


def without_values(lines: list[str]) -> list[str]:
    """The lines with every number of milliseconds replaced."""
    return [re.sub(r"\d+\.\d+ mS", "N mS", line) for line in lines]


def time_line(method: str, error_raised: bool) -> str:
    """What StreamHandler writes for one call, its duration replaced."""
    return (
        f"profiler: time_profiler, method: {method}, value: N mS, "
        f"labels: error_raised={error_raised}"
    )


def size_line(method: str, size: int, error_raised: bool) -> str:
    """What StreamHandler writes for the result of a root call."""
    return (
        f"profiler: response_size, method: {method}, value: {float(size)} B, "
        f"labels: error_raised={error_raised}"
    )


def test_flask_app():
    with served("flask_app.py") as running:
        answer = request(f"{running.address}/basket/anna")
        assert answer.status == 200
        lines = without_values(running.take_records(4))
        result = {"basket": {"apple": 3, "pear": 1}, "total": 1.9}
        assert lines == [
            size_line("__main__:show_basket", sys.getsizeof(result), False),
            time_line("__main__:show_basket.load_basket", False),
            time_line("__main__:show_basket.total", False),
            time_line("__main__:show_basket", False),
        ]

        assert request(f"{running.address}/basket/unknown").status == 500
        assert without_values(running.take_records(3)) == [
            size_line("__main__:show_basket", 16, True),
            time_line("__main__:show_basket.load_basket", True),
            time_line("__main__:show_basket", True),
        ]


def test_fastapi_app():
    with served("fastapi_app.py") as running:
        answer = request(f"{running.address}/stock/apple")
        assert answer.text == '{"fruit":"apple","count":12,"language":"en"}'
        assert without_values(running.take_records(4)) == [
            time_line("__main__:language", False),
            time_line("__main__:stock.count", False),
            time_line("__main__:stock", False),
            time_line("__main__:note_question", False),
        ]

        assert request(f"{running.address}/stock/kiwi").status == 500
        assert without_values(running.take_records(3)) == [
            time_line("__main__:language", False),
            time_line("__main__:stock.count", True),
            time_line("__main__:stock", True),
        ]


def test_asyncio_app():
    assert run("asyncio_app.py") == [
        "6 letters",
        "time_profiler: 7 records, the slowest call was __main__:crawl",
    ]


def test_custom_metric():
    assert run("custom_metric.py") == [
        "profiler: bytes_read, method: __main__:load, value: 16.0 B, labels: kind=load",
        "profiler: bytes_read, method: __main__:load.parse, value: 6.0 B, labels: kind=parse",
        "profiler: bytes_read, method: __main__:load.parse, value: 8.0 B, labels: kind=parse",
        "profiler: outcome, method: __main__:load, value: loaded enum",
        "profiler: bytes_read, method: __main__:load, value: 0.0 B, labels: kind=load",
        "profiler: outcome, method: __main__:load, value: empty enum",
    ]
