"""A process that ends by the C library's `exit`, the interpreter left as it is."""

from __future__ import annotations

import subprocess
import sys
import time

from support import SUBPROCESS_DEADLINE_S

PROGRAM = """
import ctypes, logging, sys
import phanos

# A broker that is away is told of, and no news here.
logging.disable(logging.CRITICAL)
handler = phanos.publisher.ImpProfHandler("rabbitmq", port=int(sys.argv[1]))
profiler = phanos.publisher.Profiler()
profiler.config(job="TEST")
profiler.add_handler(handler)

@profiler.profile
def work():
    pass

work()
assert handler.flush(20)
print("connected", flush=True)
input()
for _ in range(int(sys.argv[2])):
    work()
ctypes.CDLL(None).exit(0)
"""


class Program:
    """Connected, and about to make so many calls and end."""

    def __init__(self, port: int, calls: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(port), str(calls)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Within the deadline of the program's own wait, or it has ended.
        assert self._process.stdout.readline() == "connected\n", self._process.stderr.read()

    def end(self) -> float:
        """Let it go on; return how many seconds it took."""
        start = time.monotonic()
        try:
            _, told = self._process.communicate("\n", timeout=SUBPROCESS_DEADLINE_S)
        finally:
            self._process.kill()
        assert (self._process.returncode, told) == (0, "")
        return time.monotonic() - start


def test_what_was_just_handed_over_arrives(broker, receiver):
    Program(broker.port, 1000).end()
    assert len(receiver.wait_for_records(1001)) == 1001


def test_it_ends_within_three_seconds_without_a_broker(broker, receiver, proxy):
    program = Program(proxy.port, 1000)
    proxy.refuse()
    proxy.cut()
    assert program.end() < 3
    assert len(receiver.wait_for_records(1)) == 1


def test_it_ends_within_three_seconds_if_the_broker_is_silent(broker, receiver, proxy):
    program = Program(proxy.port, 1000)
    proxy.half_open()
    assert program.end() < 3
