"""`config` and `async_config`: arguments of both generations, and what each call keeps."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import warnings
from typing import Any

import pytest
from phanos import metrics, publisher
from profiler_state import state_of
from support import AsyncCollectingHandler, CollectingHandler, make_profiler

MODULE = __name__
BUILT_IN = {publisher.TIME_PROFILER, publisher.RESPONSE_SIZE}
BOTH = pytest.mark.parametrize("method", ["config", "async_config"])


def configured(method: str, *args: Any, **kwargs: Any) -> publisher.Profiler:
    profiler = publisher.Profiler()
    assert getattr(profiler, method)(*args, **kwargs) is None
    return profiler


@BOTH
def test_it_is_a_plain_call(method: str) -> None:
    assert not inspect.iscoroutinefunction(getattr(publisher.Profiler, method))
    profiler = configured(method)
    wanted = publisher.SyncExtProfiler if method == "config" else publisher.AsyncExtProfiler
    assert isinstance(profiler.profile_ext, wanted)


@BOTH
def test_defaults(method: str) -> None:
    profiler = configured(method)
    assert profiler.job == ""
    assert profiler.handle_records is True
    assert profiler.error_raised_label is True
    assert list(profiler.metrics) == [publisher.TIME_PROFILER]
    assert profiler.metrics[publisher.TIME_PROFILER] is profiler.time_profile
    assert profiler.resp_size_profile is None
    assert profiler.logger.name == "phanos.publisher"
    assert profiler.handlers == {}


@BOTH
def test_every_argument_by_name(method: str) -> None:
    logger = logging.getLogger("test_config.own")
    profiler = configured(
        method,
        logger=logger,
        job="JOB",
        time_profile=False,
        response_size_profile=True,
        handle_records=False,
        error_raised_label=False,
    )
    assert profiler.logger is logger
    assert profiler.job == "JOB"
    assert list(profiler.metrics) == [publisher.RESPONSE_SIZE]
    assert profiler.time_profile is None
    assert profiler.metrics[publisher.RESPONSE_SIZE] is profiler.resp_size_profile
    assert profiler.handle_records is False
    assert profiler.error_raised_label is False


@BOTH
def test_every_argument_by_position(method: str) -> None:
    logger = logging.getLogger("test_config.own")
    profiler = configured(method, logger, "JOB", False, False, True, False, False)
    assert profiler.logger is logger
    assert profiler.job == "JOB"
    assert list(profiler.metrics) == [publisher.RESPONSE_SIZE]
    assert profiler.handle_records is False
    assert profiler.error_raised_label is False


def test_built_in_metrics_take_job_and_logger() -> None:
    logger = logging.getLogger("test_config.own")
    profiler = configured("config", logger, "JOB", response_size_profile=True)
    for metric in profiler.metrics.values():
        assert metric.job == "JOB"
        assert metric.logger is logger
    assert profiler.tree.logger is logger


def test_response_size_goes_before_time() -> None:
    profiler = configured("config", response_size_profile=True)
    assert list(profiler.metrics) == [publisher.RESPONSE_SIZE, publisher.TIME_PROFILER]


@BOTH
def test_logger_may_be_a_name(method: str) -> None:
    profiler = configured(method, logger="test_config.by_name", job="JOB")
    assert profiler.logger is logging.getLogger("test_config.by_name")


def test_logger_may_be_an_adapter() -> None:
    adapter = logging.LoggerAdapter(logging.getLogger("test_config.adapted"), {})
    assert configured("config", adapter, "JOB").logger is adapter


@pytest.mark.parametrize("time_profile", [True, False])
@pytest.mark.parametrize("resp_size_profile", [True, False])
@pytest.mark.parametrize("handle_records", [True, False])
@BOTH
def test_a_bool_in_second_place_is_the_first_generations_form(
    method: str, time_profile: bool, resp_size_profile: bool, handle_records: bool
) -> None:
    logger = logging.getLogger("test_config.own")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        profiler = configured(method, logger, time_profile, resp_size_profile, handle_records)
    assert profiler.logger is logger
    assert profiler.job == ""
    assert set(profiler.metrics) == {
        *([publisher.TIME_PROFILER] if time_profile else []),
        *([publisher.RESPONSE_SIZE] if resp_size_profile else []),
    }
    assert profiler.handle_records is handle_records


def test_first_generations_form_takes_its_own_names() -> None:
    profiler = configured("config", None, True, resp_size_profile=False, handle_records=False)
    assert list(profiler.metrics) == [publisher.TIME_PROFILER]
    assert profiler.handle_records is False
    profiler = configured("config", None, time_profile=False, resp_size_profile=True)
    assert list(profiler.metrics) == [publisher.RESPONSE_SIZE]


@BOTH
def test_request_size_profile_is_deprecated(method: str) -> None:
    with pytest.warns(DeprecationWarning, match="response_size_profile"):
        profiler = configured(method, None, "JOB", request_size_profile=True)
    assert set(profiler.metrics) == BUILT_IN
    assert isinstance(profiler.resp_size_profile, metrics.ResponseSize)


def test_an_unknown_argument_is_named_in_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    profiler = configured("config", None, "JOB", tiem_profile=False)
    assert profiler.job == "JOB"
    assert list(profiler.metrics) == [publisher.TIME_PROFILER]
    [line] = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]
    assert "tiem_profile" in line


WRONG_TYPES = [
    ("job", 5, "str"),
    ("job", None, "str"),
    ("logger", 5, "name"),
    ("time_profile", "yes", "bool"),
    ("response_size_profile", 1.5, "bool"),
    ("handle_records", "False", "bool"),
    ("error_raised_label", [], "bool"),
]


@pytest.mark.parametrize(("name", "given", "expected"), WRONG_TYPES)
@pytest.mark.parametrize("before", ["configured", "new"])
@BOTH
def test_a_wrong_value_is_named_and_changes_nothing(
    method: str, before: str, name: str, given: Any, expected: str
) -> None:
    profiler = publisher.Profiler() if before == "new" else make_profiler(CollectingHandler())
    state = state_of(profiler)
    arguments = {"job": "OTHER", "response_size_profile": True, "error_raised_label": False}
    with pytest.raises((TypeError, ValueError)) as raised:
        getattr(profiler, method)(**{**arguments, name: given})
    message = str(raised.value)
    assert name in message
    assert expected in message
    assert repr(given) in message or type(given).__name__ in message
    assert state_of(profiler) == state


def test_a_profiler_with_a_refused_configuration_goes_on_recording() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, error_raised_label=False)

    @profiler.profile
    def work() -> None:
        pass

    with pytest.raises((TypeError, ValueError), match="handle_records"):
        profiler.config(job="OTHER", error_raised_label=True, handle_records="no")  # type: ignore[arg-type]
    work()
    [record] = handler.records
    assert (record["job"], record["labels"]) == ("TEST", {})


def test_config_refuses_attached_async_handlers() -> None:
    profiler = make_profiler(AsyncCollectingHandler("is_async"), CollectingHandler("is_sync"))
    state = state_of(profiler)
    with pytest.raises(ValueError, match="is_async"):
        profiler.config(job="OTHER", error_raised_label=False)
    assert state_of(profiler) == state
    profiler.delete_handler("is_async")
    profiler.config(job="OTHER")
    assert profiler.job == "OTHER"


def test_async_config_takes_over_a_sync_profiler() -> None:
    async def main() -> None:
        sync_handler, async_handler = CollectingHandler(), AsyncCollectingHandler()
        profiler = make_profiler(sync_handler)
        profiler.async_config(job="ASYNC")
        profiler.add_handler(async_handler)

        @profiler.profile
        async def work() -> None:
            pass

        await work()
        assert [record["job"] for record in sync_handler.records] == ["ASYNC"]
        assert sync_handler.records == async_handler.records

    asyncio.run(main())


def test_configuring_again_replaces_built_in_metrics_and_keeps_the_rest() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler, response_size_profile=True)
    own = metrics.Counter("a_counter", "TEST", "units")
    profiler.add_metric(own)
    hook = lambda func, args, kwargs: None  # noqa: E731
    profiler.before_func = hook
    old_time, old_size, tree = profiler.time_profile, profiler.resp_size_profile, profiler.tree

    profiler.config(job="OTHER", response_size_profile=True)
    assert profiler.handlers == {handler.handler_name: handler}
    assert profiler.metrics["a_counter"] is own
    assert profiler.before_func is hook
    assert profiler.tree is tree
    assert profiler.time_profile is not old_time
    assert profiler.resp_size_profile is not old_size
    assert profiler.metrics[publisher.TIME_PROFILER] is profiler.time_profile
    assert profiler.metrics[publisher.RESPONSE_SIZE] is profiler.resp_size_profile

    @profiler.profile
    def work() -> None:
        pass

    work()
    assert [record["job"] for record in handler.of_metric(publisher.TIME_PROFILER)] == ["OTHER"]


def test_records_of_replaced_metrics_still_go_out() -> None:
    handler = CollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    def leaf() -> None:
        pass

    @profiler.profile
    def root() -> None:
        leaf()
        profiler.config(job="OTHER")

    root()
    rows = [(record["job"], record["method"]) for record in handler.records]
    assert rows == [("TEST", f"{MODULE}:root.leaf")]


@pytest.mark.parametrize("error_raised_label", [True, False])
def test_error_raised_label(error_raised_label: bool) -> None:
    handler = CollectingHandler()
    profiler = make_profiler(
        handler, response_size_profile=True, error_raised_label=error_raised_label
    )
    own = metrics.Counter("a_counter", "TEST", "units")
    profiler.add_metric(own)

    @profiler.profile
    def work() -> None:
        own.inc(1)
        raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        work()
    labels = {record["metric"]: record["labels"] for record in handler.records}
    if error_raised_label:
        assert labels == {"histogram": {"error_raised": True}, "counter": {"error_raised": False}}
    else:
        assert labels == {"histogram": {}, "counter": {}}


def test_the_logger_of_the_profiler_hears_of_its_warnings(
    caplog: pytest.LogCaptureFixture,
) -> None:
    profiler = configured("config", logging.getLogger("test_config.heard"), "JOB")
    profiler.delete_metric("never_added")
    [entry] = caplog.records
    assert entry.name == "test_config.heard"
    assert re.match(r"phanos - .*never_added", entry.getMessage())
