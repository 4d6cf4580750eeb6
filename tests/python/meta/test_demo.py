"""`make demo` shows the records of real requests and ends by itself."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[3]
DEADLINE_S = 30.0

RECORD = re.compile(
    r"profiler: (time_profiler|response_size), method: (\S+), value: (\d+\.\d+) (?:mS|B), "
    r"labels: error_raised=(True|False)"
)
BRANCH = re.compile(r"(?P<indent>[│├└─ ]+)(?P<name>\w+) +(?P<calls>\d+) +(?P<rest>[\d. ]+)")


def run_demo() -> list[str]:
    """Run the demo; return the lines it printed."""
    finished = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout.splitlines()


def drawn_calls(lines: list[str]) -> dict[str, int]:
    """Read the drawn tree back: how often each path was called."""
    calls: dict[str, int] = {}
    owner, names = "", []
    for line in lines:
        branch = BRANCH.fullmatch(line)
        if branch is None:
            owner, names = line, []
        else:
            # Each level is three columns wide, the first one included.
            names[len(branch["indent"]) // 3 - 1 :] = [branch["name"]]
            calls[f"{owner}:{'.'.join(names)}"] = int(branch["calls"])
    return calls


def test_demo_draws_the_records_it_printed():
    lines = run_demo()
    records = [found for line in lines if (found := RECORD.fullmatch(line))]
    timed = Counter(record[2] for record in records if record[1] == "time_profiler")
    assert timed == {
        "shop:show_order.load_order": 2,
        "shop:show_order.price": 1,
        "shop:show_order": 2,
        "shop:list_orders.load_order": 3,
        "shop:list_orders.price": 3,
        "shop:list_orders": 1,
        "Checkout:post.reserve.load_order": 1,
        "Checkout:post.reserve": 1,
        "Checkout:post.price": 1,
        "Checkout:post": 1,
        "weather:forecast.temperature.measure": 8,
        "weather:forecast.temperature": 4,
        "weather:forecast.wind.measure": 4,
        "weather:forecast.wind": 4,
        "weather:forecast": 4,
        "weather:read_diary": 1,
        "weather:diary.measure": 2,
        "weather:diary": 1,
    }
    sizes = Counter(record[2] for record in records if record[1] == "response_size")
    assert sizes == {"shop:show_order": 2, "shop:list_orders": 1, "Checkout:post": 1}
    failed = {record[2] for record in records if record[4] == "True"}
    assert failed == {"shop:show_order.load_order", "shop:show_order"}

    answers = [line for line in lines if line.startswith("← ")]
    assert [answer.split()[1] for answer in answers] == ["200", "200", "201", "500", "200", "200"]

    heading = next(number for number, line in enumerate(lines) if line.startswith("path "))
    assert drawn_calls(lines[heading + 1 :]) == timed
