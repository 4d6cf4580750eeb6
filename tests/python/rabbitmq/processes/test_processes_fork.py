"""`os.fork` with RabbitMQ: a child delivers its own records, its parent's go out once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from programs import Program, expect
from proxy import Proxy
from receiver import Receiver
from support import wait_until

pytestmark = pytest.mark.every_version

CHILDREN = """
    profiler = profiler_with(handler_to(PORT))

    @profiler.profile
    def own():
        pass

    def children(count, body):
        pids = []
        for _ in range(count):
            pid = os.fork()
            if pid == 0:
                body()
                sys.exit(0)
            pids.append(pid)
        for pid in pids:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""
IN_MID_CALL = (
    CHILDREN
    + """
    @profiler.profile
    def before():
        pass

    @profiler.profile
    def root(depth):
        before()
        pid = os.fork()
        if pid == 0:
            own()
            if depth > 1:
                root(depth - 1)
            return False
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        return True

    root(3)
    """
)
IN_MID_DELIVERY = (
    CHILDREN
    + """
    @profiler.profile
    def many():
        pass

    def ten():
        for _ in range(10):
            own()

    for _ in range(8):
        for _ in range(2000):
            many()
        children(2, ten)
    """
)
BESIDE_RECORDING_THREADS = (
    CHILDREN
    + """
    @profiler.profile
    def many():
        pass

    stopping = threading.Event()
    counts = []

    def record():
        count = 0
        while not stopping.is_set():
            many()
            count += 1
        counts.append(count)

    def flushed():
        own()
        assert profiler.handlers["rabbit"].flush(20)
        os._exit(0)

    threads = [threading.Thread(target=record) for _ in range(3)]
    for thread in threads:
        thread.start()
    forking = threading.Thread(target=lambda: children(20, flushed))
    forking.start()
    forking.join()
    stopping.set()
    for thread in threads:
        thread.join()
    print(sum(counts), flush=True)
    """
)
IN_PROBE = (
    CHILDREN
    + """
    def probe():
        try:
            handler_to(int(sys.argv[3]), stack_timeout=2, retry=1)
        except RuntimeError:
            pass

    thread = threading.Thread(target=probe)
    thread.start()
    told("probing")
    children(3, own)
    thread.join()
    own()
    """
)
IN_FLUSH = (
    CHILDREN
    + """
    import signal

    parent = os.getpid()
    main = threading.main_thread().ident

    def fork(*_):
        if os.fork() == 0:
            own()

    def in_flush():
        frame = sys._current_frames()[main]
        while frame is not None and frame.f_code.co_name != "flush":
            frame = frame.f_back
        return frame is not None

    def interrupt():
        wait_until(in_flush)
        signal.pthread_kill(main, signal.SIGUSR1)

    own()
    assert profiler.handlers["rabbit"].flush(20)
    signal.signal(signal.SIGUSR1, fork)
    told("connected")
    own()
    thread = threading.Thread(target=interrupt)
    thread.start()
    flushed = profiler.handlers["rabbit"].flush(2.0)
    if os.getpid() != parent:
        assert not flushed
        told("flushed without success")
        assert profiler.handlers["rabbit"].flush(20)
        sys.exit(0)
    thread.join()
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    assert profiler.handlers["rabbit"].flush(20)
    """
)
BROKER_DOWN = (
    CHILDREN
    + """
    own()
    assert profiler.handlers["rabbit"].flush(20)
    told("connected")
    for _ in range(1000):
        own()
    start = time.monotonic()
    children(3, own)
    assert time.monotonic() - start < 15
    """
)


def test_in_mid_call(program: Callable[..., Program], received: Receiver) -> None:
    program(IN_MID_CALL).end_clean()
    # Three children, each of the one before; each ends the calls that it was forked in.
    expect(
        received,
        {
            "root.before": 1,
            "root.own": 1,
            "root": 4,
            "root.root.before": 1,
            "root.root.own": 1,
            "root.root": 3,
            "root.root.root.before": 1,
            "root.root.root.own": 1,
            "root.root.root": 2,
        },
    )


def test_in_mid_delivery(program: Callable[..., Program], received: Receiver) -> None:
    program(IN_MID_DELIVERY).end_clean()
    expect(received, {"many": 16000, "own": 160})


def test_beside_recording_threads(program: Callable[..., Program], received: Receiver) -> None:
    running = program(BESIDE_RECORDING_THREADS)
    count = int(running.read_line())
    running.end_clean()
    expect(received, {"many": count, "own": 20})


def test_during_a_probe_in_another_thread(
    program: Callable[..., Program], received: Receiver, proxy: Proxy
) -> None:
    proxy.half_open()
    running = program(IN_PROBE, str(proxy.port))
    running.wait_for("probing")
    wait_until(lambda: proxy.accepted > 0, "the probe connects")
    running.go_on()
    code, errors = running.end()
    assert code == 0, errors
    assert errors.count("\n") == 1
    assert "cannot connect to RabbitMQ because of" in errors
    expect(received, {"own": 4})


def test_during_a_flush(program: Callable[..., Program], received: Receiver, proxy: Proxy) -> None:
    running = program(IN_FLUSH, port=proxy.port)
    running.wait_for("connected")
    proxy.half_open()
    running.go_on()
    running.wait_for("flushed without success")
    proxy.cut()
    proxy.forward()
    running.go_on()
    code, errors = running.end()
    assert code == 0, errors
    expect(received, {"own": 3})


def test_while_the_broker_is_down(
    program: Callable[..., Program], received: Receiver, proxy: Proxy
) -> None:
    running = program(BROKER_DOWN, port=proxy.port)
    running.wait_for("connected")
    proxy.refuse()
    proxy.cut()
    running.go_on()
    code, errors = running.end()
    assert code == 0, errors
    assert "records dropped" in errors
    expect(received, {"own": 1})
