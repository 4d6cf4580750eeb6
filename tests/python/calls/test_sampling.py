"""`sample_rate`: whole trees are recorded or not, chosen once where the root call begins."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from phanos import metrics, publisher
from support import CollectingHandler, assert_tree_at_rest, make_profiler, path_of

ROOTS = 600
# Beyond 6 standard deviations of a binomial distribution with p = 0.5: 73.
LEAST, MOST = 220, 380
HERE = __name__


@pytest.fixture
def half(handler: CollectingHandler) -> publisher.Profiler:
    """A profiler that records every other tree, on average."""
    return make_profiler(handler, sample_rate=0.5)


@pytest.fixture
def none(handler: CollectingHandler) -> publisher.Profiler:
    """A profiler that records no tree."""
    return make_profiler(handler, sample_rate=0)


def test_whole_trees(half: publisher.Profiler, handler: CollectingHandler) -> None:
    @half.profile
    def leaf() -> None: ...

    @half.profile
    def root() -> None:
        leaf()
        leaf()

    for _ in range(ROOTS):
        root()
    counts = handler.counts()
    recorded = counts[f"{HERE}:root"]
    assert LEAST < recorded < MOST
    assert counts == Counter({f"{HERE}:root": recorded, f"{HERE}:root.leaf": 2 * recorded})
    assert_tree_at_rest(half)


def test_tasks_and_generators_belong_to_their_tree(
    half: publisher.Profiler, handler: CollectingHandler
) -> None:
    @half.profile
    def items() -> Any:
        yield from (1, 2)

    @half.profile
    async def leaf() -> None:
        await asyncio.sleep(0)
        assert list(items()) == [1, 2]

    @half.profile
    async def root() -> None:
        await asyncio.gather(leaf(), asyncio.create_task(leaf()))

    async def main() -> None:
        for _ in range(ROOTS):
            await root()

    asyncio.run(main())
    counts = handler.counts()
    recorded = counts[f"{HERE}:root"]
    assert LEAST < recorded < MOST
    assert counts == Counter(
        {
            f"{HERE}:root": recorded,
            f"{HERE}:root.leaf": 2 * recorded,
            f"{HERE}:root.leaf.items": 2 * recorded,
        }
    )
    assert_tree_at_rest(half)


def test_a_task_that_outlives_its_root_stays_left_out(
    none: publisher.Profiler, handler: CollectingHandler
) -> None:
    @none.profile
    async def late() -> None: ...

    async def main() -> None:
        ended = asyncio.Event()

        @none.profile
        async def task() -> None:
            await ended.wait()
            none.sample_rate = 0.999999  # What is chosen for a new root.
            await late()

        @none.profile
        async def root() -> asyncio.Task[None]:
            return asyncio.create_task(task())

        running = await root()
        ended.set()
        await running

    asyncio.run(main())
    assert handler.records == []
    assert_tree_at_rest(none)


def test_results_and_exceptions_pass_through(none: publisher.Profiler) -> None:
    @none.profile
    def fails() -> None:
        raise KeyError("own")

    @none.profile
    def returns(value: int, *, twice: bool) -> int:
        with pytest.raises(KeyError, match="own"):
            fails()
        return value * 2

    assert returns(2, twice=True) == 4
    with pytest.raises(KeyError, match="own"):
        fails()
    assert_tree_at_rest(none)


def test_hooks_see_recorded_trees_alone(
    none: publisher.Profiler, handler: CollectingHandler
) -> None:
    seen: list[str] = []
    for name in ("before_root_func", "before_func", "after_func", "after_root_func"):
        setattr(none, name, lambda *_, name=name: seen.append(name))

    @none.profile
    def root() -> None: ...

    root()
    assert seen == []
    none.sample_rate = 1
    root()
    assert seen == ["before_root_func", "before_func", "after_func", "after_root_func"]
    assert len(handler.records) == 1


def test_operations_are_recorded_in_any_case_with_their_paths(
    none: publisher.Profiler, handler: CollectingHandler
) -> None:
    counter = metrics.Counter("orders", "JOB", "orders")
    none.add_metric(counter)

    @none.profile
    async def leaf() -> None:
        counter.inc(1)

    @none.profile
    def root() -> None:
        with pytest.raises(StopIteration):
            leaf().send(None)
        counter.inc(2)

    root()
    assert [(one["method"], one["value"]) for one in handler.records] == [
        (f"{HERE}:root.leaf", ("inc", 1.0)),
        (f"{HERE}:root", ("inc", 2.0)),
    ]


def test_response_sizes_are_of_recorded_trees(handler: CollectingHandler) -> None:
    profiler = make_profiler(handler, sample_rate=0, response_size_profile=True)

    @profiler.profile
    def root() -> bytes:
        return b"body"

    root()
    assert handler.records == []
    profiler.sample_rate = 1
    root()
    assert len(handler.records) == 2


def test_a_rate_of_one_or_none_is_exact(
    none: publisher.Profiler, handler: CollectingHandler
) -> None:
    @none.profile
    def root() -> str:
        return path_of(none)

    paths = {root() for _ in range(50)}
    assert paths == {f"{HERE}:root"}
    assert handler.records == []
    none.sample_rate = 1
    assert {root() for _ in range(50)} == paths
    assert len(handler.records) == 50


@pytest.mark.parametrize(
    ("rate", "error"), [(1.5, ValueError), (-1, ValueError), ("1", TypeError), (True, TypeError)]
)
def test_a_rate_is_a_number_from_0_to_1(rate: Any, error: type[Exception]) -> None:
    profiler = make_profiler(sample_rate=0.25)
    with pytest.raises(error, match=r"sample_rate must be a number from 0 to 1, got"):
        profiler.sample_rate = rate
    with pytest.raises(error, match=r"sample_rate must be a number from 0 to 1, got"):
        profiler.config(sample_rate=rate)
    assert profiler.sample_rate == 0.25


def test_overridden_steps_record_every_tree(handler: CollectingHandler) -> None:
    class Own(publisher.Profiler):
        def set_curr_node(self, func: Any) -> Any:
            return super().set_curr_node(func)

    profiler = Own()
    profiler.config(job="TEST", sample_rate=0)
    profiler.add_handler(handler)

    @profiler.profile
    def root() -> None: ...

    root()
    assert len(handler.records) == 1
