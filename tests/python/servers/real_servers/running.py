"""Runs one row: the server, the clients, what happens, the end, and the count."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from receiver import Receiver

from tools.rabbitmq.ports import free_ports

from .events import WATCHED, Scene
from .ledger import Ledger, lines_of
from .rows import Place, Row
from .server import Server

COMPLAINT = re.compile(
    r"warning|traceback|error|critical|panick|fatal|segfault|killed|signal|timeout|deprecat",
    re.IGNORECASE,
)
# UWSGI tells of its own settings and life in words that are no complaints.
OF_UWSGI = re.compile(
    r"^\*\*\*|^-{3}|uWSGI|mapped|WSGI app 0|detected|Python (main|version|threads)|SIGINT"
    r"|gateway|goodbye|signal-|master-start|root|DAMN.*(exit|code)|buried|spawned|Respawned|setgid"
)


@dataclass
class Outcome:
    """What a row came to."""

    row: Row
    ledger: Ledger
    stopped_s: float
    dropped: int
    complaints: list[str]
    lines: int | None

    def check(self) -> None:
        """Fail unless the server never noticed that it was profiled."""
        self.ledger.check()
        assert self.row.may_drop or not self.dropped, f"{self.dropped} requests dropped"
        assert not self.complaints, self.complaints
        assert self.stopped_s < self.row.stops_within_s, self.stopped_s
        if self.lines is not None:
            arrived = self.ledger.arrived + self.ledger.beforehand
            assert self.lines == arrived, (self.lines, arrived)


def run(row: Row, folder: Path, broker_port: int, python: str = sys.executable) -> Outcome:
    """Run a row with the phanos that `python` has; raises `AssertionError` if it hangs."""
    (port,) = free_ports(1)
    lines = folder / "lines"
    place = Place(port, broker_port, folder)
    environment = {"BROKER_PORT": str(broker_port), "ANSWERS": str(place.answers)}
    if row.one_process:
        environment["LINES"] = str(lines)
    (folder / WATCHED).touch()
    ledger = Ledger(row.module)
    with Receiver(broker_port) as receiver:
        with Server(row.command(python, port), folder, environment) as server:
            clients = row.traffic(place)
            server.wait_until(clients.ready)
            with clients:
                clients.log.wait_for_answers(row.requests)
                if row.event is not None:
                    row.event(Scene(server, port, clients, ledger, folder))
                if row.event is None or clients.sending:
                    clients.log.wait_for_answers(row.requests)
                server.assert_no_zombies()
                server.stop(row.ending)
            ledger.note(clients.log)
            if row.may_lose_last:
                ledger.losable_from = server.stopping_at
            output = server.output
        ledger.receive(receiver, broker_port)
    dropped = [failed for failed in ledger.failed if failed.at < server.stopping_at]
    return Outcome(
        row,
        ledger,
        server.stopped_s,
        len(dropped),
        complaints(output, row.expected),
        lines_of(lines.read_text(), row.module).total() if row.one_process else None,
    )


def complaints(output: str, expected: str | None) -> list[str]:
    """Lines that a server should not have had to print."""
    return [
        line
        for line in output.splitlines()
        if COMPLAINT.search(line)
        and not OF_UWSGI.search(line)
        and not (expected and re.search(expected, line))
    ]
