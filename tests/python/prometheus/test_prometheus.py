"""A real Prometheus scrapes what processes serve together; its answers are what was recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from collecting import wait_until
from counting import Place, Recorder, sum_of
from scraping import MISSING, PROMETHEUS, Prometheus, prometheus

pytestmark = [
    pytest.mark.prometheus,
    pytest.mark.skipif(not PROMETHEUS.exists(), reason=MISSING),
]
CALLS = 420
# Between two bounds of a native histogram, as a part of the lower one.
WIDTH = 2 ** (1 / 8) - 1
SIZES = "phanos_sizes_bytes"
TIMES = "phanos_time_profiler_seconds"


def errors(place: Place) -> list[str]:
    said = Path(place.runtime.parent / "prometheus.log").read_text()
    return [line for line in said.splitlines() if "level=error" in line.lower()]


def test_prometheus_sees_what_was_recorded(place: Place, recorder: Callable[..., Recorder]) -> None:
    processes = [recorder() for _ in range(3)]
    with prometheus(place) as server:
        recorded = []
        for process in processes:
            process.ask("record", 350)
            assert process.ask("flush")
        server.wait_for("sum(phanos_time_profiler_seconds_count)", 1050)
        # The leader goes; another serves the same series.
        leader = next(one for one in processes if one.pid == place.leader())
        recorded.append(leader.ask("counts"))
        leader.kill()
        rest = [process for process in processes if process is not leader]
        for process in rest:
            process.ask("record", 350)
            assert process.ask("flush")
            recorded.append(process.ask("counts"))
        total = sum_of(recorded)
        server.wait_for("sum(phanos_time_profiler_seconds_count)", total.total())
        server.wait_for("up", 1)
        for series in server.ask("phanos_time_profiler_seconds_count"):
            labels = series["metric"]
            key = f"{labels['method'].rpartition(':')[2]}:{labels['error_raised']}"
            assert (labels["job"], float(series["value"][1])) == ("JOB", total[key])
        assert len(server.ask("phanos_time_profiler_seconds_count")) == len(total)
        server.wait_for("sum(phanos_items_pieces_total)", 2 * total.total())
        assert not errors(place)


def recorded_values(processes: list[Recorder]) -> Counter[int]:
    """Have processes record; return how often each value was."""
    found: Counter[int] = Counter()
    for process in processes:
        process.ask("record", CALLS)
        assert process.ask("flush")
        for key, count in process.ask("values").items():
            found[int(key.rpartition(":")[2])] += count
    return found


def check_quantiles(server: Prometheus, histogram: str, values: Counter[int]) -> None:
    """Ask for the middle of what each value makes up."""
    below = 0
    for value, count in sorted(values.items()):
        quantile = (below + count / 2) / values.total()
        below += count
        [answer] = server.ask(f"histogram_quantile({quantile}, {histogram})")
        assert float(answer["value"][1]) == pytest.approx(value, rel=WIDTH, abs=1e-9)


def test_native_histograms_have_what_was_recorded(
    place: Place, recorder: Callable[..., Recorder]
) -> None:
    metrics = {"level": {"gauge_policy": "sum"}}
    processes = [recorder(kinds=True, metrics=metrics) for _ in range(2)]
    with prometheus(place, native=True) as server:
        values = recorded_values(processes)
        total = sum(value * count for value, count in values.items())
        server.wait_for(f"histogram_count(sum({SIZES}))", 2 * CALLS)
        assert server.value(f"histogram_sum(sum({SIZES}))") == total
        check_quantiles(server, f"sum({SIZES})", values)
        # Of each function alone.
        calls = sum_of(process.ask("counts") for process in processes)
        for series in server.ask(f"histogram_count({TIMES})"):
            labels = series["metric"]
            key = f"{labels['method'].rpartition(':')[2]}:{labels['error_raised']}"
            assert float(series["value"][1]) == calls.pop(key)
        assert not calls
        [mean] = server.ask(f"histogram_sum(sum({TIMES})) / histogram_count(sum({TIMES}))")
        assert 0 < float(mean["value"][1]) < 1
        # The other kinds are the same in protobuf.
        server.wait_for("sum(phanos_level_pieces)", 2 * CALLS)
        assert server.value("sum(phanos_shares_pieces_sum)") == total
        assert server.value("sum(phanos_shares_pieces_count)") == 2 * CALLS
        assert server.value("sum(phanos_items_pieces_total)") == 4 * CALLS
        assert not errors(place)


def test_classic_buckets_have_what_was_recorded(
    place: Place, recorder: Callable[..., Recorder]
) -> None:
    processes = [recorder(kinds=True) for _ in range(2)]
    with prometheus(place) as server:
        values = recorded_values(processes)
        server.wait_for(f"sum({SIZES}_count)", 2 * CALLS)

        def buckets() -> dict[float, float]:
            found = server.ask(f"sum by (le) ({SIZES}_bucket)")
            return {float(one["metric"]["le"]): float(one["value"][1]) for one in found}

        wait_until(lambda: buckets().get(float("inf")) == 2 * CALLS, buckets)
        assert len(buckets()) > 10
        for bound, count in buckets().items():
            assert count == sum(number for value, number in values.items() if value <= bound)
        assert server.value(f"sum({SIZES}_sum)") == sum(
            value * count for value, count in values.items()
        )
        assert not errors(place)
