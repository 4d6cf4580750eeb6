"""How the servers are started: from an interpreter and a port to a command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tools.rabbitmq.ports import HOST

from .server import module

Command = Callable[[str, int], list[str]]

QUIET = ("--log-level", "warning")
RECYCLE = ("--max-requests", "60", "--max-requests-jitter", "20")
THREADS = ("-k", "gthread", "--threads", "8")
GEVENT = ("-k", "gevent", "--worker-connections", "100")
UVICORN_WORKER = ("-k", "uvicorn_worker.UvicornWorker")
# What SIGTERM does: by itself uWSGI starts anew, cutting requests off.
CUT_OFF = ("--die-on-term",)
FINISH = ("--hook-master-start", "unix_signal:15 gracefully_kill_them_all")
THREADED = ("--threads", "8")
FORK_HOOKS = ("--py-call-osafterfork",)


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
