"""`to_records` of a user's own: what it may give, and who else records meanwhile."""

from __future__ import annotations

import logging
from collections import deque

import greenlet
import pytest
from phanos.metrics import Counter, Histogram
from support import (
    JOB,
    CollectingHandler,
    assert_tree_at_rest,
    make_profiler,
    output_of,
)


def recording(cls, handler, **settings):
    """A profiler with one metric of class `cls`, and a profiled call that adds a value."""
    profiler = make_profiler(handler, time_profile=False, **settings)
    metric = cls("own", JOB, "units")
    profiler.add_metric(metric)

    @profiler.profile
    def add(value):
        metric.inc(value)

    return profiler, metric, add


def values(handler) -> list[float]:
    return [record["value"][1] for record in handler.records]


def yielded(records):
    yield from records


@pytest.mark.parametrize("form", [list, tuple, iter, deque, yielded])
def test_any_iterable_of_records_is_handed_over(form) -> None:
    class Own(Counter):
        def to_records(self):
            return form([{**record, "units": "own"} for record in super().to_records()])

    handler = CollectingHandler()
    profiler, metric, add = recording(Own, handler)
    add(1)
    add(2)
    assert values(handler) == [1.0, 2.0]
    assert {record["units"] for record in handler.records} == {"own"}
    assert all(type(batch) is list for _, batch in handler.batches)
    assert list(metric.values) == []
    assert_tree_at_rest(profiler)


@pytest.mark.parametrize("form", [list, tuple, iter, yielded])
def test_no_records_are_no_batch(form) -> None:
    class Silent(Counter):
        def to_records(self):
            return form([])

    handler = CollectingHandler()
    _, metric, add = recording(Silent, handler)
    add(1)
    assert handler.batches == []
    assert list(metric.values) == []


@pytest.mark.parametrize("given", [None, 17, "records", b"records", {"item": "one"}])
def test_what_is_no_iterable_of_records_is_told_once_and_costs_no_record(
    given, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(Counter):
        def to_records(self):
            return given

    handler = CollectingHandler()
    profiler, metric, add = recording(Wrong, handler)
    with caplog.at_level(logging.WARNING):
        for value in range(3):
            add(value)
    assert values(handler) == [0.0, 1.0, 2.0]
    assert list(metric.values) == []
    complaints = [record.getMessage() for record in caplog.records]
    assert len(complaints) == 1
    for part in ("'own'", "to_records", "iterable of records", repr(given), type(given).__name__):
        assert part in complaints[0]
    assert_tree_at_rest(profiler)


def test_a_generator_that_raises_costs_no_record(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Counter):
        def to_records(self):
            yield super().to_records()[0]
            raise ValueError("from the generator")

    handler = CollectingHandler()
    profiler, metric, add = recording(Broken, handler)
    with caplog.at_level(logging.ERROR):
        add(1)
    assert values(handler) == [1.0]
    assert list(metric.values) == []
    assert [str(record.exc_info[1]) for record in caplog.records] == ["from the generator"]
    assert_tree_at_rest(profiler)


def test_what_is_no_iterable_costs_no_record_of_a_deleted_metric(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Wrong(Counter):
        def to_records(self):
            return None

    def add_one_more(records, name):
        if len(records) == 1 and records[0]["value"][1] == 1.0:
            metric.inc(2)

    handler = CollectingHandler(on_handle=add_one_more)
    profiler, metric, _ = recording(Wrong, handler)
    metric.inc(1)
    with caplog.at_level(logging.ERROR):
        profiler.delete_metric("own")
    assert values(handler) == [1.0, 2.0]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("where", ["to_records", "cleanup"])
def test_greenlets_that_record_while_another_converts_lose_nothing(where: str) -> None:
    main = greenlet.getcurrent()

    class Switching(Counter):
        def pause(self, step):
            if step == where and greenlet.getcurrent() is converting:
                main.switch()

        def to_records(self):
            self.pause("to_records")
            return super().to_records()

        def cleanup(self):
            self.pause("cleanup")
            super().cleanup()

    handler = CollectingHandler()
    profiler, metric, add = recording(Switching, handler)
    converting = greenlet.greenlet(lambda: add(1))
    converting.switch()
    assert not converting.dead
    metric.inc(2)
    assert [value for _, value in metric.values] == [2.0]
    add(3)
    converting.switch()
    assert converting.dead
    profiler.flush()
    assert sorted(values(handler)) == [1.0, 2.0, 3.0]
    assert profiler.get_records_count() == 0
    assert_tree_at_rest(profiler)


def test_greenlet_imported_while_records_are_converted_costs_nothing() -> None:
    printed = output_of(
        """
        import sys
        from phanos.metrics import Counter
        from support import JOB, CollectingHandler, make_profiler

        class Importing(Counter):
            def to_records(self):
                assert "greenlet" not in sys.modules or handler.records
                import greenlet
                return super().to_records()

        handler = CollectingHandler()
        profiler = make_profiler(handler, time_profile=False)
        metric = Importing("own", JOB, "units")
        profiler.add_metric(metric)

        @profiler.profile
        def add(value):
            metric.inc(value)

        add(1)
        add(2)
        assert [record["value"][1] for record in handler.records] == [1.0, 2.0]
        assert profiler.flush() is True
        """
    )
    assert printed == ""


@pytest.mark.parametrize("who_forks", ["another thread", "the conversion itself"])
def test_a_child_forked_during_a_conversion_starts_without_records(who_forks: str) -> None:
    printed = output_of(
        """
        import os, sys, threading, warnings
        from phanos.metrics import Counter
        from support import DEADLINE_S, JOB, CollectingHandler, make_profiler

        # From 3.12 on Python warns of forks beside threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        inside, leave = threading.Event(), threading.Event()
        other_thread = sys.argv[1] == "another thread"
        child = None

        class Slow(Counter):
            def to_records(self):
                global child
                if not inside.is_set():
                    inside.set()
                    if other_thread:
                        leave.wait(DEADLINE_S)
                    else:
                        child = os.fork()
                return super().to_records()

        handler = CollectingHandler()
        profiler = make_profiler(handler, time_profile=False)
        metric = Slow("own", JOB, "units")
        profiler.add_metric(metric)

        @profiler.profile
        def add(value):
            metric.inc(value)

        if other_thread:
            thread = threading.Thread(target=add, args=(1,), daemon=True)
            thread.start()
            assert inside.wait(DEADLINE_S)
            child = os.fork()
        else:
            add(1)
        if child:
            leave.set()
            if other_thread:
                thread.join(DEADLINE_S)
            assert [record["value"][1] for record in handler.records] == [1.0]
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        assert profiler._core.waiting == 0
        assert len(metric.values) == 0
        thread = threading.Thread(target=add, args=(2,))
        thread.start()
        thread.join(DEADLINE_S)
        add(3)
        assert [record["value"][1] for record in handler.records] == [2.0, 3.0]
        assert profiler.flush() is True
        os._exit(0)
        """,
        who_forks,
    )
    assert printed == ""


def test_an_operation_of_ones_own_called_in_a_conversion_is_kept() -> None:
    class Counting(Histogram):
        def to_records(self):
            records = super().to_records()
            if len(records) == 1:
                self.store_operation(operation="observe", value=len(records), label_values={})
            return records

    handler = CollectingHandler()
    profiler = make_profiler(handler, time_profile=False)
    metric = Counting("own", JOB, "units")
    profiler.add_metric(metric)
    metric.observe(5)
    profiler.flush()
    profiler.flush()
    assert values(handler)[0] == 5.0
    assert 1.0 in values(handler)
    profiler.delete_metric("own")
