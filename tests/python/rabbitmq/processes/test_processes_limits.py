"""A system that refuses threads, and a program that closes descriptors that are not its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from programs import Program, expect
from proxy import Proxy
from receiver import Receiver

pytestmark = pytest.mark.every_version

# As in a container that may have no more processes. The limit is one of users, and root has none.
LIMITED = """
    import asyncio, encodings.idna, logging, resource
    from phanos.publisher import AsyncImpProfHandler

    def limit(processes):
        _, most = resource.getrlimit(resource.RLIMIT_NPROC)
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, most))

    def become_limited():
        if os.getuid() == 0:
            os.setresuid(4094, 4094, 0)
        limit(1)
        try:
            threading.Thread(target=print).start()
        except RuntimeError:
            return
        raise AssertionError("a thread was started")

    def async_profiler(handler):
        profiler = Profiler()
        profiler.async_config(job="TEST", request_size_profile=False)
        profiler.add_handler(handler)
        return profiler

    lines = []

    class Lines(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    logging.getLogger().addHandler(Lines())
"""
NONE_AT_ALL = (
    LIMITED
    + """
    handler = AsyncImpProfHandler("rabbit", port=PORT, exchange_name=EXCHANGE)
    profiler = async_profiler(handler)

    @profiler.profile
    def leaf():
        pass

    @profiler.profile
    def root():
        leaf()

    asyncio.run(asyncio.sleep(0))
    become_limited()
    try:
        handler_to(PORT)
    except RuntimeError as error:
        assert str(error).startswith(
            "Cannot connect to RabbitMQ: cannot start the background thread of phanos: the system "
            "refuses a thread"
        ), error
    else:
        raise AssertionError("it cannot know whether the broker is there")
    for _ in range(10):
        root()
    assert not profiler.flush(0.2)
    assert not asyncio.run(profiler.aflush(0.2))
    assert not asyncio.run(handler.flush(0.2))
    assert profiler.curr_node.get() is profiler.tree.root
    stats = handler.stats()
    assert (stats["handed_over"], stats["queued"]) == (20, 20), stats
    assert "refuses a thread" in stats["last_error"]
    told = [line for line in lines if "records wait" in line]
    assert len(told) == 1 and told[0].startswith("rabbit - cannot start the background"), lines
    # Closed without a thread they are given up, and counted.
    closed = AsyncImpProfHandler("closed", port=PORT, exchange_name=EXCHANGE)
    lost = async_profiler(closed)
    lost.profile(lambda: None)()
    assert not asyncio.run(closed.close(0.1))
    assert closed.stats()["dropped"]["closed"] == 1, closed.stats()
    limit(1000)
    wait_until(lambda: root() or handler.stats()["state"] == "connected")
    assert asyncio.run(handler.flush(20)), handler.stats()
    print(handler.stats()["confirmed"], flush=True)
    """
)
NO_MORE = (
    LIMITED
    + """
    handler = handler_to(PORT)
    profiler = profiler_with(handler)

    @profiler.profile
    def own():
        pass

    own()
    assert handler.flush(20)
    become_limited()
    told("limited")
    own()
    assert not handler.flush(1)
    stats = handler.stats()
    assert stats["queued"] + stats["in_flight"] == 1, stats
    assert "refuses a thread" in stats["last_error"], stats
    limit(1000)
    own()
    assert handler.flush(20), handler.stats()
    assert not any("itself failed" in line for line in lines), lines
    """
)
DESCRIPTORS_CLOSED = """
    handler = handler_to(PORT)
    profiler = profiler_with(handler)

    @profiler.profile
    def own():
        pass

    own()
    assert handler.flush(20)
    os.closerange(3, 1000)
    own()
    # A flush may be cut off with the threads that it asked.
    wait_until(lambda: own() or handler.flush(1), 60)
    stats = handler.stats()
    assert stats["queued"] == stats["in_flight"] == sum(stats["dropped"].values()) == 0, stats
    print(stats["handed_over"], flush=True)
    """


def test_no_thread_at_all(program: Callable[..., Program], received: Receiver) -> None:
    running = program(NONE_AT_ALL)
    count = running.read_line()
    code, errors = running.end()
    assert (code, errors) == (0, ""), errors
    records = received.wait_for_records(int(count))
    assert {record["method"].partition(":")[2] for record in records} == {"root", "root.leaf"}


def test_no_thread_for_the_next_connection(
    program: Callable[..., Program], received: Receiver, proxy: Proxy
) -> None:
    running = program(NO_MORE, port=proxy.port)
    running.wait_for("limited")
    proxy.cut()
    running.go_on()
    code, errors = running.end()
    assert code == 0, errors
    assert "panicked" not in errors, errors
    expect(received, {"own": 3})


def test_descriptors_are_closed(program: Callable[..., Program], received: Receiver) -> None:
    running = program(DESCRIPTORS_CLOSED)
    count = running.read_line()
    code, errors = running.end()
    assert code == 0, errors
    assert "Traceback" not in errors, errors
    assert len(received.wait_for_records(int(count))) >= int(count)
