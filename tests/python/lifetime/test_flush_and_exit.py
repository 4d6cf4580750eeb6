"""`flush()` and the end of the interpreter hand over what waits; an import starts nothing."""

from __future__ import annotations

import asyncio
import threading

import pytest
from phanos import publisher
from phanos.metrics import Counter
from support import (
    DEADLINE_S,
    JOB,
    CollectingHandler,
    assert_tree_at_rest,
    join_all,
    make_profiler,
    output_of,
    path_of,
    run_python,
)

ITEM = __name__.rpartition(".")[2]


def test_flush_hands_over_what_waits_outside_of_calls() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    counter = Counter("events", JOB, "events")
    profiler.add_metric(counter)
    counter.inc(1)
    counter.inc(2)
    assert handler.batches == []
    assert profiler.get_records_count() == 2
    assert profiler.flush() is True
    assert [record["value"] for record in handler.of_metric("events")] == [
        ("inc", 1.0),
        ("inc", 2.0),
    ]
    assert handler.methods() == ["", ""]
    assert profiler.get_records_count() == 0
    # Nothing is left, so nothing is handed over again.
    assert profiler.flush() is True
    assert len(handler.batches) == 1


def test_flush_inside_a_call_hands_over_what_its_children_recorded() -> None:
    seen: list[str] = []
    handler = CollectingHandler(on_handle=lambda records, name: seen.append(path_of(profiler)))
    profiler = make_profiler(handler)

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    def outer():
        node = profiler.curr_node.get()
        leaf()
        assert profiler.flush() is True
        assert handler.methods() == [f"{ITEM}:outer.leaf"]
        assert profiler.curr_node.get() is node

    outer()
    assert handler.methods() == [f"{ITEM}:outer.leaf", f"{ITEM}:outer"]
    assert seen == [f"{ITEM}:outer"] * 2
    assert_tree_at_rest(profiler)


def test_flush_takes_a_timeout() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    counter = Counter("events", JOB, "events")
    profiler.add_metric(counter)
    counter.inc(1)
    assert profiler.flush(timeout_s=1.0) is True
    assert len(handler.records) == 1


@pytest.mark.parametrize("configured", [False, True])
def test_flush_with_nothing_to_do(configured: bool) -> None:
    profiler = make_profiler() if configured else publisher.Profiler()
    assert profiler.flush() is True
    assert asyncio.run(profiler.aflush()) is True


def test_flush_from_another_thread_during_a_call() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    leaf_done, flushed = threading.Event(), threading.Event()

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    def outer():
        leaf()
        leaf_done.set()
        assert flushed.wait(DEADLINE_S)
        return path_of(profiler)

    def other():
        assert leaf_done.wait(DEADLINE_S)
        profiler.flush()
        flushed.set()

    thread = threading.Thread(target=other)
    thread.start()
    assert outer() == f"{ITEM}:outer"
    join_all([thread])
    assert handler.batches[0][1][0]["method"] == f"{ITEM}:outer.leaf"
    assert handler.methods() == [f"{ITEM}:outer.leaf", f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


def test_flush_from_hooks_and_handlers_neither_hangs_nor_doubles() -> None:
    def flush(*_):
        profiler.flush()

    handler = CollectingHandler(on_handle=flush)
    profiler = make_profiler(handler)
    profiler.before_func = profiler.after_func = flush
    profiler.before_root_func = profiler.after_root_func = flush

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    def outer():
        leaf()
        leaf()

    outer()
    assert handler.counts() == {f"{ITEM}:outer.leaf": 2, f"{ITEM}:outer": 1}
    assert_tree_at_rest(profiler)


def test_a_hundred_waiting_records_are_handed_over_during_the_root() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    def outer():
        for number in range(1, 251):
            leaf()
            assert len(handler.records) == number // 100 * 100
            assert profiler.get_records_count() == number % 100

    outer()
    assert [len(batch) for _, batch in handler.batches] == [100, 100, 51]
    assert publisher.Profiler.RECORDS_LEN_LIMIT == 100


def test_records_that_wait_without_a_handler_go_to_the_next_one() -> None:
    profiler = make_profiler()
    counter = Counter("events", JOB, "events")
    profiler.add_metric(counter)
    counter.inc(1)
    profiler.flush()
    handler = CollectingHandler()
    profiler.add_handler(handler)
    counter.inc(2)
    assert profiler.flush() is True
    assert [record["value"][1] for record in handler.of_metric("events")] == [1.0, 2.0]


EXIT_PROGRAM = """
import sys, threading
import phanos
from phanos.metrics import Counter

mode = sys.argv[1]
phanos.profiler.config(job="TEST")
phanos.profiler.add_handler(phanos.publisher.StreamHandler("stdout"))
counter = Counter("events", "TEST", "events")
phanos.profiler.add_metric(counter)


@phanos.profile
def leaf():
    counter.inc(1)


@phanos.profile
def outer():
    leaf()
    if mode == "sys.exit":
        sys.exit(3)
    elif mode == "exception":
        raise ValueError("not handled")
    elif mode == "daemon thread":
        leaf_done.set()
        threading.Event().wait()


if mode == "daemon thread":
    leaf_done = threading.Event()
    threading.Thread(target=outer, daemon=True).start()
    assert leaf_done.wait(10)
else:
    counter.inc(7)
    if mode != "end":
        outer()
counter.inc(8)
"""

EVENT = "profiler: events, method: {}, value: {} events, labels: error_raised="


@pytest.mark.parametrize(
    ("mode", "code", "expected"),
    [
        ("end", 0, [EVENT.format("", 7.0), EVENT.format("", 8.0)]),
        ("sys.exit", 3, [EVENT.format("", 7.0), EVENT.format("__main__:outer.leaf", 1.0)]),
        ("exception", 1, [EVENT.format("", 7.0), EVENT.format("__main__:outer.leaf", 1.0)]),
        ("daemon thread", 0, [EVENT.format("__main__:outer.leaf", 1.0), EVENT.format("", 8.0)]),
    ],
)
def test_the_end_of_the_interpreter_hands_over_what_waits(
    mode: str, code: int, expected: list[str]
) -> None:
    done = run_python(EXIT_PROGRAM, mode, timeout_s=20)
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("profiler: events")]
    assert [line.rstrip("TrueFals") for line in lines] == expected
    if mode == "exception":
        assert done.stderr.rstrip().endswith("ValueError: not handled")
    else:
        assert done.stderr == ""


