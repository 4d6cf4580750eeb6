"""Several threads at once: roots of their own, exact counts, nothing lost or doubled."""

from __future__ import annotations

import contextvars
import threading
from collections import Counter as Tally
from concurrent.futures import ThreadPoolExecutor

import pytest
from phanos.metrics import Counter
from support import (
    DEADLINE_S,
    JOB,
    CollectingHandler,
    assert_tree_at_rest,
    join_all,
    make_profiler,
    path_of,
    run_in_threads,
    watch_hooks,
)

ITEM = __name__.rpartition(".")[2]
THREADS = 8
ROUNDS = 250


def test_each_thread_has_a_root_of_its_own() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    hooks = watch_hooks(profiler)
    both_inside = threading.Barrier(2)
    children_seen: list[int] = []
    paths: list[str] = []

    @profiler.profile
    def leaf():
        both_inside.wait(DEADLINE_S)
        paths.append(path_of(profiler))

    @profiler.profile
    def outer():
        node = profiler.curr_node.get()
        assert node.parent is profiler.tree.root
        both_inside.wait(DEADLINE_S)
        children_seen.append(len(profiler.tree.root.children))
        leaf()
        assert profiler.curr_node.get() is node
        assert list(node.children) == []

    run_in_threads(lambda index: outer(), 2)
    assert children_seen == [2, 2]
    assert paths == [f"{ITEM}:outer.leaf"] * 2
    assert handler.counts("time_profiler") == {f"{ITEM}:outer.leaf": 2, f"{ITEM}:outer": 2}
    assert handler.counts("response_size") == {f"{ITEM}:outer": 2}
    assert hooks.count(("before_root_func", f"{ITEM}:outer")) == 2
    assert_tree_at_rest(profiler)


def test_a_thread_with_a_copied_context_belongs_to_the_caller() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)
    paths: list[str] = []

    @profiler.profile
    def leaf():
        paths.append(path_of(profiler))

    @profiler.profile
    def outer():
        node = profiler.curr_node.get()
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(leaf,)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        join_all(threads)
        assert profiler.curr_node.get() is node
        assert list(node.children) == []

    outer()
    assert paths == [f"{ITEM}:outer.leaf"] * 4
    assert handler.methods() == [f"{ITEM}:outer.leaf"] * 4 + [f"{ITEM}:outer"]
    assert_tree_at_rest(profiler)


def test_the_variable_is_at_rest_in_a_thread_after_its_calls() -> None:
    profiler = make_profiler(CollectingHandler())
    seen: list[bool] = []

    @profiler.profile
    def fails():
        raise KeyError

    def body():
        for _ in range(3):
            with pytest.raises(KeyError):
                fails()
            seen.append(profiler.curr_node.get() is profiler.tree.root)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(body).result(DEADLINE_S)
        pool.submit(body).result(DEADLINE_S)
    assert seen == [True] * 6
    assert_tree_at_rest(profiler)


@pytest.mark.usefixtures("many_switches")
def test_many_threads_lose_no_record_and_mix_up_no_path() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    identities = Counter("identities", JOB, "id", {"worker"})
    profiler.add_metric(identities)

    def make_tree(name):
        def leaf(identity):
            identities.inc(identity, {"worker": name})

        def outer(identity):
            leaf(identity)
            leaf(identity + 1)

        outer.__qualname__ = outer.__name__ = f"outer_{name}"
        leaf = profiler.profile(leaf)
        return profiler.profile(outer)

    trees = [make_tree(f"worker{index}") for index in range(THREADS)]

    def body(index):
        for number in range(ROUNDS):
            trees[index]((index * ROUNDS + number) * 2)
            assert profiler.curr_node.get() is profiler.tree.root

    run_in_threads(body, THREADS)
    assert profiler.get_records_count() == 0
    expected: Tally[str] = Tally()
    for index in range(THREADS):
        expected[f"{ITEM}:outer_worker{index}"] = ROUNDS
        expected[f"{ITEM}:outer_worker{index}.leaf"] = 2 * ROUNDS
    assert handler.counts("time_profiler") == expected
    roots = {path: count for path, count in expected.items() if not path.endswith(".leaf")}
    assert handler.counts("response_size") == roots
    recorded = handler.of_metric("identities")
    # Every identity once: nothing lost, nothing handed over twice.
    values = sorted(record["value"][1] for record in recorded)
    assert values == [float(number) for number in range(2 * THREADS * ROUNDS)]
    for record in recorded:
        worker = record["labels"]["worker"]
        assert record["method"] == f"{ITEM}:outer_{worker}.leaf"
        assert int(worker.removeprefix("worker")) == int(record["value"][1]) // (2 * ROUNDS)
    assert_tree_at_rest(profiler)


