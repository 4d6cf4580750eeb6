"""What happens to a server while it works."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .clients import Answered, Clients, ask, leave
from .ledger import Killed, Ledger
from .program_traffic import ProgramTraffic
from .server import Server

WATCHED = "watched.py"
"""A source file beside the server, to be changed."""
Traffic = Clients | ProgramTraffic


@dataclass
class Scene:
    """A row while it runs."""

    server: Server
    port: int
    clients: Traffic
    ledger: Ledger
    folder: Path


def kill_worker(scene: Scene) -> None:
    """As the kernel does when memory is short."""
    with scene.clients.log.changed:
        pid = scene.clients.log.answered[-1].pid
    assert pid != scene.server.pid
    scene.ledger.killed.append(Killed(pid, time.monotonic()))
    os.kill(pid, signal.SIGKILL)


def hang_worker(scene: Scene) -> None:
    """A request takes longer than the server allows."""
    ended = ask(scene.port, "/slow/{}/60.0", "hanging")
    assert not isinstance(ended, Answered), ended
    scene.ledger.extra["slow"] = 1
    scene.ledger.cut.add(ended.request)


def replace_workers(scene: Scene) -> None:
    """Gunicorn reads its configuration anew and starts workers anew."""
    with scene.clients.log.changed:
        old = {answer.pid for answer in scene.clients.log.answered[-50:]}
    scene.server.send(signal.SIGHUP)
    scene.clients.log.wait_for(
        lambda log: not old & {answer.pid for answer in log.answered[-50:]}, "workers replaced"
    )


def change_source(scene: Scene) -> None:
    """Whoever develops saves a file: the server starts anew by itself."""
    with scene.clients.log.changed:
        old = scene.clients.log.answered[-1].pid
    scene.clients.stop()
    (scene.folder / WATCHED).write_text("changed = True\n")
    pause = threading.Event()
    deadline = time.monotonic() + 30
    while True:
        ended = ask(scene.port, "/view/{}", f"reload-{time.monotonic_ns()}")
        scene.clients.log.add(ended)
        if isinstance(ended, Answered) and ended.pid != old:
            return
        assert time.monotonic() < deadline, scene.server.output
        pause.wait(0.05)


def leave_streams(scene: Scene) -> None:
    """Clients go away in the middle of an answer."""
    leavers = 20
    for number in range(leavers):
        leave(scene.port, f"leaving-{number}")
        scene.ledger.cut.add(f"leaving-{number}")
    scene.ledger.extra.update({"produce": leavers, "stream": leavers})
