"""Ctrl-C ends whatever waits for the broker, at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from native_threads import native_threads, wait_until_gone
from phanos.messaging import BlockingPublisher
from phanos.publisher import ImpProfHandler, Profiler
from proxy import Proxy
from sample_records import RECORD

# Far longer than a test may take: nothing ends by itself.
FOREVER_S = 1000.0
PRESS_AFTER_S = 0.3
# 0.05 s on a machine with nothing else to do.
SOON_S = 1.0


def interrupted(waiting: Callable[[], Any]) -> None:
    """Press Ctrl-C while `waiting` waits; fail unless that ends it."""
    pressed: list[float] = []

    def press() -> None:
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(PRESS_AFTER_S, press)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            waiting()
        assert time.monotonic() - pressed[0] < SOON_S
    finally:
        timer.join()


@pytest.fixture
def silent(proxy: Proxy) -> Iterator[dict[str, Any]]:
    """Arguments that lead to somebody who never answers."""
    proxy.half_open()
    yield {"port": proxy.port, "stack_timeout": FOREVER_S, "timeout": FOREVER_S}
    proxy.cut()
    proxy.forward()


@pytest.fixture
def fallen_silent(proxy: Proxy) -> Iterator[ImpProfHandler]:
    """A handler that has records for somebody who never answers any more."""
    handler = ImpProfHandler("rabbit", port=proxy.port, stack_timeout=FOREVER_S)
    handler.handle([RECORD])
    assert handler.flush(20)
    proxy.half_open()
    handler.handle([RECORD])
    yield handler
    proxy.cut()
    proxy.forward()
    assert handler.flush(20)
    handler.close()


def test_in_a_constructor(silent: dict[str, Any]) -> None:
    before = native_threads()
    interrupted(lambda: ImpProfHandler("rabbit", **silent))
    wait_until_gone(before)


def test_between_attempts(proxy: Proxy) -> None:
    proxy.refuse()
    before = native_threads()
    interrupted(lambda: ImpProfHandler("rabbit", port=proxy.port, retry_delay=FOREVER_S))
    wait_until_gone(before)


def test_in_connect(silent: dict[str, Any]) -> None:
    publisher = BlockingPublisher(**silent)
    before = native_threads()
    interrupted(publisher.connect)
    wait_until_gone(before)
    assert not publisher.is_connected()


def test_in_publish(proxy: Proxy) -> None:
    publisher = BlockingPublisher(port=proxy.port, timeout=FOREVER_S, stack_timeout=FOREVER_S)
    assert publisher.publish([RECORD])
    proxy.half_open()
    interrupted(lambda: publisher.publish([RECORD]))
    proxy.cut()
    proxy.forward()
    publisher.close()


def test_in_flush(fallen_silent: ImpProfHandler) -> None:
    interrupted(lambda: fallen_silent.flush(FOREVER_S))


def test_in_close(fallen_silent: ImpProfHandler) -> None:
    interrupted(lambda: fallen_silent.close(FOREVER_S))


def test_in_a_synchronous_handle(fallen_silent: ImpProfHandler) -> None:
    fallen_silent.synchronous = True
    interrupted(lambda: fallen_silent.handle([RECORD]))


def test_in_the_call_of_a_user(fallen_silent: ImpProfHandler) -> None:
    fallen_silent.synchronous = True
    profiler = Profiler()
    profiler.config(job="JOB")
    profiler.add_handler(fallen_silent)

    @profiler.profile
    def root() -> None:
        pass

    interrupted(root)
    fallen_silent.synchronous = False
    root()


def test_in_flush_of_a_profiler(fallen_silent: ImpProfHandler) -> None:
    profiler = Profiler()
    profiler.config(job="JOB")
    profiler.add_handler(fallen_silent)
    interrupted(lambda: profiler.flush(FOREVER_S))