def test_the_end_of_the_interpreter_serves_every_profiler_and_a_handler_of_ones_own() -> None:
    printed = output_of(
        """
        from phanos.metrics import Counter
        from support import CollectingHandler, make_profiler

        def show(records, name):
            print(name, [record["value"] for record in records])

        kept = []
        for number in range(3):
            profiler = make_profiler(CollectingHandler(on_handle=show))
            counter = Counter(f"events{number}", "TEST", "events")
            profiler.add_metric(counter)
            counter.inc(number)
            kept.append(profiler)
        """
    )
    assert sorted(printed.splitlines()) == [
        "events0 [('inc', 0.0)]",
        "events1 [('inc', 1.0)]",
        "events2 [('inc', 2.0)]",
    ]


def test_a_handler_that_raises_at_exit_changes_nothing_else() -> None:
    printed = output_of(
        """
        import logging
        logging.disable(logging.CRITICAL)
        from phanos.metrics import Counter
        from support import CollectingHandler, make_profiler

        def fail(records, name):
            raise ValueError("at exit")

        def show(records, name):
            print(name, len(records))

        bad = CollectingHandler("bad", on_handle=fail)
        profiler = make_profiler(bad, CollectingHandler("good", on_handle=show))
        counter = Counter("events", "TEST", "events")
        profiler.add_metric(counter)
        counter.inc(1)
        """
    )
    assert printed == "events 1\n"


def test_atexit_functions_of_the_user_still_record() -> None:
    printed = output_of(
        """
        import atexit
        import phanos
        from support import CollectingHandler, make_profiler

        profiler = make_profiler(
            CollectingHandler(on_handle=lambda records, name: print(records[0]["method"]))
        )

        @profiler.profile
        def goodbye():
            return None

        atexit.register(goodbye)
        """
    )
    assert printed == "__main__:goodbye\n"


def test_an_import_starts_no_thread_and_opens_no_file() -> None:
    printed = output_of(
        """
        import os, threading
        import asyncio, logging, json, inspect  # what may open files on the way
        before = len(os.listdir("/proc/self/task")), threading.active_count()
        files = sorted(os.listdir("/proc/self/fd"))
        import phanos, phanos.publisher, phanos.handlers, phanos.metrics, phanos.messaging
        import phanos.config, phanos.log, phanos.tree, phanos.types

        @phanos.profile
        def idle():
            return None

        idle()
        after = len(os.listdir("/proc/self/task")), threading.active_count()
        assert after == before, (before, after)
        assert sorted(os.listdir("/proc/self/fd")) == files
        """
    )
    assert printed == ""


def test_an_import_configures_no_logging() -> None:
    printed = output_of(
        """
        import logging
        before = list(logging.root.handlers), logging.root.level
        import phanos
        assert (list(logging.root.handlers), logging.root.level) == before
        for name, logger in logging.root.manager.loggerDict.items():
            if isinstance(logger, logging.Logger) and name.lower().startswith("phanos"):
                assert logger.handlers == [], name
        """
    )
    assert printed == ""


def test_a_forked_child_records_on_its_own() -> None:
    done = run_python(
        """
        import os, sys
        from support import CollectingHandler, assert_tree_at_rest, make_profiler

        handler = CollectingHandler()
        profiler = make_profiler(handler)

        @profiler.profile
        def leaf():
            return str(profiler.curr_node.get().ctx)

        @profiler.profile
        def outer():
            leaf()
            child = os.fork()
            path = leaf()
            return child, path

        child, path = outer()
        assert_tree_at_rest(profiler)
        sys.stdout.write(f"{path} {sorted(handler.counts().items())}\\n")
        sys.stdout.flush()
        if child == 0:
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0, status
        """,
        timeout_s=20,
    )
    assert done.returncode == 0, done.stderr
    # What waited when the child was forked is the parent's to hand over; both run on.
    line = "__main__:outer.leaf [('__main__:outer', 1), ('__main__:outer.leaf', {})]\n"
    assert sorted(done.stdout.splitlines(keepends=True)) == [line.format(1), line.format(2)]
