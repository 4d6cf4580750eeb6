"""Ctrl-C ends whatever waits for the broker."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from native_threads import native_threads, wait_until_gone
from phanos.messaging import BlockingPublisher
from phanos.publisher import ImpProfHandler, Profiler
from proxy import Proxy
from sample_records import RECORD
from support import wait_until

# Far longer than a test may take: nothing ends by itself.
FOREVER_S = 1000.0
LOOK_EVERY_S = 0.01
LOOKS = 10


def wait_until_at_rest(thread: int) -> None:
    """
    Wait until a thread stands at one instruction of Python, look after look.

    It could have gone on between two looks, if it were not waiting for something.
    """
    last: tuple[FrameType, int] | None = None
    alike = 0

    def at_rest() -> bool:
        nonlocal last, alike
        frame = sys._current_frames()[thread]
        place = (frame, frame.f_lasti)
        alike = alike + 1 if place == last else 0
        last = place
        return alike == LOOKS

    pause = threading.Event()
    while not at_rest():
        pause.wait(LOOK_EVERY_S)


def interrupted(waiting: Callable[[], Any], reached: Callable[[], bool] = lambda: True) -> None:
    """Press Ctrl-C while `waiting` waits, having `reached` its point; fail unless that ends it."""
    waiter = threading.get_ident()
    failures: list[BaseException] = []

    def press() -> None:
        try:
            wait_until(reached, "the point at which it waits", 20)
            wait_until_at_rest(waiter)
        except BaseException as error:
            failures.append(error)
        os.kill(os.getpid(), signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            waiting()
    finally:
        pressing.join()
    assert failures == []


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


def waiting_records(sender: Any) -> int:
    """How many records are with it, or with the broker and not confirmed."""
    stats = sender.stats()
    return int(stats["queued"] + stats["in_flight"])


def test_in_a_constructor(silent: dict[str, Any], proxy: Proxy) -> None:
    before = native_threads()
    interrupted(lambda: ImpProfHandler("rabbit", **silent), lambda: proxy.accepted == 1)
    wait_until_gone(before)


def test_between_attempts(proxy: Proxy) -> None:
    proxy.half_open()
    before = native_threads()

    def failed_once() -> bool:
        if proxy.accepted == 1:
            proxy.cut()
        return proxy.accepted == 1 and proxy.open == 0

    arguments = {"port": proxy.port, "retry_delay": FOREVER_S, "stack_timeout": FOREVER_S}
    interrupted(lambda: ImpProfHandler("rabbit", **arguments), failed_once)
    assert proxy.accepted == 1
    wait_until_gone(before)


def test_in_connect(silent: dict[str, Any], proxy: Proxy) -> None:
    publisher = BlockingPublisher(**silent)
    before = native_threads()
    interrupted(publisher.connect, lambda: proxy.accepted == 1)
    wait_until_gone(before)
    assert not publisher.is_connected()


def test_in_publish(proxy: Proxy) -> None:
    publisher = BlockingPublisher(port=proxy.port, timeout=FOREVER_S, stack_timeout=FOREVER_S)
    assert publisher.publish([RECORD])
    proxy.half_open()
    interrupted(lambda: publisher.publish([RECORD]), lambda: waiting_records(publisher) == 1)
    proxy.cut()
    proxy.forward()
    publisher.close()


def test_in_flush(fallen_silent: ImpProfHandler) -> None:
    interrupted(lambda: fallen_silent.flush(FOREVER_S))


def test_in_close(fallen_silent: ImpProfHandler) -> None:
    interrupted(lambda: fallen_silent.close(FOREVER_S))


def test_in_a_synchronous_handle(fallen_silent: ImpProfHandler) -> None:
    fallen_silent.synchronous = True
    interrupted(lambda: fallen_silent.handle([RECORD]), lambda: waiting_records(fallen_silent) == 2)


def test_in_the_call_of_a_user(fallen_silent: ImpProfHandler) -> None:
    fallen_silent.synchronous = True
    profiler = Profiler()
    profiler.config(job="JOB")
    profiler.add_handler(fallen_silent)

    @profiler.profile
    def root() -> None:
        pass

    interrupted(root, lambda: waiting_records(fallen_silent) == 2)
    fallen_silent.synchronous = False
    root()


def test_in_flush_of_a_profiler(fallen_silent: ImpProfHandler) -> None:
    profiler = Profiler()
    profiler.config(job="JOB")
    profiler.add_handler(fallen_silent)
    interrupted(lambda: profiler.flush(FOREVER_S))
