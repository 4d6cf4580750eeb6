"""The dashboard for Grafana: each of its queries is asked of a real Prometheus."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from collecting import wait_until
from counting import Place, Recorder
from scraping import MISSING, PROMETHEUS, Prometheus, prometheus

FILE = Path(__file__).parents[3] / "examples" / "prometheus" / "phanos.dashboard.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())
# What Grafana puts in the place of its variables; the scrapes of the test are 200 ms apart.
VALUES = {"$__rate_interval": "2s", "$job": ".*", "$item": ".*"}
# They have samples only where something is wrong.
QUIET = ("bad_records", "overflowed_records")


def queries() -> list[tuple[str, str]]:
    """Title and query of each row of each panel."""
    return [
        (panel["title"], target["expr"])
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ]


def filled_in(query: str) -> str:
    for name, value in VALUES.items():
        query = query.replace(name, value)
    assert "$" not in query.replace("$1$2", ""), query
    return query


def has_data(server: Prometheus, query: str) -> bool:
    return any(series["value"][1] != "NaN" for series in server.ask(query))


def test_its_parts_have_names_that_stay() -> None:
    assert DASHBOARD["uid"] == "phanos-call-tree"
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identities)) == len(identities)
    for panel in DASHBOARD["panels"]:
        assert panel["description"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for title, query in queries():
        assert "rate(" not in query or "[$__rate_interval]" in query, title


@pytest.mark.prometheus
@pytest.mark.skipif(not PROMETHEUS.exists(), reason=MISSING)
def test_each_query_has_an_answer(place: Place, recorder: Callable[..., Recorder]) -> None:
    process = recorder()
    with prometheus(place) as server:
        process.ask("load")
        server.wait_for("up", 1)
        for title, query in queries():
            asked = filled_in(query)
            if any(name in query for name in QUIET):
                server.ask(asked)
            else:
                wait_until(lambda asked=asked: has_data(server, asked), f"{title}: {asked}")
        process.ask("counts")


@pytest.mark.prometheus
@pytest.mark.skipif(not PROMETHEUS.exists(), reason=MISSING)
def test_calls_for_each_root_call(place: Place, recorder: Callable[..., Recorder]) -> None:
    [query] = [query for title, query in queries() if title.startswith("Called many times")]
    process = recorder()
    with prometheus(place) as server:
        process.ask("nest")
        server.wait_for("up", 1)

        def answer() -> dict[str, float]:
            found = server.ask(filled_in(query))
            return {one["metric"]["method"]: float(one["value"][1]) for one in found}

        # 48 calls of `leaf` for each `nested`, which a scrape never sees in part.
        wait_until(
            lambda: {round(n) for path, n in answer().items() if "leaf" in path} == {48},
            lambda: str(answer()),
        )
        process.ask("counts")