@pytest.mark.usefixtures("many_switches")
def test_failing_calls_in_many_threads_keep_their_labels_apart() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def clean():
        return None

    @profiler.profile
    def fails():
        raise KeyError

    def body(index):
        for _ in range(ROUNDS):
            if index % 2:
                clean()
            else:
                with pytest.raises(KeyError):
                    fails()

    run_in_threads(body, THREADS)
    labels = Tally(
        (record["method"], record["labels"]["error_raised"]) for record in handler.records
    )
    assert labels == {
        (f"{ITEM}:clean", False): ROUNDS * THREADS // 2,
        (f"{ITEM}:fails", True): ROUNDS * THREADS // 2,
    }
    assert_tree_at_rest(profiler)


@pytest.mark.usefixtures("many_switches")
def test_threads_that_share_a_root_lose_nothing() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def leaf():
        return None

    @profiler.profile
    def worker():
        for _ in range(ROUNDS):
            leaf()

    @profiler.profile
    def outer(pool):
        context_of_each = [contextvars.copy_context() for _ in range(THREADS)]
        for future in [pool.submit(context.run, worker) for context in context_of_each]:
            future.result(20)

    with ThreadPoolExecutor(THREADS) as pool:
        outer(pool)
    assert handler.counts() == {
        f"{ITEM}:outer.worker.leaf": THREADS * ROUNDS,
        f"{ITEM}:outer.worker": THREADS,
        f"{ITEM}:outer": 1,
    }
    assert_tree_at_rest(profiler)


@pytest.mark.usefixtures("many_switches")
def test_a_metric_used_by_all_threads_keeps_every_value() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    events = Counter("events", JOB, "events", {"worker"})
    profiler.add_metric(events)

    def body(index):
        labels = {"worker": str(index)}
        for number in range(ROUNDS * 2):
            events.inc(number, labels)
            if number % 50 == index:
                # Not always True: another thread may have stored a value by now.
                profiler.flush()

    run_in_threads(body, THREADS)
    assert profiler.flush() is True
    values = Tally((record["labels"]["worker"], record["value"][1]) for record in handler.records)
    assert values == {
        (str(index), float(number)): 1 for index in range(THREADS) for number in range(ROUNDS * 2)
    }


@pytest.mark.usefixtures("many_switches")
def test_several_profilers_in_several_threads_stay_apart() -> None:
    handlers = [CollectingHandler() for _ in range(3)]
    profilers = [make_profiler(handler) for handler in handlers]

    def layered():
        return None

    for profiler in profilers:
        layered = profiler.profile(layered)

    def body(index):
        for _ in range(ROUNDS):
            layered()
            for profiler in profilers:
                assert profiler.curr_node.get() is profiler.tree.root

    run_in_threads(body, THREADS)
    for handler, profiler in zip(handlers, profilers, strict=True):
        assert handler.counts() == {f"{ITEM}:layered": THREADS * ROUNDS}
        assert_tree_at_rest(profiler)


def test_short_lived_threads_leave_nothing() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def call():
        return None

    for _ in range(20):
        threads = [threading.Thread(target=call) for _ in range(20)]
        for thread in threads:
            thread.start()
        join_all(threads)
    assert handler.counts() == {f"{ITEM}:call": 400}
    assert_tree_at_rest(profiler)
