"""Nested calls hand over once `RECORDS_LEN_LIMIT` records wait, whoever else hands over."""

from __future__ import annotations

import threading

import greenlet
from support import (
    DEADLINE_S,
    CollectingHandler,
    assert_tree_at_rest,
    join_all,
    make_profiler,
    output_of,
)

ITEM = __name__.rpartition(".")[2]
LIMIT = 100


def blocked_by(method: str, wait, on_block):
    """A function for `on_handle`: calls `wait` with a batch that `method` is in."""

    def on_handle(records, name):
        if any(record["method"].endswith(method) for record in records):
            on_block()
            wait()

    return on_handle


def nested_calls(profiler, handler):
    """A root that makes more calls than may wait; it returns how many went out by then."""

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    def outer():
        for _ in range(LIMIT + 1):
            leaf()
        return handler.counts()[f"{ITEM}:outer.leaf"]

    return outer


def test_a_thread_inside_a_handler_does_not_keep_others_from_handing_over() -> None:
    inside, leave = threading.Event(), threading.Event()
    handler = CollectingHandler(
        on_handle=blocked_by(":blocker", lambda: leave.wait(DEADLINE_S), inside.set)
    )
    profiler = make_profiler(handler)

    @profiler.profile
    def blocker():
        return None

    thread = threading.Thread(target=blocker, daemon=True)
    thread.start()
    assert inside.wait(DEADLINE_S)
    went_out_early = nested_calls(profiler, handler)()
    leave.set()
    join_all([thread])
    assert went_out_early >= LIMIT
    assert handler.counts() == {
        f"{ITEM}:blocker": 1,
        f"{ITEM}:outer.leaf": LIMIT + 1,
        f"{ITEM}:outer": 1,
    }
    assert_tree_at_rest(profiler)


def test_a_greenlet_inside_a_handler_does_not_keep_others_from_handing_over() -> None:
    main = greenlet.getcurrent()
    handler = CollectingHandler(on_handle=blocked_by(":blocker", main.switch, lambda: None))
    profiler = make_profiler(handler)

    @profiler.profile
    def blocker():
        return None

    blocked = greenlet.greenlet(blocker)
    blocked.switch()
    assert not blocked.dead
    went_out_early = nested_calls(profiler, handler)()
    blocked.switch()
    assert blocked.dead
    assert went_out_early >= LIMIT
    assert handler.counts() == {
        f"{ITEM}:blocker": 1,
        f"{ITEM}:outer.leaf": LIMIT + 1,
        f"{ITEM}:outer": 1,
    }
    assert_tree_at_rest(profiler)


def test_calls_of_a_handler_itself_wait_until_it_is_done() -> None:
    depths: list[int] = []
    running = 0

    def on_handle(records, name):
        nonlocal running
        running += 1
        depths.append(running)
        if len(depths) == 1:
            for _ in range(LIMIT + 1):
                helper()
        running -= 1

    handler = CollectingHandler(on_handle=on_handle)
    profiler = make_profiler(handler)

    @profiler.profile
    def helper():
        return None

    @profiler.profile
    def outer():
        return None

    outer()
    assert depths == [1]
    assert profiler.get_records_count() == LIMIT + 1
    outer()
    assert set(depths) == {1}
    assert handler.counts() == {f"{ITEM}:outer": 2, f"{ITEM}:outer.helper": LIMIT + 1}
    assert_tree_at_rest(profiler)


def test_a_child_forked_beside_a_busy_handler_hands_over_at_the_limit() -> None:
    printed = output_of(
        """
        import os, sys, threading, warnings
        from support import DEADLINE_S, CollectingHandler, make_profiler

        # From 3.12 on Python warns of forks beside threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        inside, leave = threading.Event(), threading.Event()

        def block(records, name):
            if not inside.is_set():
                inside.set()
                leave.wait(DEADLINE_S)

        handler = CollectingHandler(on_handle=block)
        profiler = make_profiler(handler)

        @profiler.profile
        def leaf():
            return None

        thread = threading.Thread(target=leaf, daemon=True)
        thread.start()
        assert inside.wait(DEADLINE_S)
        child = os.fork()
        if child:
            leave.set()
            thread.join(DEADLINE_S)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        early = []

        def grandchild():  # Threads of the child may get what a lost thread was known by.
            handler.clear()

            @profiler.profile
            def outer():
                for _ in range(101):
                    leaf()
                early.append(len(handler.records))

            outer()

        for _ in range(3):
            thread = threading.Thread(target=grandchild)
            thread.start()
            thread.join(DEADLINE_S)
        os._exit(0 if early == [100] * 3 else 1)
        """
    )
    assert printed == ""
