"""The end of the interpreter: what waits is delivered if it can be, and no program waits long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from programs import Program, expect, functions
from proxy import Proxy
from receiver import Receiver

from tools.rabbitmq import Node

pytestmark = pytest.mark.every_version

# What is promised, and what ending an interpreter takes on a busy machine.
EXIT_S = 15.0

DURING_DELIVERY = """
    profiler = profiler_with(handler_to(PORT))

    @profiler.profile
    def work():
        pass

    for _ in range(20_000):
        work()
    {end}
"""
ENDS = {
    "normal": ("", 0, ""),
    "sys.exit": ("sys.exit(3)", 3, ""),
    "exception": ("raise ValueError('mine')", 1, "ValueError: mine"),
    "exception in a call": ("profiler.profile(lambda: 1 / 0)()", 1, "ZeroDivisionError"),
}
HANDLER_GONE = """
    def main():
        profiler = profiler_with(handler_to(PORT))

        @profiler.profile
        def work():
            pass

        for _ in range(20_000):
            work()

    main()
"""
DAEMONS = """
    profiler = profiler_with(handler_to(PORT))
    started = threading.Semaphore(0)

    @profiler.profile
    def busy():
        pass

    @profiler.profile
    def work():
        pass

    def record():
        started.release()
        while True:
            busy()
            time.sleep(0.0005)

    for _ in range(3):
        threading.Thread(target=record, daemon=True).start()
        started.acquire()
    for _ in range(100):
        work()
"""
AT_EXIT = """
    profiler = profiler_with(handler_to(PORT))

    @profiler.profile
    def work():
        pass

    atexit.register(work)
"""
AFTER_OUR_EXIT = """
    import sys
    for name in [name for name in sys.modules if name.partition(".")[0] == "phanos"]:
        del sys.modules[name]

    def late():
        work()
        stats = profiler.handlers["rabbit"].stats()
        print(stats["dropped"]["closed"], stats["queued"], flush=True)

    atexit.register(late)
    import phanos
    from phanos.publisher import ImpProfHandler, Profiler

    profiler = profiler_with(handler_to(PORT))

    @profiler.profile
    def work():
        pass

    work()
"""
IN_TROUBLE = """
    one = profiler_with(handler_to(PORT))
    # Asked in the order in which they were made.
    other = profiler_with(handler_to(int(sys.argv[3]), "other"))

    @one.profile
    def stuck():
        pass

    @other.profile
    def fine():
        pass

    stuck()
    assert one.handlers["rabbit"].flush(20)
    told("connected")
    for _ in range(1000):
        stuck()
        fine()
    told("recorded")
"""


@pytest.mark.parametrize("end", ENDS)
def test_during_delivery(program: Callable[..., Program], received: Receiver, end: str) -> None:
    statement, code, last_words = ENDS[end]
    ended = program(DURING_DELIVERY.format(end=statement)).end()
    assert ended[0] == code, ended[1]
    assert last_words in ended[1]
    assert "phanos" not in ended[1].lower()
    received.wait_for_records(20_000)
    counts = functions(received.records)
    assert counts.pop("work") == 20_000
    assert sum(counts.values()) == ("in a call" in end)


def test_after_the_handler_is_gone(program: Callable[..., Program], received: Receiver) -> None:
    program(HANDLER_GONE).end_clean()
    expect(received, {"work": 20_000})


def test_with_daemon_threads_that_record(
    program: Callable[..., Program], received: Receiver
) -> None:
    code, errors = program(DAEMONS).end()
    assert code == 0, errors
    # Theirs, recorded after the last look.
    assert errors.count("\n") <= 1, errors
    assert "records dropped" in errors or not errors
    received.wait_for(
        lambda messages: functions([r for m in messages for r in m.records])["work"] == 100,
        "the records of the main thread",
    )
    assert set(functions(received.records)) == {"work", "busy"}


def test_functions_at_exit_that_run_before_ours(
    program: Callable[..., Program], received: Receiver
) -> None:
    program(AT_EXIT).end_clean()
    expect(received, {"work": 1})


def test_records_of_functions_that_run_after_ours_are_counted(
    program: Callable[..., Program], received: Receiver
) -> None:
    running = program(AFTER_OUR_EXIT)
    assert running.read_line() == "1 0\n"
    running.end_clean()
    expect(received, {"work": 1})


@contextmanager
def refused(proxy: Proxy, _: Node) -> Iterator[None]:
    """Connections are refused from now on."""
    proxy.refuse()
    proxy.cut()
    yield


@contextmanager
def half_open(proxy: Proxy, _: Node) -> Iterator[None]:
    """No answer comes from now on."""
    proxy.half_open()
    yield


@contextmanager
def blocked(_: Proxy, broker: Node) -> Iterator[None]:
    """The broker takes no messages."""
    broker.memory_alarm(True)
    try:
        yield
    finally:
        broker.memory_alarm(False)


@pytest.mark.parametrize("trouble", [refused, half_open, blocked])
def test_nobody_waits_for_a_broker_in_trouble(
    program: Callable[..., Program],
    broker: Node,
    proxy: Proxy,
    received: Receiver,
    trouble: Callable[[Proxy, Node], Iterator[None]],
) -> None:
    running = program(IN_TROUBLE, str(broker.port), port=proxy.port)
    running.wait_for("connected")
    with trouble(proxy, broker):
        running.go_on()
        running.wait_for("recorded")
        start = time.monotonic()
        running.go_on()
        code, errors = running.end()
        assert time.monotonic() - start < EXIT_S
    assert code == 0, errors
    # Words of warning, no traceback.
    assert all(line.startswith(("rabbit - ", "other - ")) for line in errors.splitlines()), errors
    if trouble is not blocked:
        received.wait_for_records(1001)
        assert functions(received.records)["fine"] == 1000
