"""A real Prometheus scrapes what processes serve together."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from collecting import DEADLINE_S, free_port, wait_until
from counting import Place, Recorder, sum_of

from tools.prometheus import PROMTOOL

PROMETHEUS = PROMTOOL.with_name("prometheus")
CONFIGURATION = """
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
scrape_configs:
  - job_name: phanos
    honor_labels: true
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


class Prometheus:
    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return the series that a query has now."""
        text = urllib.parse.urlencode({"query": query})
        url = f"http://127.0.0.1:{self._port}/api/v1/query?{text}"
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result

    def value(self, query: str) -> float:
        try:
            return sum(float(series["value"][1]) for series in self.ask(query))
        except OSError:
            return -1.0

    def wait_for(self, query: str, expected: float) -> None:
        def complaint() -> str:
            return f"{query}: {self.value(query)} instead of {expected}"

        wait_until(lambda: self.value(query) == expected, complaint)


@contextmanager
def prometheus(place: Place) -> Iterator[Prometheus]:
    folder = place.runtime.parent
    configuration = folder / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(port=place.port))
    port = free_port()
    command = [
        str(PROMETHEUS),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


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
