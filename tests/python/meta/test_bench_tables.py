"""Tables of the benchmarks and how they get into a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bench_samples import calls, result
from costs.axis import duration
from costs.instead import instead_table
from costs.markers import replaced
from costs.page import section, write
from costs.rows import call_rows, delivery_rows
from costs.tables import (
    calls_table,
    delivery_table,
    growth_table,
    imports_table,
    summary_table,
    sustained_table,
)


def test_a_row_has_minimum_and_median_of_everybody():
    table = calls_table(call_rows(result().calls).values()).splitlines()
    assert table[2] == (
        "| recorded nested call, sync | 60 (60) | 1,200 (1,202) | — | 9,000 (9,002) | 250 (252) "
        "| 1/36 |"
    )
    assert all(line.count("|") == table[0].count("|") for line in table)


def test_delivery_has_the_units_that_its_costs_need():
    table = delivery_table(delivery_rows(result()).values()).splitlines()
    assert table[2:4] == [
        "| root call, `ImpProfHandler`, broker up | 50 µs (55 µs) | 350 ns (355 ns) | 1/140 |",
        "| root call, `ImpProfHandler`, broker down | 344 ms (344 ms) | 355 ns (355 ns) "
        "| 1/970,000 |",
    ]


def test_what_one_could_use_instead_is_told_with_what_it_gives():
    measured = result()
    assert instead_table(measured) == "", "nothing of that kind was measured"
    measured = replace(measured, calls={**measured.calls, "yappi": calls(1_500.0)})
    lines = instead_table(measured).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| phanos 0.4.0",
        "| prometheus_client",
        "| yappi",
    ]
    assert lines[4].startswith("| yappi | 1.5 µs | — | all functions")


def test_a_summary_compares_the_smallest_costs_of_both_versions():
    table = summary_table(result("3.13.0")).splitlines()
    assert table == [
        "| one call, CPython 3.13 | phanos 0.3.2 | phanos 0.4.0 | 0.4.0 / 0.3.2 |",
        "| --- | ---: | ---: | ---: |",
        "| recorded, function | 9 µs | 250 ns | 1/36 |",
        "| recorded and handed over to RabbitMQ | 50 µs | 350 ns | 1/140 |",
    ]


def test_growth_tells_how_far_each_side_got():
    assert growth_table(result()).splitlines()[5] == (
        "| distinct paths in turn | 1 | 10 | 9 µs → 9 µs (at 1) | 250 ns → 255 ns |"
    )


def test_disk_is_what_a_package_needs_but_pip():
    table = imports_table(result()).splitlines()
    assert table[3] == "| phanos 0.3.2: `import phanos` | 50.0 (50.0) ms | 1.0 MB | 0.9 MB | 2 |"


def test_throughput_is_that_of_the_best_round():
    table = sustained_table(result().delivery or {}).splitlines()
    assert table[2] == "| phanos 0.3.2, batches of 1 | 20,000 | 1 | 0.50 | 0.25 | 1.00 |"
    assert table[3] == "| phanos 0.4.0, batches of 1 | 500,000 | 1,000 | 0.50 | 0.25 | 1.00 |"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0.4, "0 ns"),
        (999.4, "999 ns"),
        (999.6, "1.0 µs"),
        (1_000, "1 µs"),
        (1_240, "1.2 µs"),
        (9_960, "10 µs"),
        (344_000_000, "344 ms"),
        (5_000_000_000, "5,000 ms"),
    ],
)
def test_durations_have_few_digits(nanoseconds: float, text: str):
    assert duration(nanoseconds) == text


def test_a_section_tells_versions_and_what_was_not_there():
    text = section([result("3.13.0"), result()], "charts/")
    assert text.index("CPython 3.13.0:") < text.index("<summary>CPython 3.11.7</summary>")
    assert "Not installed: OpenTelemetry." in text
    assert "](charts/costs.svg)" in text
    assert "Abacus, 2 cores, Linux 6.1; CPython 3.13.0 (built without PGO)" in text
    assert "prometheus_client 0.26.0; rustc 1.95.0; 31 January 2026." in text
    assert "takes 110 bytes" in text
    assert "takes 24 bytes" in text
    assert "The wheel has 2.3 MB." in text


def test_a_section_without_a_broker_has_no_delivery():
    text = section([replace(result(), delivery=None, wheel_bytes=None)], "")
    assert "ImpProfHandler" not in text
    assert "wheel" not in text
    assert "Records per second" not in text
    assert "](growth.svg)" in text


def test_a_page_gets_a_text_between_its_markers_and_keeps_the_rest():
    page = "before\n<!-- costs -->\nold\n<!-- /costs -->\nafter\n"
    changed = replaced(page, "costs", r"new \1")
    assert changed == "before\n<!-- costs -->\nnew \\1\n<!-- /costs -->\nafter\n"
    assert replaced(changed, "costs", "old") == page


@pytest.mark.parametrize(("charts", "link"), [("docs", "costs.svg"), ("docs/svg", "svg/costs.svg")])
def test_charts_are_written_where_the_page_links_to_them(tmp_path: Path, charts: str, link: str):
    page = tmp_path / "docs" / "costs.md"
    page.parent.mkdir()
    page.write_text("<!-- costs -->\n<!-- /costs -->\n")
    write(page, tmp_path / charts, [result()])
    assert f"]({link})" in page.read_text()
    assert (page.parent / link).exists()


@pytest.mark.parametrize("page", ["nothing", "<!-- costs -->\n<!-- /costs -->\n" * 2])
def test_a_page_without_its_markers_is_refused(page: str):
    with pytest.raises(ValueError, match="needs the markers"):
        replaced(page, "costs", "new")
