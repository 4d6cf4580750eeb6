"""Pausing, the environment, attributes that do not exist, and how a profiler says how it is."""

from __future__ import annotations

import json
import logging
from typing import Any

import phanos
import pytest
from phanos import publisher
from phanos.handlers import NamedLoggerHandler, StreamHandler
from support import CollectingHandler, make_profiler


def test_a_paused_profiler_records_nothing_and_goes_on(
    profiler: publisher.Profiler, handler: CollectingHandler
) -> None:
    @profiler.profile
    def root() -> None: ...

    @profiler.profile
    def pauses() -> None:
        profiler.pause()
        root()

    pauses()
    assert handler.methods() == [f"{__name__}:pauses"]  # It began before.
    root()
    assert len(handler.records) == 1
    assert not profiler.needs_profiling()
    assert profiler.handle_records is True
    profiler.resume()
    root()
    assert len(handler.records) == 2


@pytest.mark.parametrize(
    ("value", "enabled"), [("0", False), ("off", False), ("No", False), ("1", True), ("", True)]
)
def test_the_environment_switches_on_and_off(
    value: str, enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHANOS_ENABLED", value)
    assert make_profiler().handle_records is enabled
    assert make_profiler(handle_records=False).handle_records is (value == "1")


def test_the_environment_gives_job_and_sample_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHANOS_JOB", "from outside")
    monkeypatch.setenv("PHANOS_SAMPLE_RATE", " 0.125 ")
    profiler = publisher.Profiler()
    profiler.dict_config({"sample_rate": 0.5})
    assert (profiler.job, profiler.sample_rate) == ("from outside", 0.125)
    profiler.config(job="from inside")
    assert (profiler.job, profiler.sample_rate) == ("from outside", 0.125)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PHANOS_ENABLED", "maybe"), ("PHANOS_SAMPLE_RATE", "2"), ("PHANOS_SAMPLE_RATE", "few")],
)
def test_what_the_environment_says_is_checked(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiler = make_profiler(job="before")
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=rf"^{name} must be .*, got '{value}'$"):
        profiler.config(job="after")
    assert profiler.job == "before"


def test_configuring_again_without_a_rate_records_everything() -> None:
    profiler = make_profiler(sample_rate=0.5)
    profiler.config(job="again")
    assert profiler.sample_rate == 1


def test_an_attribute_that_does_not_exist_is_warned_of() -> None:
    profiler = publisher.Profiler()
    with pytest.warns(
        UserWarning, match=r"no attribute 'sample_rte'.*did you mean 'sample_rate'\?"
    ):
        profiler.sample_rte = 0.1  # type: ignore[attr-defined]
    profiler.sample_rte = 0.2  # type: ignore[attr-defined]  # It exists now.
    # What there is can be set, as in 0.3.2; so can a subclass have its own.
    profiler.job = "job"
    profiler.RECORDS_LEN_LIMIT = 5
    profiler.logger = logging.getLogger("own")
    profiler.before_func = None

    class Own(publisher.Profiler):
        pass

    Own().anything = 1  # type: ignore[attr-defined]


class Telling(CollectingHandler):
    """A handler of users' own that says how it is."""

    def stats(self) -> dict[str, Any]:
        return {"queued": 3}


class Broken(CollectingHandler):
    """One that cannot."""

    def stats(self) -> dict[str, Any]:
        raise OSError("gone")


def test_stats_of_profiler_and_handlers() -> None:
    profiler = make_profiler(Telling("telling"), Broken("broken"), StreamHandler("out"))
    profiler.pause()
    stats = profiler.stats()
    assert json.loads(json.dumps(stats)) == stats
    assert stats == {
        "enabled": False,
        "paused": True,
        "sample_rate": 1.0,
        "job": "TEST",
        "waiting": 0,
        "dropped": 0,
        "paths": 0,
        "paths_refused": 0,
        "handlers": {
            "telling": {"class": "Telling", "queued": 3},
            "broken": {"class": "Broken", "error": "OSError: gone"},
            "out": {"class": "StreamHandler"},
        },
    }


def test_stats_count_what_waits_and_what_was_dropped() -> None:
    profiler = make_profiler(CollectingHandler())
    profiler.RECORDS_ERR_LIMIT = 2  # One for each metric.
    counter = phanos.metrics.Counter("counter", "JOB", "units")
    profiler.add_metric(counter)
    for _ in range(3):
        counter.inc(1)
    assert profiler.stats()["waiting"] == 3
    profiler.delete_handlers()
    for _ in range(3):
        counter.inc(1)
    profiler.flush(0)
    assert profiler.stats()["dropped"] == 2
    assert profiler.stats()["waiting"] == 1


def test_the_text_forms_say_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    profiler = make_profiler(NamedLoggerHandler("log", "shop.profiling"))
    assert repr(profiler) == (
        "<Profiler enabled, job='TEST', metrics=['time_profiler'], "
        "handlers=[NamedLoggerHandler('log', logger='shop.profiling', level=DEBUG)]>"
    )
    profiler.pause()
    assert repr(profiler).startswith("<Profiler paused, ")
    profiler.delete_handlers()
    profiler.resume()
    assert repr(profiler).startswith("<Profiler disabled, ")
    assert repr(profiler.time_profile) == (
        "TimeProfiler('time_profiler', job='TEST', units='mS', 0 waiting)"
    )


def test_text_forms_of_what_was_not_initialised() -> None:
    class Own(StreamHandler):
        def __init__(self) -> None:
            pass

    class OwnMetric(phanos.metrics.Counter):
        def __init__(self) -> None:
            pass

    assert "Own object at" in repr(Own())
    assert "OwnMetric object at" in repr(OwnMetric())
