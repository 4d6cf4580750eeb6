"""The servers, each in a setting of its own, and what happens to it under load."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .clients import Clients
from .commands import (
    CUT_OFF,
    FINISH,
    FORK_HOOKS,
    GEVENT,
    RECYCLE,
    THREADED,
    THREADS,
    UVICORN_WORKER,
    Command,
    celery,
    gunicorn,
    pools,
    uvicorn,
    uwsgi,
)
from .events import (
    Scene,
    Traffic,
    change_source,
    hang_worker,
    kill_worker,
    leave_streams,
    replace_workers,
)
from .program_traffic import ProgramTraffic, Tasks

Event = Callable[[Scene], None]


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
        may_drop: the server itself drops requests when that happens, profiled or not.
        stops_within_s: seconds until it has ended.
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
    may_drop: bool = False
    may_lose_last: bool = False
    stops_within_s: float = 5.0
    quick: bool = False
    traffic: Callable[[Place], Traffic] = lambda place: Clients(place.port)


def own_requests(place: Place) -> ProgramTraffic:
    """The program makes its requests itself."""
    return ProgramTraffic(place.answers)


def tasks(place: Place) -> Tasks:
    """Requests come through a queue."""
    return Tasks(place.answers, place.broker_port)


# Gunicorn tells of its workers' ends.
KILLED = r"was sent SIGKILL|killed by signal 9"
CUT = r"Error handling request|Traceback"
# It warns of root.
OF_CELERY = r"superuser|security_error|SecurityWarning"
TIMED_OUT = (
    r"Traceback|WORKER TIMEOUT|was sent SIG(KILL|ABRT)|exited with code|Error handling request"
)

ROWS = [
    Row("gunicorn sync, workers recycled", gunicorn(*RECYCLE), "shop", quick=True),
    Row("gunicorn sync, --preload, recycled", gunicorn("--preload", *RECYCLE), "shop"),
    Row("gunicorn sync, SIGHUP", gunicorn(), "shop", replace_workers),
    Row("gunicorn sync, SIGQUIT", gunicorn(), "shop", ending=signal.SIGQUIT, expected=CUT),
    Row(
        "gunicorn sync, worker killed",
        gunicorn(),
        "shop",
        kill_worker,
        expected=KILLED,
        may_drop=True,
    ),
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
        may_drop=True,
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
        may_drop=True,
        expected=r"WatchFiles|StatReload|Reloading",
    ),
    Row(
        "gunicorn with uvicorn workers, recycled",
        gunicorn(*UVICORN_WORKER, *RECYCLE, app="asgi:app"),
        "asgi",
        may_drop=True,
        quick=True,
    ),
    Row(
        "gunicorn with uvicorn workers, SIGHUP",
        gunicorn(*UVICORN_WORKER, app="asgi:app"),
        "asgi",
        replace_workers,
        may_drop=True,
    ),
    Row(
        "celery prefork, recycled",
        celery("--max-tasks-per-child", "40"),
        "shop",
        traffic=tasks,
        # A process of billiard's pool that has done its 40 waits 30 s for its results to be read,
        # which nothing does any more if the worker ends just then.
        stops_within_s=40.0,
        quick=True,
        expected=OF_CELERY,
    ),
    Row("ThreadPoolExecutor", pools("threads"), "shop", traffic=own_requests, one_process=True),
    Row(
        "asyncio.to_thread",
        pools("to_thread"),
        "pools",
        traffic=own_requests,
        one_process=True,
        quick=True,
    ),
    Row(
        "event loops in threads",
        pools("loops"),
        "asgi",
        traffic=own_requests,
        one_process=True,
        quick=True,
    ),
    Row("uvloop", pools("uvloop"), "asgi", traffic=own_requests, one_process=True),
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
        may_drop=True,
    ),
    Row("uWSGI threads, cut off", uwsgi(*CUT_OFF, *THREADED), "shop", may_lose_last=True),
]
