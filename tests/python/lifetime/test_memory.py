"""Memory stays where it is, however long a process runs: measured as its resident size."""

from __future__ import annotations

import pytest
from support import run_python

# What every scenario starts with. `CountingHandler` keeps no record; `resident` is in MB.
PRELUDE = """
import asyncio, gc, os, threading
import phanos
from phanos import publisher
from phanos.metrics import Counter
from support import assert_tree_at_rest, make_profiler


class CountingHandler(publisher.SyncBaseHandler):
    count = 0

    def handle(self, records, profiler_name="profiler"):
        self.count += len(records)


def resident():
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def growth(work, warm_up, times):
    for _ in range(warm_up):
        work()
    before = resident()
    for _ in range(times):
        work()
    return resident() - before


handler = CountingHandler("counting")
profiler = make_profiler(handler)
"""

SCENARIOS = {
    # 80,000 calls after the warm-up; 50 bytes lost by each would be 4 MB.
    "nested calls": (
        4,
        """
        @profiler.profile
        def leaf():
            return None

        @profiler.profile
        def outer():
            for _ in range(99):
                leaf()

        def work():
            for _ in range(100):
                outer()

        grown = growth(work, 2, 8)
        expected = 10 * 100 * 100
        """,
    ),
    "failing calls": (
        4,
        """
        @profiler.profile
        def fails():
            raise KeyError

        def work():
            for _ in range(10_000):
                try:
                    fails()
                except KeyError:
                    pass

        grown = growth(work, 2, 8)
        expected = 10 * 10_000
        """,
    ),
    "a root that never ends": (
        4,
        """
        @profiler.profile
        def leaf():
            return None

        @profiler.profile
        def serve():
            def work():
                for _ in range(10_000):
                    leaf()

            return growth(work, 2, 8)

        grown = serve()
        expected = 10 * 10_000 + 1
        """,
    ),
    "rounds of tasks": (
        6,
        """
        @profiler.profile
        async def leaf():
            await asyncio.sleep(0)

        @profiler.profile
        async def outer():
            await asyncio.gather(leaf(), leaf(), leaf())

        async def round_of_tasks():
            await asyncio.gather(*(outer() for _ in range(1000)))
            assert_tree_at_rest(profiler)

        def work():
            asyncio.run(round_of_tasks())

        grown = growth(work, 3, 12)
        expected = 15 * 4000
        """,
    ),
    "cancelled tasks that outlive their root": (
        6,
        """
        @profiler.profile
        async def late():
            await asyncio.Event().wait()

        @profiler.profile
        async def outer():
            task = asyncio.create_task(late())
            await asyncio.sleep(0)
            return task

        async def round_of_tasks():
            tasks = await asyncio.gather(*(outer() for _ in range(1000)))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert_tree_at_rest(profiler)

        def work():
            asyncio.run(round_of_tasks())

        grown = growth(work, 3, 12)
        expected = 15 * 2000
        """,
    ),
    "threads that come and go": (
        4,
        """
        @profiler.profile
        def call():
            return None

        def work():
            for _ in range(50):
                threads = [threading.Thread(target=call) for _ in range(10)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

        grown = growth(work, 2, 6)
        expected = 8 * 500
        """,
    ),
    "unfinished generators": (
        4,
        """
        @profiler.profile
        def numbers():
            yield 1
            yield 2

        def work():
            for _ in range(5000):
                next(numbers())

        grown = growth(work, 2, 8)
        expected = 10 * 5000
        """,
    ),
    # A closure decorated in every request. 100 bytes lost by each would be 10 MB.
    "functions decorated anew": (
        5,
        """
        def work():
            for number in range(10_000):
                @profiler.profile
                def handle_request():
                    return number

                handle_request()

        grown = growth(work, 2, 10)
        expected = 12 * 10_000
        """,
    ),
    "classes made anew": (
        5,
        """
        def work():
            for number in range(300):
                class Service:
                    @profiler.profile
                    def work(self):
                        return number

                    @classmethod
                    @profiler.profile
                    def of_class(cls):
                        return number

                Service().work()
                Service.of_class()

        grown = growth(work, 3, 10)
        expected = 13 * 600
        """,
    ),
    "profilers that come and go": (
        5,
        """
        def work():
            for _ in range(300):
                own = make_profiler(handler)

                @own.profile
                def call():
                    return None

                call()

        grown = growth(work, 3, 10)
        expected = 13 * 300
        """,
    ),
    "labels that are never the same": (
        5,
        """
        counter = Counter("events", "TEST", "events", {"request"})
        profiler.add_metric(counter)
        numbers = iter(range(10**9))

        def work():
            for _ in range(10_000):
                counter.inc(1, {"request": f"request number {next(numbers)} of many"})
            profiler.flush()

        grown = growth(work, 2, 8)
        expected = 10 * 10_000
        """,
    ),
    "paths that are never the same": (
        # Names of 100 letters: without a bound, 400,000 paths would need 80 MB or more.
        40,
        """
        def named(name):
            def function(*below):
                for each in below:
                    each()

            function.__name__ = function.__qualname__ = name
            return profiler.profile(function)

        parents = [named(f"parent{number}".ljust(50, "_")) for number in range(640)]
        leaves = [named(f"leaf{number}".ljust(50, "_")) for number in range(640)]
        remaining = iter(parents)

        def work():
            for _ in range(64):
                next(remaining)(*leaves)

        grown = growth(work, 1, 9)
        expected = 640 * 641
        """,
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_memory_does_not_grow(scenario: str) -> None:
    allowed_mb, work = SCENARIOS[scenario]
    # Indentation differs between the two parts, so they cannot be dedented together.
    lines = [line[8:] for line in work.splitlines()]
    ending = "\nprint(grown)\nassert_tree_at_rest(profiler)\nassert handler.count == expected\n"
    done = run_python(PRELUDE + "\n".join(lines) + ending)
    assert done.returncode == 0, done.stderr[-3000:]
    assert float(done.stdout) < allowed_mb
