"""
Waiting for the network side from synchronous code.

Natively, with the interpreter lock given up and Ctrl-C heard; but where gevent or eventlet has
put itself into the standard library, one thread serves everybody, and only `time.sleep` lets
the others have their turn.
"""

from __future__ import annotations

import time
from types import FunctionType

from ._phanos import Answer, ProbeAnswer

_LOOK_S = 0.005


def wait(answer: Answer, timeout_s: float) -> bool | None:
    """Wait for an answer; None if there is none after `timeout_s` seconds."""
    if not _greenlets_take_turns():
        return answer.wait(timeout_s)
    end = time.monotonic() + timeout_s
    while (seen := answer.poll()) is None and time.monotonic() < end:
        time.sleep(_LOOK_S)
    return seen


def wait_for_probe(trial: ProbeAnswer) -> tuple[bool, str] | None:
    """Wait for a connection that is tried out; return who is to blame, and for what."""
    if not _greenlets_take_turns():
        return trial.wait()
    try:
        done, failure = trial.poll()
        while not done:
            time.sleep(_LOOK_S)
            done, failure = trial.poll()
    except BaseException:
        trial.give_up()
        raise
    return failure


def _greenlets_take_turns() -> bool:
    # What CPython has there is no Python function.
    return isinstance(time.sleep, FunctionType)
