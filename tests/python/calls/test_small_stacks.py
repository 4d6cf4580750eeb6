"""Recursion of profiled functions on small C stacks ends in RecursionError, never in a crash."""

from __future__ import annotations

import sys

import pytest
from support import output_of

PROGRAM = """
import sys, threading
from support import CollectingHandler, assert_tree_at_rest, drive, make_profiler

kind, size_kib = sys.argv[1], int(sys.argv[2])
handler = CollectingHandler()
profiler = make_profiler(handler) if kind != "idle" else make_profiler()
depth = 0


@profiler.profile
def recurse():
    global depth
    depth += 1
    if kind == "through C":
        max([1, 2], key=lambda _: recurse())
    recurse()


@profiler.profile
async def recurse_later():
    global depth
    depth += 1
    await recurse_later()


@profiler.profile
def leaf():
    return "leaf"


def run():
    global depth
    for _ in range(2):
        depth = 0
        try:
            drive(recurse_later()) if kind == "coroutine" else recurse()
        except RecursionError:
            assert depth > 5, depth
        else:
            raise AssertionError("no RecursionError")
        if kind in ("recording", "coroutine"):
            # From 3.12 on the interpreter may refuse the body of a call that has begun.
            assert len(handler.records) - depth in (0, 1), (len(handler.records), depth)
            assert all(record["labels"]["error_raised"] is True for record in handler.records)
            handler.clear()
        assert leaf() == "leaf"
        handler.clear()
    assert_tree_at_rest(profiler)
    print("done")


# From 3.13 on plain coroutines as deep as that crash when they are freed.
sys.setrecursionlimit(1000 if kind == "coroutine" else 100_000)
threading.stack_size(size_kib * 1024)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("size_kib", [64, 256, 512, 2048])
@pytest.mark.parametrize("kind", ["recording", "coroutine", "idle", "through C"])
def test_recursion_on_the_stack_of_a_thread(kind: str, size_kib: int) -> None:
    assert output_of(PROGRAM, kind, str(size_kib)) == "done\n"


def test_calls_on_the_smallest_stack_there_is() -> None:
    # From 3.14 on the interpreter wants more: it keeps a reserve of its own.
    smallest_kib = 32 if sys.version_info < (3, 14) else 52
    printed = output_of(
        """
        import sys, threading
        from support import CollectingHandler, make_profiler

        handler = CollectingHandler()
        profiler = make_profiler(handler)

        @profiler.profile
        def leaf():
            return "leaf"

        @profiler.profile
        def outer():
            return leaf()

        results = []
        threading.stack_size(int(sys.argv[1]) * 1024)
        thread = threading.Thread(target=lambda: results.append(outer()))
        thread.start()
        thread.join()
        print(results, len(handler.records))
        """,
        str(smallest_kib),
    )
    assert printed == "['leaf'] 2\n"


def test_recursion_in_a_greenlet_of_a_thread() -> None:
    printed = output_of(
        """
        import sys, threading
        import greenlet
        from support import CollectingHandler, make_profiler

        profiler = make_profiler(CollectingHandler())

        @profiler.profile
        def recurse():
            recurse()

        def run():
            for _ in range(2):
                try:
                    greenlet.greenlet(recurse).switch()
                except RecursionError:
                    print("refused")

        sys.setrecursionlimit(100_000)
        threading.stack_size(256 * 1024)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        """
    )
    assert printed == "refused\nrefused\n"


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the interpreter keeps the first limit")
def test_a_stack_whose_limit_is_raised_is_used() -> None:
    printed = output_of(
        """
        import os, resource, sys

        KIB = 1024
        soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
        if len(sys.argv) == 1:
            resource.setrlimit(resource.RLIMIT_STACK, (256 * KIB, hard))
            with open(f"/proc/{os.getpid()}/cmdline", "rb") as file:
                code = file.read().split(b"\\0")[2].decode()
            os.execv(sys.executable, [sys.executable, "-c", code, "again"])
        from support import CollectingHandler, make_profiler

        profiler = make_profiler(CollectingHandler())

        @profiler.profile
        def down(levels):
            return levels and down(levels - 1)

        down(1)
        resource.setrlimit(resource.RLIMIT_STACK, (8192 * KIB, hard))
        sys.setrecursionlimit(5000)
        print(down(700))
        """
    )
    assert printed == "0\n"
