"""Under gevent a greenlet that waits for the broker lets the others run."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from support import output_of

# Greenlets that cannot run for so long are blocked, whatever else the machine does.
LONGEST_S = 0.5

PROGRAM = """
    from gevent import monkey
    monkey.patch_all()
    import logging, sys, time
    import gevent
    import phanos
    from phanos.messaging import BlockingPublisher

    # That no answer comes is logged, and expected here.
    logging.disable(logging.CRITICAL)
    longest = 0.0
    waiting = True

    def take_turns():
        global longest
        last = time.monotonic()
        while waiting:
            gevent.sleep(0.001)
            longest = max(longest, time.monotonic() - last)
            last = time.monotonic()

    ticking = gevent.spawn(take_turns)
    gevent.sleep(0.01)
    start = time.monotonic()
    wait(int(sys.argv[1]))
    waiting = False
    ticking.join()
    print(time.monotonic() - start, longest)
"""

CONSTRUCTOR = """
    def wait(port):
        try:
            phanos.publisher.ImpProfHandler("h", port=port, retry=1, stack_timeout=1.5)
        except RuntimeError:
            return
        raise AssertionError("connected")
"""
PUBLISH = """
    def wait(port):
        publisher = BlockingPublisher(port=port)
        publisher.connection = publisher.channel = publisher._delivery
        publisher._delivery.connect()
        record = {"item": "A", "job": "J", "metric": "m", "units": "u", "method": "A:b",
                  "labels": {}, "value": ("observe", 1.0)}
        answer = publisher.publish([record])
        assert answer is False
"""


@pytest.fixture
def silent() -> Iterator[int]:
    """Port of a server that accepts every connection and never sends anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("what", [CONSTRUCTOR, PUBLISH], ids=["constructor", "publish"])
def test_others_run_while_one_waits(what: str, silent: int) -> None:
    printed = output_of(PROGRAM.replace("    ticking =", what + "\n    ticking ="), str(silent))
    waited_s, longest_s = map(float, printed.split())
    assert waited_s > LONGEST_S
    assert longest_s < LONGEST_S
