"""A handler in the process of the test: settings, what it serves, how it delivers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import phanos
import pytest
from collecting import wait_until
from counting import Place, Recorder
from phanos.publisher import Profiler, PrometheusHandler
from support import make_profiler


@pytest.fixture
def served(place: Place) -> Iterator[Callable[..., PrometheusHandler]]:
    made: list[PrometheusHandler] = []

    def make(**arguments: Any) -> PrometheusHandler:
        made.append(PrometheusHandler("prometheus", **{**place.arguments, **arguments}))
        return made[-1]

    yield make
    for handler in made:
        handler.close()


def counted(place: Place, name: str) -> float:
    return sum(value for (own, _), value in place.samples().items() if own == name)


def test_it_serves_as_soon_as_it_is_made(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    handler = served()
    place.wait_until_served()
    assert handler.url == f"http://127.0.0.1:{place.port}/metrics"
    assert place.get("/healthz") == "ok\n"
    assert place.get("/readyz") == "ready\n"
    assert handler.stats()["state"] == "connected"


def test_one_that_is_not_to_start_serves_with_its_first_record(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    handler = served(connect="lazy")
    assert handler.stats()["state"] == "idle"
    assert not place.runtime.exists()
    root = make_profiler(handler).profile(lambda: None)
    root()
    assert handler.flush()
    assert counted(place, "phanos_time_profiler_seconds_count") == 1


def test_what_was_flushed_is_counted(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    handler = served()
    profiler = make_profiler(handler)
    root = profiler.profile(lambda: None)
    for _ in range(500):
        root()
    assert profiler.flush()
    assert counted(place, "phanos_time_profiler_seconds_count") == 500
    for _ in range(500):
        root()
    assert asyncio.run(profiler.aflush())
    assert counted(place, "phanos_time_profiler_seconds_count") == 1000
    root()
    assert asyncio.run(handler.aflush())
    stats = handler.stats()
    assert (stats["handed_over"], stats["confirmed"], stats["queued"]) == (1001, 1001, 0)
    assert sum(stats["dropped"].values()) == 0


def test_a_profiler_that_is_asynchronous_takes_it(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    profiler = Profiler()
    profiler.async_config(job="JOB")
    profiler.add_handler(served())

    @profiler.profile
    async def root() -> None: ...

    async def main() -> bool:
        await asyncio.gather(*(root() for _ in range(100)))
        return await profiler.aflush()

    assert asyncio.run(main())
    assert counted(place, "phanos_time_profiler_seconds_count") == 100


def test_records_that_need_python_are_counted(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    handler = served()
    profiler = make_profiler(handler)
    gauge = phanos.metrics.Gauge("queue", "JOB", "", {"shard"})
    profiler.add_metric(gauge)

    @profiler.profile
    def root() -> None:
        gauge.set(7.0, label_values={"shard": 'a "quoted"\nž'})

    root()
    assert profiler.flush()
    assert counted(place, "phanos_queue") == 7
    labels = next(dict(pairs) for (name, pairs) in place.samples() if name == "phanos_queue")
    assert labels["shard"] == 'a \\"quoted\\"\\nž'


def test_a_synchronous_one_has_counted_when_a_call_returns(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    profiler = make_profiler(served(synchronous=True))
    profiler.profile(lambda: None)()
    assert counted(place, "phanos_time_profiler_seconds_count") == 1


def test_a_closed_one_serves_no_more_and_joins_again(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    handler = served()
    root = make_profiler(handler).profile(lambda: None)
    root()
    assert handler.close()
    assert not place.is_served()
    assert handler.stats()["state"] == "closed"
    root()
    assert asyncio.run(handler.aclose())
    root()
    assert handler.flush()
    # The others were of runs that have ended.
    assert counted(place, "phanos_time_profiler_seconds_count") == 1


def test_two_handlers_of_one_process_count_together(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    for _ in range(2):
        handler = served()
        make_profiler(handler).profile(lambda: None)()
        assert handler.flush()
    assert counted(place, "phanos_time_profiler_seconds_count") == 2


def test_counts_outlive_a_run_in_a_directory(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    directory = place.runtime.parent / "state"
    for run in range(1, 4):
        handler = served(state_directory=directory)
        make_profiler(handler).profile(lambda: None)()
        assert handler.flush()
        assert counted(place, "phanos_time_profiler_seconds_count") == run
        handler.close()


def test_it_is_made_by_a_dict(place: Place) -> None:
    profiler = Profiler()
    arguments = {**place.arguments, "metrics": {"time_profiler": {"buckets": [0.5, 60]}}}
    settings = {
        "job": "JOB",
        "handlers": {
            "prometheus": {
                "class": "phanos.handlers.PrometheusHandler",
                "handler_name": "prometheus",
                **arguments,
            }
        },
    }
    profiler.dict_config(settings)
    handler = profiler.handlers["prometheus"]
    assert type(handler) is phanos.publisher.PrometheusHandler
    profiler.profile(lambda: None)()
    assert profiler.flush()
    bounds = [
        dict(pairs)["le"]
        for (name, pairs) in place.samples()
        if name == "phanos_time_profiler_seconds_bucket"
    ]
    assert bounds == ["0.5", "60.0", "+Inf"]
    handler.close()


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ({"port": 0}, ValueError, "port must be from 1 to 65535, got 0"),
        ({"port": None}, TypeError, "port must be an int, got None"),
        ({"address": "here"}, ValueError, "address must be an IP address such as 127.0.0.1, got"),
        ({"address": 1}, TypeError, "address must be a str, got 1"),
        ({"state_directory": 1}, TypeError, "state_directory must be a path, got 1"),
        ({"connect": "later"}, ValueError, "connect must be 'eager' or 'lazy', got 'later'"),
        ({"synchronous": None}, TypeError, "synchronous must be a bool, got None"),
        ({"gauge_policy": "mean"}, ValueError, "gauge_policy must be one of last, sum, max, min"),
        ({"job_label": "le"}, ValueError, '"le" is no name of a label that is free for the job'),
        ({"zero_first_s": -1}, ValueError, "zero_first_s must be from 0 to"),
        ({"max_series": 0.5}, TypeError, "max_series must be an int, got 0.5"),
        ({"metrics": []}, TypeError, r"metrics must be a dict, got \[\]"),
        ({"metrics": {"a": {"x": 1}}}, ValueError, r"metrics: a: expected of buckets, gauge_polic"),
        ({"metrics": {"a": {"buckets": [2, 1]}}}, ValueError, r"buckets \[2.0, 1.0\] are no numb"),
        ({"metrics": {"a": {"buckets": "12"}}}, TypeError, "metrics: a: buckets must be numbers"),
        ({"token": "two words"}, ValueError, "a token is one or more visible ASCII characters"),
        ({"token": 5}, TypeError, "token must be a str, got int"),
        ({"logger": 5}, TypeError, "logger must be a logger or the name of one, got 5"),
        ({"unknown": 1}, TypeError, "unexpected keyword argument 'unknown'"),
    ],
)
def test_a_wrong_argument_is_told(
    place: Place, arguments: dict[str, Any], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        PrometheusHandler("prometheus", **{**place.arguments, **arguments})
    assert not place.runtime.exists()


def test_a_token_is_asked_for_and_shown_nowhere(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    handler = served(token="secret-token")
    wait_until(lambda: handler.stats()["state"] == "connected", handler.stats)
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        place.get()
    refused.value.close()
    given = urllib.request.Request(handler.url, headers={"Authorization": "Bearer secret-token"})
    with urllib.request.urlopen(given) as answer:
        assert answer.status == 200
    assert "secret-token" not in repr(vars(handler))


def test_a_port_that_something_else_has_is_named_and_records_wait(
    place: Place, served: Callable[..., PrometheusHandler], caplog: pytest.LogCaptureFixture
) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", place.port))):
        handler = served()
        root = make_profiler(handler).profile(lambda: None)
        for _ in range(10):
            root()

        def is_told() -> bool:
            root()
            return bool(handler.stats()["last_error"])

        with caplog.at_level(logging.INFO, logger="phanos"):
            wait_until(is_told, handler.stats)
            handler.flush(0.0)
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(warnings) == 1, caplog.text
        assert f"127.0.0.1:{place.port} is taken by another program" in warnings[0].getMessage()
        stats = handler.stats()
        assert stats["queued"] == stats["handed_over"] >= 10
    assert handler.flush(30.0)
    assert counted(place, "phanos_time_profiler_seconds_count") == handler.stats()["confirmed"]


def test_the_folder_is_the_users_own(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    place.folder.mkdir(parents=True, mode=0o777)
    place.folder.chmod(0o777)
    served()
    place.wait_until_served()
    for path, mode in [(place.runtime, 0o700), (place.folder, 0o700), ("socket", 0o600)]:
        assert stat.S_IMODE((place.folder / path).stat().st_mode) == mode, path


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user")
@pytest.mark.parametrize("how", ["another user's", "a link", "below a folder of all"])
def test_strangers_cannot_take_over(
    place: Place, served: Callable[..., PrometheusHandler], how: str
) -> None:
    if how == "another user's":
        place.runtime.mkdir()
        os.chown(place.runtime, 12345, 12345)
        told = "it is another user's"
    elif how == "a link":
        (place.runtime.parent / "elsewhere").mkdir()
        place.runtime.symlink_to("elsewhere")
        told = "something else is there"
    else:
        place.runtime.parent.chmod(0o777)
        told = "other users may move what is in it"
    handler = served()
    wait_until(lambda: handler.stats()["last_error"], handler.stats)
    assert told in handler.stats()["last_error"]
    assert not place.is_served()


def test_a_path_that_is_too_long_for_a_socket_is_told(
    place: Place, served: Callable[..., PrometheusHandler]
) -> None:
    handler = served(runtime_directory=str(place.runtime.parent / ("x" * 100)))
    wait_until(lambda: handler.stats()["last_error"], handler.stats)
    assert "its path is too long for a socket" in handler.stats()["last_error"]


def test_the_interpreter_may_be_held_during_a_scrape(
    place: Place, recorder: Callable[..., Recorder]
) -> None:
    leading = recorder()
    place.wait_until_served()
    other = recorder()
    pipe = place.runtime.parent / "pipe"
    os.mkfifo(pipe)
    leading.tell("hold", str(pipe))
    with pipe.open("wb", buffering=0) as held:
        # Opened by both: the interpreter of the leader stands still from now on.
        other.ask("record", 100)
        assert other.ask("flush")
        assert place.calls().total() == 100
        held.write(b"x")
    assert leading.answer() is True


def test_bad_records_of_users_are_logged_where_they_are_counted(
    place: Place, served: Callable[..., PrometheusHandler], caplog: pytest.LogCaptureFixture
) -> None:
    handler = served()
    record: Any = {"job": "JOB", "metric": "unheard of"}
    with caplog.at_level(logging.WARNING, logger="phanos"):
        handler.handle([record], "strange")
        assert handler.flush()

        def is_logged() -> bool:
            handler.flush()
            return "1 of 1 records not counted" in caplog.text

        wait_until(is_logged, lambda: caplog.text)
    assert json.dumps("strange") in caplog.text
