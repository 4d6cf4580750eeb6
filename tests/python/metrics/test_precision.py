"""How exactly durations are recorded: two decimals of a millisecond, or as many as asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from phanos import publisher
from phanos.handlers import PrometheusHandler
from support import CollectingHandler, make_profiler


class OwnSteps(publisher.SyncExtProfiler):
    """Takes the steps of a call in Python."""

    def sync_inner(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        return super().sync_inner(func, *args, **kwargs)


def durations(profiler: publisher.Profiler, handler: CollectingHandler) -> list[float]:
    @profiler.profile
    def leaf() -> None: ...

    @profiler.profile
    def root() -> None:
        for _ in range(200):
            leaf()

    root()
    return [record["value"][1] for record in handler.records if record["method"].endswith("leaf")]


@pytest.mark.parametrize("own_steps", [False, True])
@pytest.mark.parametrize("decimals", [0, 2, 3, 6])
def test_as_many_decimals_as_asked_for(
    decimals: int, own_steps: bool, handler: CollectingHandler
) -> None:
    profiler = make_profiler(handler, time_decimals=decimals)
    if own_steps:
        profiler.profile_ext = OwnSteps(profiler)
    found = durations(profiler, handler)
    assert len(found) == 200
    assert all(type(value) is float and round(value, decimals) == value for value in found)
    if decimals == 6:  # Nanoseconds: a call takes some, and is never a whole hundredth by chance.
        assert sum(found) > 0
        assert any(round(value, 2) != value for value in found)


def test_many_short_calls_add_up(handler: CollectingHandler) -> None:
    assert sum(durations(make_profiler(handler, time_decimals=6), handler)) > 0


def test_decimals_can_be_set_on_the_metric(
    profiler: publisher.Profiler, handler: CollectingHandler
) -> None:
    assert profiler.time_profile is not None
    profiler.time_profile.decimals = 6
    assert any(round(value, 2) != value for value in durations(profiler, handler))


def test_prometheus_gets_nanoseconds_unless_others_get_the_same_records(
    handler: CollectingHandler, tmp_path: Path
) -> None:
    prometheus = PrometheusHandler("prometheus", runtime_directory=tmp_path, connect="lazy")
    profiler = make_profiler(prometheus)

    @profiler.profile
    def leaf() -> None: ...

    @profiler.profile
    def root() -> list[float]:
        for _ in range(50):
            leaf()
        assert profiler.time_profile is not None
        found = [value for _, value in profiler.time_profile.values]
        profiler.time_profile.cleanup()  # Nothing is handed over: no server begins.
        profiler.delete_handlers()
        return found

    assert any(round(value, 2) != value for value in root())
    profiler.clear()
    profiler.add_handler(prometheus)
    profiler.add_handler(handler)
    found = root()
    assert len(found) == 50
    assert all(round(value, 2) == value for value in found)


def test_two_decimals_again_without_the_setting(handler: CollectingHandler) -> None:
    profiler = make_profiler(handler, time_decimals=6)
    profiler.config(job="again")
    assert profiler.time_profile is not None
    assert profiler.time_profile.decimals == 2
    assert all(round(value, 2) == value for value in durations(profiler, handler))


@pytest.mark.parametrize(
    ("given", "error"), [(7, ValueError), (-1, ValueError), (2.0, TypeError), (True, TypeError)]
)
def test_decimals_are_checked(given: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"time_decimals must be .*, got"):
        publisher.Profiler().config(time_decimals=given)
