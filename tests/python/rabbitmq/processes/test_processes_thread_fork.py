"""A fork in a thread whose function returns: the child ends as it does without phanos."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from programs import Program, expect
from receiver import Receiver

pytestmark = pytest.mark.every_version

FORKED = """
    import pathlib

    handler = handler_to(PORT)
    profiler = profiler_with(handler)

    @profiler.profile
    def own():
        pass

    @profiler.profile
    def late():
        pass

    def in_thread(body):
        thread = threading.Thread(target=body)
        thread.start()
        thread.join()

    pids = []

    def ended(pid, deadline_s=20):
        found = []

        def is_found():
            got, status = os.waitpid(pid, os.WNOHANG)
            if got:
                found.append(os.waitstatus_to_exitcode(status))
            return found

        wait_until(is_found, deadline_s)
        return found[0]

    own()
    assert handler.flush(20)
"""
RETURNS = (
    FORKED
    + """
    def fork():
        pid = os.fork()
        if pid == 0:
            own()
        else:
            pids.append(pid)

    for _ in range(3):
        in_thread(fork)
    for pid in pids:
        assert ended(pid) == 0
    """
)
LEAVES_A_THREAD = (
    FORKED
    + """
    def fork():
        pid = os.fork()
        if pid == 0:
            own()
            handler.flush(20)
            first = pathlib.Path(f"/proc/self/task/{os.getpid()}/stat")

            def outlive():
                # Neither `join` nor `is_alive`, which never return here in CPython 3.14.
                wait_until(lambda: ") Z " in first.read_text(), 20)
                time.sleep(0.5)  # Longer than it takes to notice that the first one has ended.
                late()

            threading.Thread(target=outlive).start()
        else:
            pids.append(pid)

    in_thread(fork)
    assert ended(pids[0]) == 0
    """
)
FORKS_AGAIN = (
    FORKED
    + """
    def fork():
        pid = os.fork()
        if pid == 0:
            own()
            if os.fork() == 0:
                own()
                return
            assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
        else:
            pids.append(pid)

    in_thread(fork)
    assert ended(pids[0]) == 0
    """
)


def test_the_child_ends_and_delivers(program: Callable[..., Program], received: Receiver) -> None:
    program(RETURNS).end_clean()
    expect(received, {"own": 4})


def test_other_threads_of_the_child_go_on(
    program: Callable[..., Program], received: Receiver
) -> None:
    program(LEAVES_A_THREAD).end_clean()
    expect(received, {"own": 2, "late": 1})


def test_a_child_of_the_child_ends_too(program: Callable[..., Program], received: Receiver) -> None:
    program(FORKS_AGAIN).end_clean()
    expect(received, {"own": 3})
