"""A real Prometheus scrapes what processes serve together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from counting import Place, Recorder, sum_of
from scraping import PROMETHEUS, prometheus


@pytest.mark.skipif(not PROMETHEUS.exists(), reason="make .prometheus/.installed brings it")
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
        said = Path(place.runtime.parent / "prometheus.log").read_text()
        assert "level=error" not in said, said
