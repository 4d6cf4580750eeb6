"""What prometheus_client's parsers and Prometheus' own tools make of the page."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from collecting import Collector, LocalSender, record
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from tools.prometheus import PROMTOOL

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TRICKY = 'a "quoted"\\ line\nand ž'


@pytest.fixture
def filled(collector: Callable[..., Collector]) -> Collector:
    """A collector with some of everything."""
    running = collector()
    observed = [0.0, 0.09, 12.5, 3000.0]
    calls = [record("histogram", "mS", "A:root", ["observe", ms]) for ms in observed]
    failed = [record("histogram", "mS", "A:root", ["observe", 1.0], {"error_raised": True})]
    with LocalSender(running.socket) as sender:
        sender.send("time_profiler", calls + failed)
        sender.send("response_size", [record("histogram", "B", "A:root", ["observe", 48.0])])
        sender.send("requests", [record("counter", "", "A:root", ["inc", 3.0], {"path": TRICKY})])
        sender.send("wait", [record("summary", "mS", "A:root", ["observe", 250.0])])
        sender.send("users", [record("gauge", "", "A:root", ["set", 7.0])])
        sender.send("build", [record("info", "info", "A:root", ["info", {"version": "1.2"}])])
        sender.send("phase", [record("enum", "enum", "A:root", ["state", "up"])])
        sender.flush()
    return running


def test_the_text_format_is_parsed(filled: Collector) -> None:
    families = {
        family.name: family for family in parser.text_string_to_metric_families(filled.page())
    }
    times = families["phanos_time_profiler_seconds"]
    assert times.type == "histogram"
    values = {
        sample.name: sample.value for sample in times.samples if "error_raised" not in sample.labels
    }
    assert values["phanos_time_profiler_seconds_count"] == 4
    assert values["phanos_time_profiler_seconds_sum"] == pytest.approx(3.01259)
    (requests,) = families["phanos_requests"].samples
    assert (requests.value, requests.labels["path"]) == (3, TRICKY)
    assert families["phanos_wait_seconds"].type == "summary"
    assert families["phanos_users"].samples[0].value == 7
    assert families["phanos_collector_records"].type == "counter"


def test_openmetrics_is_parsed(filled: Collector) -> None:
    page = filled.page(OPENMETRICS)
    families = {family.name: family for family in openmetrics.text_string_to_metric_families(page)}
    kinds = {
        "phanos_time_profiler_seconds": ("histogram", "seconds"),
        "phanos_response_size_bytes": ("histogram", "bytes"),
        "phanos_requests": ("counter", ""),
        "phanos_wait_seconds": ("summary", "seconds"),
        "phanos_users": ("gauge", ""),
        "phanos_build": ("info", ""),
        "phanos_phase": ("stateset", ""),
    }
    for name, (kind, unit) in kinds.items():
        assert (families[name].type, families[name].unit) == (kind, unit), name
    (state,) = families["phanos_phase"].samples
    assert (state.labels["phanos_phase"], state.value) == ("up", 1)
    (facts,) = families["phanos_build"].samples
    assert facts.labels["version"] == "1.2"


@pytest.mark.prometheus
def test_promtool_has_nothing_to_say(filled: Collector) -> None:
    check = [str(PROMTOOL), "check", "metrics"]
    answer = subprocess.run(
        check, input=filled.page(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_the_page_is_the_same_after_a_restart(
    collector: Callable[..., Collector], tmp_path: Path
) -> None:
    running = collector("--state", str(tmp_path / "state"))
    with LocalSender(running.socket) as sender:
        sender.send("time_profiler", [record("histogram", "mS", "A:root", ["observe", 1.5])] * 100)
        sender.flush()
    own = "phanos_collector_"
    before = {key: value for key, value in running.samples().items() if not key[0].startswith(own)}
    running.kill()
    running.start()
    after = {key: value for key, value in running.samples().items() if not key[0].startswith(own)}
    assert after == before
    assert running.value("phanos_time_profiler_seconds_count") == 100
