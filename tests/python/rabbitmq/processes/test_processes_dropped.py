"""Handlers, profilers and publishers that are dropped without being closed leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from programs import Program, expect
from receiver import Receiver

pytestmark = pytest.mark.every_version

WATCHED = """
    import ctypes, gc, weakref
    from phanos import messaging, metrics

    def threads():
        return len(os.listdir("/proc/self/task"))

    def sockets():
        found = 0
        for name in os.listdir("/proc/self/fd"):
            try:
                found += os.readlink("/proc/self/fd/" + name).startswith("socket:")
            except OSError:
                pass  # That of this very listing.
        return found

    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    class MallInfo2(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
            "fordblks", "keepcost",
        )]

    def memory():
        # What is in use, not what the process has: the allocator keeps what was freed, and how
        # much that is depends on how many connections happened to be open at the same time.
        about_malloc = ctypes.CDLL(None).mallinfo2
        about_malloc.restype = MallInfo2
        now = about_malloc()
        return now.uordblks + now.hblkhd
"""
DROPPED = (
    WATCHED
    + """
    def use():
        profiler = profiler_with(handler_to(PORT))
        counter = metrics.Counter("counter", "TEST", "units")
        profiler.add_metric(counter)

        @profiler.profile
        def work():
            counter.inc(1.0)

        for _ in range(10):
            work()
        return weakref.ref(profiler), weakref.ref(profiler.handlers["rabbit"]), weakref.ref(counter)

    before = threads(), descriptors()
    for round in range(51):
        references = use()
        gc.collect()
        assert [reference() for reference in references] == [None] * 3
        if round == 0:
            wait_until(lambda: threads() == before[0])
            first = memory()
    # The runtime's own thread as well, and its files.
    wait_until(lambda: (threads(), descriptors()) == before)
    # 20 KB for each that was dropped; a connection has 1 MB.
    assert memory() - first < 1_000_000, memory() - first
    """
)
CYCLES = (
    WATCHED
    + """
    def use():
        handler = handler_to(PORT)
        profiler = profiler_with(handler)
        handler.of = profiler
        profiler.before_func = lambda func, args, kwargs: profiler

        @profiler.profile
        def work():
            pass

        handler.function = work
        work()
        publisher = messaging.BlockingPublisher(port=PORT, exchange_name=EXCHANGE)
        publisher.of = publisher
        record = {"item": "A", "metric": "histogram", "units": "mS", "job": "TEST",
                  "method": "A:published", "labels": {}, "value": ("observe", 1.0)}
        assert publisher.publish([record])
        return [weakref.ref(each) for each in (profiler, handler, work, publisher)]

    before = threads(), descriptors()
    references = use()
    gc.collect()
    assert [reference() for reference in references] == [None] * 4
    wait_until(lambda: (threads(), descriptors()) == before)
    """
)
CLOSED = (
    WATCHED
    + """
    before = threads(), descriptors()
    one, other = handler_to(PORT, "one"), handler_to(PORT, "other")
    assert threads() == before[0]
    profiler = profiler_with(one, other)

    @profiler.profile
    def work():
        pass

    work()
    assert one.flush(20) and other.flush(20)
    shared = threads()
    handlers = [handler_to(PORT, f"more-{number}") for number in range(20)]
    for handler in handlers:
        profiler.add_handler(handler)
    work()
    assert all(handler.flush(20) for handler in handlers)
    # One runtime for all; whatever lapin adds for a connection, it is not a runtime each.
    assert threads() - shared <= len(handlers), (threads(), shared)
    for handler in (one, other, *handlers):
        assert handler.close()
    wait_until(lambda: (threads(), descriptors()) == before)
    # And once more, from the beginning.
    work()
    assert one.flush(20) and other.flush(20)
    """
)

CONNECTED = (
    WATCHED
    + """
    before = memory()
    handler = handler_to(PORT)
    profiler = profiler_with(handler)

    @profiler.profile
    def work():
        pass

    work()
    assert handler.flush(20)
    # With the largest frames that RabbitMQ takes it would be 8 MB.
    assert memory() - before < 2_500_000, memory() - before
    """
)


def test_without_closing(program: Callable[..., Program], received: Receiver) -> None:
    program(DROPPED).end_clean()
    expect(received, {"work": 2 * 10 * 51})


def test_an_open_connection_takes_little_memory(
    program: Callable[..., Program], received: Receiver
) -> None:
    program(CONNECTED).end_clean()
    expect(received, {"work": 1})


def test_in_cycles(program: Callable[..., Program], received: Receiver) -> None:
    program(CYCLES).end_clean()
    expect(received, {"work": 1, "published": 1})


def test_handlers_share_a_runtime_that_ends_with_them(
    program: Callable[..., Program], received: Receiver
) -> None:
    program(CLOSED).end_clean()
    expect(received, {"work": 2 + 22 + 22})
