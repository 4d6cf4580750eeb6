"""`make demo-rabbitmq` shows that no record is lost, and ends by itself."""

from __future__ import annotations

import re
import subprocess
import sys

from oracle_runs import REPOSITORY

# Two starts of a node are in it.
DEADLINE_S = 55.0

COUNTED = re.compile(
    r"(?P<metric>\w+) +(?P<path>\S+:\S+) +(?P<recorded>[\d,]+) +(?P<received>[\d,]+)"
)
STATS = re.compile(r"(?P<name>\w+) +(?P<before>\S+) +(?P<down>\S+) +(?P<after>\S+)")


def run_demo() -> list[str]:
    """Run the demo; return the lines it printed."""
    finished = subprocess.run(
        [sys.executable, "-m", "demo.rabbitmq"],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, ""), finished.stdout
    return finished.stdout.splitlines()


def section(lines: list[str], start: str) -> list[str]:
    """The lines from the one that reads `start` to the next empty one."""
    rest = lines[lines.index(start) :]
    return rest[: rest.index("")] if "" in rest else rest


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_demo_loses_nothing_when_the_broker_is_killed():
    lines = run_demo()

    counts = {
        (found["metric"], found["path"]): (number(found["recorded"]), number(found["received"]))
        for line in section(lines, "Recorded and received")
        if (found := COUNTED.fullmatch(line))
    }
    assert len(counts) == 18
    assert all(recorded == received for recorded, received in counts.values())
    recorded = sum(recorded for recorded, _ in counts.values())

    confirmed = 0
    for handler in ("ImpProfHandler", "AsyncImpProfHandler"):
        rows = [STATS.fullmatch(line) for line in section(lines, f"{handler}.stats()")]
        stats = {row["name"]: row for row in rows if row}
        assert stats["state"]["before"] == stats["state"]["after"] == "connected"
        assert stats["state"]["down"] == "connecting"
        # The load went on without a broker, and all of it got through afterwards.
        assert number(stats["queued"]["down"]) > 0
        assert number(stats["queued"]["after"]) == number(stats["dropped"]["after"]) == 0
        assert number(stats["reconnects"]["after"]) >= 1
        confirmed += number(stats["confirmed"]["after"])
    assert confirmed == recorded > 100
