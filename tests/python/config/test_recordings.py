"""`phanos.testing`: what a test called, asked and asserted; and the profiler as it was found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import phanos
import pytest
from phanos import metrics, publisher
from phanos.testing import Recording, recording
from profiler_state import state_of
from support import SUBPROCESS_DEADLINE_S, CollectingHandler, make_profiler

HERE = __name__


@phanos.profile
def query() -> None: ...


class Orders:
    """What a test calls."""

    @phanos.profile
    def get(self, number: int) -> None:
        self.load(number)

    @phanos.profile
    def load(self, number: int) -> None:
        for _ in range(number):
            query()


@pytest.fixture
def calls() -> Any:
    with recording() as calls:
        yield calls


def test_calls_are_counted_by_path_and_by_the_end_of_it(calls: Recording) -> None:
    Orders().get(3)
    query()
    assert calls.counts == {
        "Orders:get": 1,
        "Orders:get.load": 1,
        "Orders:get.load.query": 3,
        f"{HERE}:query": 1,
    }
    for path in ("Orders.get > load", "get > load", "get>load", "load", "Orders:get > load"):
        calls.assert_called(path, times=1)
    calls.assert_called("query", times=4)
    calls.assert_called("load > query", times=3)
    calls.assert_called("query")
    calls.assert_not_called("Orders.get > query")
    calls.assert_not_called("uery")
    assert calls.times("nothing > Orders.get") == 0


def test_what_is_not_as_expected_is_shown(calls: Recording) -> None:
    with pytest.raises(AssertionError, match=r"expected a call of 'get', got 0 calls"):
        calls.assert_called("get")
    Orders().get(40)
    with pytest.raises(AssertionError, match=r"expected 1 call of 'query', got 40 calls") as e:
        calls.assert_called("query", times=1)
    assert "repeated 40 times" in str(e.value)
    with pytest.raises(AssertionError, match=r"expected 0 calls of 'load', got 1 call\."):
        calls.assert_not_called("load")
    with pytest.raises(ValueError, match=r"expected calls separated by >, .*, got 'get >'"):
        calls.times("get >")


def test_a_budget(calls: Recording) -> None:
    Orders().get(3)
    calls.at_most(query=3, load=1)
    calls.at_most({"Orders.get > load": 1}, nothing=0)
    Orders().get(1)
    with pytest.raises(AssertionError, match=r"expected at most 3 calls of 'query', got 4 calls\."):
        calls.at_most(query=3)
    with pytest.raises(AssertionError, match=r"at most 1 call of 'get > load', got 2 calls\."):
        calls.at_most({"get > load": 1})


def test_records_of_all_metrics_and_a_tree(calls: Recording) -> None:
    counter = metrics.Counter("orders", "JOB", "orders")
    phanos.profiler.add_metric(counter)
    Orders().get(1)
    counter.inc(2)
    assert [record["value"] for record in calls.records][-1] == ("inc", 2.0)
    assert [line.split()[0] for line in calls.tree.splitlines()] == ["Orders:get", "└─", "└─"]


def test_the_profiler_is_as_it_was_found() -> None:
    profiler = make_profiler(handler := CollectingHandler(), time_profile=False, sample_rate=0.5)
    profiler.add_metric(counter := metrics.Counter("orders", "JOB", "orders"))
    profiler.before_func = lambda *_: None
    profiler.pause()
    counter.inc(1)
    before = state_of(profiler)
    with recording(profiler) as calls:
        assert handler.methods() == [""]  # What waited was not of the test.

        @profiler.profile
        def root() -> None: ...

        root()
        profiler.add_handler(CollectingHandler("of the program"))
        profiler.config(job="changed")
        root()
    assert state_of(profiler) == before
    assert (profiler.sample_rate, profiler.stats()["paused"]) == (0.5, True)
    root()
    assert (len(calls.counts), calls.times("root"), len(handler.records)) == (1, 2, 1)


def test_a_profiler_that_is_not_configured_records_meanwhile() -> None:
    profiler = publisher.Profiler()

    @profiler.profile
    def root() -> None: ...

    with recording(profiler) as calls:
        root()
    root()
    assert calls.times("root") == 1
    assert (profiler.profile_ext, profiler.metrics, profiler.handlers) == (None, {}, {})


def test_a_recording_is_entered_once_and_of_a_profiler() -> None:
    with recording(publisher.Profiler()) as calls:
        pass
    with pytest.raises(RuntimeError, match="a recording can be entered once"), calls:
        pass
    with pytest.raises(TypeError, match="recording expects a Profiler, got 5"):
        recording(5)  # type: ignore[arg-type]


def test_reset_leaves_a_profiler_as_it_is_made(handler: CollectingHandler) -> None:
    profiler = make_profiler(handler, response_size_profile=True, error_raised_label=False)
    counter = metrics.Counter("orders", "JOB", "orders")
    profiler.add_metric(counter)
    profiler.after_func = lambda *_: None
    profiler.sample_rate = 0.5
    profiler.pause()
    counter.inc(1)
    profiler.reset()
    assert len(handler.records) == 1
    fresh = publisher.Profiler()
    assert repr(profiler) == repr(fresh)
    assert profiler.stats() == fresh.stats()
    own = {"tree", "curr_node"}
    made, expected = state_of(profiler), state_of(fresh)
    assert {k: made[k] for k in made.keys() - own} == {k: expected[k] for k in made.keys() - own}
    with pytest.raises(RuntimeError, match="not configured"):
        profiler.add_handler(handler)


TEST_FILE = """
import phanos

@phanos.profile
def query():
    pass

def test_few(phanos_calls):
    query()
    phanos_calls.at_most(query=1)

def test_many(phanos_calls):
    for _ in range(5):
        query()
    phanos_calls.at_most(query=3)

def test_afterwards():
    assert phanos.profiler.handlers == {}
"""


def test_the_plugin_makes_a_repeated_query_a_failing_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["phanos.pytest_plugin"]\n')
    (tmp_path / "test_app.py").write_text(TEST_FILE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SUBPROCESS_DEADLINE_S,
        check=False,
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    assert "expected at most 3 calls of 'query', got 5 calls. What was called:" in done.stdout
