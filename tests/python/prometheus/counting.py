"""Processes that count together, and what they serve."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from collecting import DEADLINE_S, Sample, samples_in, wait_until

HERE = Path(__file__).parent


class Place:
    """A port, and the folder in which the processes of a test find each other."""

    def __init__(self, port: int, runtime: Path) -> None:
        self.port = port
        self.runtime = runtime
        self.folder = runtime / f"127.0.0.1-{port}"
        self.arguments: dict[str, Any] = {
            "port": port,
            "runtime_directory": str(runtime),
            "zero_first_s": 0,
        }

    def get(self, path: str = "/metrics", accept: str = "text/plain") -> str:
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            body: bytes = answer.read()
        return body.decode()

    def is_served(self) -> bool:
        try:
            return "phanos_collector_" in self.get()
        except OSError:
            return False

    def wait_until_served(self) -> None:
        wait_until(self.is_served, f"no process serves port {self.port}")

    def samples(self) -> dict[Sample, float]:
        return dict(samples_in(self.get()))

    def calls(self) -> Counter[str]:
        """The calls that were counted, by method and `error_raised`."""
        return self._by_method("phanos_time_profiler_seconds_count")

    def items(self) -> Counter[str]:
        """What was added to the counter of the recorders, likewise."""
        return self._by_method("phanos_items_pieces_total")

    def _by_method(self, wanted: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for (name, pairs), value in self.samples().items():
            if name == wanted:
                labels = dict(pairs)
                method = labels["method"].rpartition(".")[2].rpartition(":")[2]
                key = f"{method}:{labels['error_raised']}"
                assert key not in found, f"{key} has two series: there is no label of processes"
                found[key] = int(value)
        return found

    def leader(self) -> int | None:
        """Return the id of the process that holds the lock, which the system's table tells."""
        try:
            inode = (self.folder / "leader").stat().st_ino
        except FileNotFoundError:
            return None
        for line in Path("/proc/locks").read_text().splitlines():
            found = re.search(r"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:(\d+)\s", line)
            if found and "->" not in line and int(found[2]) == inode:
                return int(found[1])
        return None

    def wait_for_leader(self, but: int | None = None) -> int:
        """Return the process that leads, once there is one and it is another than `but`."""
        wait_until(lambda: self.leader() not in (None, but), f"nobody but {but} leads")
        leader = self.leader()
        return self.wait_for_leader(but) if leader in (None, but) else leader


class Recorder:
    """A process that runs `recorder.py`."""

    def __init__(self, **arguments: Any) -> None:
        given = json.dumps(arguments)
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "recorder.py"), given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.pid = int(self._answer())
        except BaseException:
            self.close()
            raise

    def tell(self, *command: Any) -> None:
        """Give a command without waiting for its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def ask(self, *command: Any) -> Any:
        """Give a command and return its answer."""
        self.tell(*command)
        return self._answer()

    def answer(self) -> Any:
        """Return the answer to what was told."""
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"it has ended: {self._process.wait(DEADLINE_S)}"
        return json.loads(line)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(DEADLINE_S)

    def end(self) -> int:
        """Let the program run to its end; return the exit code."""
        self.tell("end")
        return self._process.wait(DEADLINE_S)

    def close(self) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def sum_of(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total


def open_files(pid: int) -> list[str]:
    """Return what the descriptors of a process lead to."""
    folder = Path(f"/proc/{pid}/fd")
    found = []
    for name in os.listdir(folder):
        try:
            found.append(os.readlink(folder / name))
        except FileNotFoundError:
            continue
    return found


def sockets_with_names() -> set[str]:
    """Return the sockets of all processes that have an address or a path, as `open_files` does."""
    tcp = [line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    local = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    with_path = [row[6] for row in local if len(row) > 7]
    return {f"socket:[{number}]" for number in (*tcp, *with_path)}


def thread_states(pid: int) -> set[str]:
    """Return what the system says of the threads of a process, as `R`, `S` or `T`."""
    files = [task / "stat" for task in Path(f"/proc/{pid}/task").iterdir()]
    return {file.read_text().rpartition(") ")[2].split()[0] for file in files}
