"""A real Prometheus that scrapes what processes serve together."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from collecting import DEADLINE_S, free_port, wait_until
from counting import Place

from tools.prometheus import PROMETHEUS

MISSING = "make .prometheus/.installed brings it"
CONFIGURATION = """
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
scrape_configs:
  - job_name: phanos
    honor_labels: true
{options}
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


def _version() -> tuple[int, ...]:
    """Return the version of the one that is there, or none."""
    if not PROMETHEUS.exists():
        return ()
    said = subprocess.run(
        [str(PROMETHEUS), "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    found = re.search(r"version (\d+)\.(\d+)", said.stdout + said.stderr)
    assert found, said
    return int(found[1]), int(found[2])


VERSION = _version()


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
def prometheus(
    place: Place, *, native: bool = False, options: tuple[str, ...] = ()
) -> Iterator[Prometheus]:
    """
    Run one that scrapes a place.

    Args:
        native: take histograms in their native form, by protobuf.
        options: lines of the job's configuration.
    """
    folder = place.runtime.parent
    configuration = folder / "prometheus.yml"
    if native and VERSION >= (3, 8):
        options = ("scrape_native_histograms: true", *options)
    lines = "\n".join(f"    {line}" for line in options)
    configuration.write_text(CONFIGURATION.format(port=place.port, options=lines))
    port = free_port()
    command = [
        str(PROMETHEUS),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
        # From 3.8 on the configuration says so.
        *(["--enable-feature=native-histograms"] if native and VERSION < (3, 8) else []),
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
