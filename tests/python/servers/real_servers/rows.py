"""The servers, how each is started, and what happens to it while it works."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.rabbitmq.ports import HOST

from .clients import Answered, Clients, ask, leave
from .ledger import Killed, Ledger
from .server import Server, module
from .told import Tasks, Told

WATCHED = "watched.py"
"""A source file beside the server, to be changed."""
QUIET = ("--log-level", "warning")


Traffic = Clients | Told


@dataclass(frozen=True)
class Place:
    """Where a row runs: ports of the server and of the broker, a folder for its files."""

    port: int
    broker_port: int
    folder: Path

    @property
    def answers(self) -> Path:
        """Where those tell of their answers who give none over HTTP."""
        return self.folder / "answers"


@dataclass
class Scene:
    """A row while it runs."""

    server: Server
    port: int
    clients: Traffic
    ledger: Ledger
    folder: Path


Event = Callable[[Scene], None]
# From (python, port) to a command line.
Command = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Row:
    """
    One server in one setting.

    Attributes:
        module: leads the paths.
        event: what happens under load; the load goes on before and after.
        requests: how many are sent before the event, and after it.
        ending: what the server is told to end with, the load still going on.
        expected: what it may print of itself that would be a complaint elsewhere.
        one_process: every record is to arrive through a `StreamHandler`, too.
        may_lose_last: what the server answers while it is ending may be missing.
        traffic: where the requests come from.
        quick: part of `make test`.
    """

    name: str
    command: Command
    module: str
    event: Event | None = None
    requests: int = 300
    ending: signal.Signals = signal.SIGTERM
    expected: str | None = None
    one_process: bool = False
    may_lose_last: bool = False
    quick: bool = False
    traffic: Callable[[Place], Traffic] = lambda place: Clients(place.port)


# --- What happens --------------------------------------------------------------------------


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


# --- How they are started ------------------------------------------------------------------


def gunicorn(*options: str, app: str = "wsgi:app") -> Command:
    """Gunicorn with two workers, unless the options say otherwise."""

    def command(python: str, port: int) -> list[str]:
        bind = ("--bind", f"{HOST}:{port}", "--no-control-socket")
        return module("gunicorn", app, *bind, "-w", "2", *QUIET, *options, python=python)

    return command


def uvicorn(*options: str) -> Command:
    """Uvicorn with one process, unless the options say otherwise."""

    def command(python: str, port: int) -> list[str]:
        bind = ("--host", HOST, "--port", str(port), "--no-access-log")
        return module("uvicorn", "asgi:app", *bind, *QUIET, *options, python=python)

    return command


def uwsgi(*options: str) -> Command:
    """UWSGI with two workers that are forked after the application is loaded."""

    def command(python: str, port: int) -> list[str]:
        folder = Path(python).parent
        return [
            str(folder / "uwsgi"),
            *("--virtualenv", str(folder.parent), "--wsgi", "wsgi:app"),
            *("--http-socket", f"{HOST}:{port}", "--listen", "64"),
            *("--master", "--processes", "2", "--need-app"),
            *("--disable-logging", "--buffer-size", "16384"),
            *options,
        ]

    return command


def celery(*options: str) -> Command:
    """Celery with a pool of forked processes."""

    def command(python: str, port: int) -> list[str]:
        pool = ("--pool", "prefork", "--concurrency", "3", "--loglevel", "WARNING")
        apart = ("--without-gossip", "--without-mingle")
        worker = ("-A", "tasks", "worker", *pool, *apart, *options)
        return module("celery", *worker, python=python)

    return command


def pools(how: str) -> Command:
    """A program of its own."""

    def command(python: str, port: int) -> list[str]:
        return [python, "-c", f"import pools; pools.main(pools.{how})"]

    return command


def told(place: Place) -> Told:
    """The program makes its requests itself."""
    return Told(place.answers)


def tasks(place: Place) -> Tasks:
    """Requests come through a queue."""
    return Tasks(place.answers, place.broker_port)


RECYCLE = ("--max-requests", "60", "--max-requests-jitter", "20")
THREADS = ("-k", "gthread", "--threads", "8")
GEVENT = ("-k", "gevent", "--worker-connections", "100")
UVICORN_WORKER = ("-k", "uvicorn_worker.UvicornWorker")
# What SIGTERM does: by itself uWSGI starts anew, cutting requests off.
CUT_OFF = ("--die-on-term",)
FINISH = ("--hook-master-start", "unix_signal:15 gracefully_kill_them_all")
THREADED = ("--threads", "8")
FORK_HOOKS = ("--py-call-osafterfork",)
# Gunicorn tells of its workers' ends.
KILLED = r"was sent SIGKILL|killed by signal 9"
CUT = r"Error handling request|Traceback"
OF_CELERY = (
    # It warns of root, and tells of a worker that is lost.
    r"superuser|security_error|SecurityWarning|SIGKILL|signal 9|WorkerLostError|Traceback|ERROR"
)
TIMED_OUT = (
    r"Traceback|WORKER TIMEOUT|was sent SIG(KILL|ABRT)|exited with code|Error handling request"
)

ROWS = [
    Row("gunicorn sync, workers recycled", gunicorn(*RECYCLE), "shop", quick=True),
    Row("gunicorn sync, --preload, recycled", gunicorn("--preload", *RECYCLE), "shop"),
    Row("gunicorn sync, SIGHUP", gunicorn(), "shop", replace_workers),
    Row("gunicorn sync, SIGQUIT", gunicorn(), "shop", ending=signal.SIGQUIT, expected=CUT),
    Row("gunicorn sync, worker killed", gunicorn(), "shop", kill_worker, expected=KILLED),
    Row(
        "gunicorn sync, worker timeout",
        gunicorn("--timeout", "2"),
        "shop",
        hang_worker,
        expected=TIMED_OUT,
    ),
    Row("gunicorn gthread", gunicorn(*THREADS, "-w", "1"), "shop", one_process=True, requests=600),
    Row("gunicorn gthread, recycled", gunicorn(*THREADS, *RECYCLE), "shop"),
    Row(
        "gunicorn gthread, --preload, recycled",
        gunicorn("--preload", *THREADS, *RECYCLE),
        "shop",
        quick=True,
    ),
    Row(
        "gunicorn gthread, worker killed",
        gunicorn("--preload", *THREADS),
        "shop",
        kill_worker,
        expected=KILLED,
        quick=True,
    ),
    Row("gunicorn gevent", gunicorn(*GEVENT, "-w", "1"), "shop", one_process=True, requests=600),
    Row("gunicorn gevent, recycled", gunicorn(*GEVENT, *RECYCLE), "shop", quick=True),
    Row("gunicorn gevent, --preload", gunicorn("--preload", *GEVENT), "shop", replace_workers),
    Row("uvicorn", uvicorn(), "asgi", one_process=True, requests=600),
    Row("uvicorn, clients leave", uvicorn("--loop", "asyncio"), "asgi", leave_streams, quick=True),
    Row("uvicorn, uvloop", uvicorn("--loop", "uvloop"), "asgi", leave_streams),
    Row("uvicorn --workers 2", uvicorn("--workers", "2"), "asgi"),
    Row(
        "uvicorn --reload",
        uvicorn("--reload", "--reload-dir", "."),
        "asgi",
        change_source,
        ending=signal.SIGTERM,
        expected=r"WatchFiles|StatReload|Reloading",
    ),
    Row(
        "gunicorn with uvicorn workers, recycled",
        gunicorn(*UVICORN_WORKER, *RECYCLE, app="asgi:app"),
        "asgi",
        quick=True,
    ),
    Row(
        "gunicorn with uvicorn workers, SIGHUP",
        gunicorn(*UVICORN_WORKER, app="asgi:app"),
        "asgi",
        replace_workers,
    ),
    Row(
        "celery prefork, recycled",
        celery("--max-tasks-per-child", "40"),
        "shop",
        traffic=tasks,
        quick=True,
        expected=OF_CELERY,
    ),
    Row(
        "celery prefork, worker killed",
        celery(),
        "shop",
        kill_worker,
        traffic=tasks,
        expected=OF_CELERY,
    ),
    Row("ThreadPoolExecutor", pools("threads"), "shop", traffic=told, one_process=True),
    Row(
        "asyncio.to_thread", pools("to_thread"), "pools", traffic=told, one_process=True, quick=True
    ),
    Row(
        "event loops in threads", pools("loops"), "asgi", traffic=told, one_process=True, quick=True
    ),
    Row("uvloop", pools("uvloop"), "asgi", traffic=told, one_process=True),
    Row("uWSGI, recycled", uwsgi(*FINISH, "--max-requests", "100"), "shop"),
    Row("uWSGI, cut off", uwsgi(*CUT_OFF), "shop"),
    Row("uWSGI, fork hooks, cut off", uwsgi(*CUT_OFF, "--enable-threads", *FORK_HOOKS), "shop"),
    Row("uWSGI threads", uwsgi(*FINISH, *THREADED), "shop", quick=True),
    Row("uWSGI threads, fork hooks", uwsgi(*FINISH, *THREADED, *FORK_HOOKS), "shop"),
    Row(
        "uWSGI threads, worker killed",
        uwsgi(*FINISH, *THREADED),
        "shop",
        kill_worker,
        expected=KILLED,
    ),
    Row("uWSGI threads, cut off", uwsgi(*CUT_OFF, *THREADED), "shop", may_lose_last=True),
]
