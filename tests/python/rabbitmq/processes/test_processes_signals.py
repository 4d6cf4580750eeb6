"""SIGTERM right after a record: lost, unless the program asks for it to be delivered."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from programs import Program, expect
from receiver import Receiver

PLAIN = """
    import signal

    profiler = profiler_with(handler_to(PORT))

    @profiler.profile
    def own():
        pass
"""
BY_DEFAULT = (
    PLAIN
    + """
    phanos.deliver_on_signal()
    for _ in range(100):
        own()
    os.kill(os.getpid(), signal.SIGTERM)
    """
)
CHAINED = (
    PLAIN
    + """
    def end(*_):
        print("ended", flush=True)
        os._exit(3)

    signal.signal(signal.SIGUSR1, end)
    phanos.deliver_on_signal(signal.SIGUSR1)
    own()
    os.kill(os.getpid(), signal.SIGUSR1)
    """
)
IGNORED = (
    PLAIN
    + """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    phanos.deliver_on_signal()
    own()
    os.kill(os.getpid(), signal.SIGTERM)
    own()
    """
)


def test_records_are_delivered_and_the_signal_ends_the_process(
    program: Callable[..., Program], received: Receiver
) -> None:
    code, errors = program(BY_DEFAULT).end()
    assert (code, errors) == (-signal.SIGTERM, "")
    expect(received, {"own": 100})


@pytest.mark.parametrize(("code", "expected", "records"), [(CHAINED, 3, 1), (IGNORED, 0, 2)])
def test_what_the_signal_did_before_happens(
    program: Callable[..., Program], received: Receiver, code: str, expected: int, records: int
) -> None:
    assert program(code).end() == (expected, "")
    expect(received, {"own": records})
