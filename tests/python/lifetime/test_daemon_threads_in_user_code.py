"""Daemon threads inside hooks, handlers, finalizers and overridden steps at the end."""

from __future__ import annotations

import sys

import pytest
from support import output_of

PROGRAM = """
import io, logging, sys, threading
import phanos
from phanos import metrics, publisher

inside = threading.Event()
mode = sys.argv[1]

def stay(*_, **__):
    if threading.current_thread() is threading.main_thread():
        return []  # The end itself may come by here.
    inside.set()
    while True:
        threading.Event().wait(0.0005)

class Staying(publisher.SyncBaseHandler):
    def handle(self, records, profiler_name="profiler"):
        stay()

class Stream(io.StringIO):
    def write(self, text):
        stay()

class Log(logging.Handler):
    def handle(self, record):  # Unlike `emit`, without the lock that the end of logging takes.
        stay()

class Failing(publisher.SyncBaseHandler):
    def handle(self, records, profiler_name="profiler"):
        raise ValueError

class Metric(metrics.Counter):
    to_records = stay

profiler = phanos.profiler
profiler.config(job="TEST", response_size_profile=True)
handlers = {
    "handler": lambda: Staying("h"),
    "stream": lambda: publisher.StreamHandler("h", output=Stream()),
    "logger": lambda: publisher.LoggerHandler("h", logging.getLogger("staying")),
    "failure": lambda: Failing("h"),
}
ordinary = lambda: publisher.StreamHandler("h", output=io.StringIO())
profiler.logger = logging.getLogger("staying")
profiler.add_handler(handlers.get(mode, ordinary)())
if mode.endswith("_func"):
    setattr(profiler, mode, stay)
counter = (Metric if mode == "to_records" else metrics.Counter)("counter", "TEST", "units")
profiler.add_metric(counter)
if mode == "steps":
    profiler.measure_execution_start = stay
if mode in ("logger", "failure"):
    logging.getLogger("staying").addHandler(Log())
    logging.getLogger("staying").propagate = False
    logging.getLogger("staying").setLevel(logging.DEBUG)

@phanos.profile
def plain():
    counter.inc(1.0)

@phanos.profile
def generator():
    counter.inc(1.0)
    yield

def work():
    if sys.argv[2] == "plain":
        plain()
    else:
        list(generator())

threading.Thread(target=work, daemon=True).start()
assert inside.wait(10)
"""
MODES = (
    "handler",
    "stream",
    "logger",
    "failure",
    "to_records",
    "steps",
    "before_root_func",
    "before_func",
    "after_func",
    "after_root_func",
)


@pytest.mark.parametrize("kind", ["plain", "generator"])
@pytest.mark.parametrize("mode", MODES)
def test_the_end_is_clean(mode: str, kind: str) -> None:
    output_of(PROGRAM, mode, kind, timeout_s=20)


FINALIZERS = """
import asyncio, contextvars, sys, threading
import phanos
from phanos import publisher

inside = threading.Event()
variable = contextvars.ContextVar("variable")

class Final:
    def __del__(self):
        inside.set()
        while True:
            threading.Event().wait(0.0005)

class Handler(publisher.SyncBaseHandler):
    def handle(self, records, profiler_name="profiler"):
        pass

    @property
    def formatter(self):
        return None

    @formatter.setter
    def formatter(self, value):
        Final()

phanos.profiler.config(job="TEST")
handler = Handler("h")
phanos.profiler.add_handler(handler)

@phanos.profile
async def coroutine(argument):
    pass

@phanos.profile
def generator(argument=None):
    yield

@phanos.profile
def replace():
    variable.set(None)

@phanos.profile
async def replace_later():
    variable.set(None)

@phanos.profile
def replace_and_yield():
    variable.set(None)
    yield

def assign():
    handler.formatter = 1

def with_value(work):
    variable.set(Final())
    work()

works = {
    "ended": lambda: asyncio.run(coroutine(Final())),
    "closed": lambda: coroutine(Final()).close(),
    "generator": lambda: list(generator(argument=Final())),
    "setter": assign,
    "replaced": lambda: with_value(replace),
    "replaced by a coroutine": lambda: with_value(lambda: asyncio.run(replace_later())),
    "replaced by a generator": lambda: with_value(lambda: list(replace_and_yield())),
}
threading.Thread(target=works[sys.argv[1]], daemon=True).start()
assert inside.wait(10)
"""


FINAL_MODES = (
    "ended",
    "closed",
    "generator",
    "setter",
    "replaced",
    "replaced by a coroutine",
    "replaced by a generator",
)


@pytest.mark.parametrize(
    "mode",
    [
        mode
        for mode in FINAL_MODES
        # Where the loop itself runs a finalizer, CPython 3.14 hangs at the end without phanos, too.
        if not (mode == "replaced by a coroutine" and sys.version_info >= (3, 14))
    ],
)
def test_the_end_is_clean_in_finalizers_and_setters(mode: str) -> None:
    output_of(FINALIZERS, mode, timeout_s=20)
