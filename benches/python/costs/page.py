"""Write tables and charts of the newest results into the pages: `python -m costs.page`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from costs import chart_calls, chart_growth, targets
from costs.instead import instead_table
from costs.markers import replaced
from costs.participants import NEW, PARTICIPANTS
from costs.results import Result, newest
from costs.rows import call_rows, delivery_rows, rows
from costs.tables import (
    calls_table,
    delivery_table,
    growth_table,
    imports_table,
    summary_table,
    sustained_table,
)

CALLS_CHART, GROWTH_CHART = "costs.svg", "growth.svg"


def setting(result: Result) -> str:
    """Machine, versions and date in one line."""
    about, machine = result.about, result.about["machine"]
    build = "with" if about["python"]["pgo"] else "without"
    peers = [
        f"{one.title} {about['participants'][one.key]}"
        for one in PARTICIPANTS
        if one.module != NEW.module and one.key in about["participants"]
    ]
    parts = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}",
        f"CPython {result.python} (built {build} PGO)",
        ", ".join(peers),
        " ".join((about["rustc"] or "rustc of unknown version").split()[:2]),
        day(result),
    ]
    return f"{'; '.join(part for part in parts if part)}."


def day(result: Result) -> str:
    date = datetime.fromisoformat(result.about["date"])
    return f"{date.day} {date:%B %Y}"


def caption(result: Result) -> str:
    """What a chart says about itself."""
    machine = result.about["machine"]
    return (
        f"CPython {result.python}, {machine['processor']}, {machine['cores']} cores, "
        f"{day(result)}; smallest of all rounds."
    )


def lacking(result: Result) -> str:
    """Which participants did not run."""
    missing = [one.title for one in PARTICIPANTS if one.key in result.about["missing"]]
    return f"Not installed: {', '.join(missing)}." if missing else ""


def version_section(result: Result) -> str:
    """Tables of calls of one Python version."""
    calls = calls_table(call_rows(result.calls).values())
    delivery = delivery_rows(result)
    parts = [lacking(result), calls, delivery_table(delivery.values()) if delivery else ""]
    return "\n\n".join(part for part in parts if part)


def folded(title: str, text: str) -> str:
    """A part that readers open; `markdown` is for the site, where HTML holds none otherwise."""
    return f'<details markdown="1"><summary>{title}</summary>\n\n{text}\n\n</details>'


def memory_lines(result: Result) -> str:
    """Bytes that things take, as a list."""
    lines: list[str] = []
    if result.path_memory is not None:
        each = result.path_memory["bytes"] / result.path_memory["paths"]
        lines.append(f"- A path that was called once takes {each:.0f} bytes of memory.")
    if result.delivery is not None:
        each = result.delivery["waiting_record_bytes"]
        lines.append(f"- A record that waits for RabbitMQ takes {each:.0f} bytes.")
    if result.wheel_bytes is not None:
        lines.append(f"- The wheel has {result.wheel_bytes / 1e6:.1f} MB.")
    return "\n".join(lines)


def section(results: Sequence[Result], charts: str) -> str:
    """All that a program writes into the page of costs; `charts`: their folder, from there."""
    first, *others = results
    parts = [
        "## One call",
        f"![Time per call by case and library]({charts}{CALLS_CHART})",
        f"CPython {first.python}:",
        version_section(first),
        *(folded(f"CPython {other.python}", version_section(other)) for other in others),
        instead_section(first),
        "## How the cost grows",
        f"![Time per call beside more and more of what may slow it down]({charts}{GROWTH_CHART})",
        folded(f"The same in numbers, CPython {first.python}", growth_table(first)),
        "## Importing, memory and disk",
        imports_table(first),
        memory_lines(first),
        sustained_section(first),
        "## Measured on",
        "\n".join(f"- {setting(result)}" for result in results),
    ]
    return "\n\n".join(part for part in parts if part)


def instead_section(result: Result) -> str:
    """What one could pick instead; empty where that was not measured."""
    table = instead_table(result)
    return f"## What one could use instead\n\n{table}" if table else ""


def sustained_section(result: Result) -> str:
    """As many records as possible; empty where there was no broker."""
    if result.delivery is None:
        return ""
    return f"## Records per second, to RabbitMQ\n\n{sustained_table(result.delivery)}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="costs.page", description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder that keeps the numbers")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="page with the markers `costs`")
    parser.add_argument("--charts", type=Path, help="folder for the charts of that page")
    parser.add_argument(
        "--summary", type=Path, metavar="PAGE", help="page with the markers `costs-summary`"
    )
    told = parser.parse_args()
    results = newest(told.results)
    for result in results:
        print(f"\n{setting(result)}\n\n{version_section(result)}\n")
        print("\n".join(targets.checked(result)))
    if told.write is not None:
        write(told.write, told.charts or told.write.parent, results)
    if told.summary is not None:
        put_between_markers(told.summary, "costs-summary", summary_table(results[0]))


def write(page: Path, charts: Path, results: Sequence[Result]) -> None:
    """Put the tables into the page, and the charts beside it or wherever they are to go."""
    first = results[0]
    way = os.path.relpath(charts, page.parent)
    prefix = "" if way == "." else f"{Path(way).as_posix()}/"
    put_between_markers(page, "costs", section(results, prefix))
    charts.mkdir(parents=True, exist_ok=True)
    found = {
        CALLS_CHART: chart_calls.chart(rows(first), caption(first)),
        GROWTH_CHART: chart_growth.chart(first.growth, caption(first)),
    }
    for name, text in found.items():
        (charts / name).write_text(text)


def put_between_markers(page: Path, name: str, text: str) -> None:
    """
    Replace what a page has between the markers of that name.

    Raises:
        ValueError: the page does not have them exactly once.
    """
    page.write_text(replaced(page.read_text(), name, text))


if __name__ == "__main__":
    main()
