"""A program may end right after it flushed: no thread of the library is left inside Python."""

from __future__ import annotations

import concurrent.futures

from support import run_python

# The end races with whatever woke the loop: one run shows little, many show it.
RUNS = 40
AT_ONCE = 2

ENDS_AFTER_AFLUSH = """
    import asyncio
    import phanos

    assert asyncio.run(phanos.profiler.aflush(timeout_s=1.0))
"""
ENDS_AFTER_DELIVERY = """
    import asyncio
    import phanos
    from support import AsyncCollectingHandler

    async def main():
        handler = AsyncCollectingHandler()
        phanos.profiler.async_config(None, "JOB")
        phanos.profiler.add_handler(handler)

        @phanos.profile
        def work():
            pass

        work()
        assert await phanos.profiler.aflush(timeout_s=1.0)
        assert len(handler.records) == 1

    asyncio.run(main())
"""


def outcomes(code: str) -> set[tuple[int, str, str]]:
    """Distinct results of running `code` many times: exit code, output and errors."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as executor:
        completed = list(executor.map(run_python, [code] * RUNS))
    return {(each.returncode, each.stdout, each.stderr) for each in completed}


def test_the_end_right_after_aflush_is_clean() -> None:
    assert outcomes(ENDS_AFTER_AFLUSH) == {(0, "", "")}


def test_the_end_right_after_a_delivery_is_clean() -> None:
    assert outcomes(ENDS_AFTER_DELIVERY) == {(0, "", "")}
