"""Deep trees, many tasks and many calls, with RabbitMQ: nothing is left, nothing gets slower."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from programs import Program
from proxy import Proxy
from receiver import Receiver

WATCHED = """
    import asyncio, gc

    def memory():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    handler = handler_to(PORT, buffer_bytes=16_000_000)
    profiler = profiler_with(handler)
    nobody = {"queued": 0, "in_flight": 0}

    def settled():
        assert handler.flush(60)
        assert profiler.tree.root.children == []
        gc.collect()
        stats = handler.stats()
        assert {name: stats[name] for name in nobody} == nobody
        return stats["confirmed"] + sum(stats["dropped"].values())
"""
ROOTS = (
    WATCHED
    + """
    @profiler.profile
    def root():
        pass

    def many(count):
        start = time.process_time()
        for _ in range(count):
            root()
        return time.process_time() - start

    many(100_000)
    settled()
    before, times = memory(), []
    for _ in range(10):
        times.append(many(100_000))
    assert settled() == 1_100_000
    assert memory() - before < 50_000_000, memory() - before
    # The last calls cost what the first did.
    assert min(times[5:]) < 2 * min(times[:5]), times
    """
)
TASKS = (
    WATCHED
    + """
    async def main():
        release = asyncio.Event()
        started = 0

        @profiler.profile
        async def waiting():
            nonlocal started
            started += 1
            await release.wait()

        async def live(count):
            nonlocal started
            started = 0
            release.clear()
            tasks = [asyncio.create_task(waiting()) for _ in range(count)]
            while started < count:
                await asyncio.sleep(0)
            assert len(profiler.tree.root.children) == count
            release.set()
            await asyncio.gather(*tasks)

        await live(100_000)
        first = memory()
        await live(100_000)
        return first

    first = asyncio.run(main())
    assert settled() == 200_000
    assert memory() - first < 50_000_000, memory() - first
    """
)
DEEP = (
    WATCHED
    + """
    @profiler.profile
    def deeper():
        depth[0] += 1
        deeper()

    depth = [0]
    total = 0
    for _ in range(3):
        depth[0] = 0
        try:
            deeper()
        except RecursionError:
            pass
        else:
            raise AssertionError("no end")
        total += depth[0]
    assert total > 3 * 200
    # The call that was refused has a record or not, depending on who refused it.
    assert total <= settled() <= total + 3
    """
)


@pytest.mark.parametrize("name", ["roots", "tasks", "deep"])
def test_memory_and_cost_stay_flat(
    program: Callable[..., Program], received: Receiver, name: str
) -> None:
    program({"roots": ROOTS, "tasks": TASKS, "deep": DEEP}[name]).end_clean()
    assert received.repeated == 0


ONE_DOWN = """
    down = profiler_with(handler_to(PORT, "down"))
    up = profiler_with(handler_to(int(sys.argv[3]), "up"))

    @down.profile
    def lost():
        pass

    @up.profile
    def fine():
        pass

    lost()
    assert down.handlers["down"].flush(20)
    told("connected")
    for _ in range(50):
        for _ in range(20):
            lost()
            fine()
        assert up.handlers["up"].flush(20)
    stats = up.handlers["up"].stats()
    assert (stats["confirmed"], stats["reconnects"], stats["last_error"]) == (1000, 0, None), stats
    assert down.handlers["down"].stats()["queued"] == 1000
    told("recorded")
    assert down.handlers["down"].flush(20)
"""


def test_two_profilers_do_not_disturb_each_other(
    program: Callable[..., Program], received: Receiver, proxy: Proxy
) -> None:
    shared = proxy._target
    running = program(ONE_DOWN, str(shared), port=proxy.port)
    running.wait_for("connected")
    proxy.refuse()
    proxy.cut()
    running.go_on()
    running.wait_for("recorded")
    proxy.forward()
    running.go_on()
    code, errors = running.end()
    assert code == 0, errors
    received.wait_for_records(2001)
