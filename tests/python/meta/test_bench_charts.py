"""Charts of the benchmarks: whole, readable in both themes, and true to scale."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from bench_samples import result
from costs import chart_calls, chart_growth
from costs.axis import ROOM, LogAxis, around
from costs.rows import rows
from costs.svg import DARK, LIGHT, Picture

FIRST_GROUP_END = chart_calls.TOP + 4 * (chart_calls.BAR + chart_calls.BAR_GAP)
SVG = "{http://www.w3.org/2000/svg}"
CHARTS = {
    "calls": chart_calls.chart(rows(result()), "On <an> abacus & co."),
    "growth": chart_growth.chart(result().growth, "On <an> abacus & co."),
}


def luminance(colour: str) -> float:
    """Of a colour such as #ffffff, from 0 to 1, as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_stand_out_from_the_ground(theme: dict[str, str]):
    for name in ("text", "quiet"):
        assert contrast(theme[name], theme["ground"]) >= 4.5, name
    for name in ("new", "old", "prometheus", "opentelemetry", "wrapper"):
        assert contrast(theme[name], theme["ground"]) >= 3, name
    assert 1.1 < contrast(theme["grid"], theme["ground"]) < 2


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_has_a_title_and_tells_its_numbers(name: str):
    picture = ElementTree.fromstring(CHARTS[name])
    labels = (picture.get("aria-labelledby") or "").split()
    texts = {part.get("id"): part.text or "" for part in picture}
    assert all(texts[label] for label in labels)
    assert "phanos 0.3.2 " in texts["desc"]
    assert texts["desc"].endswith("On <an> abacus & co.")


@pytest.mark.parametrize("name", CHARTS)
def test_every_class_has_a_colour_in_both_themes(name: str):
    light, dark = CHARTS[name].split("@media (prefers-color-scheme:dark)")
    used = set(re.findall(r'class="([^"]+)"', CHARTS[name]))
    for each in {one for names in used for one in names.split()}:
        for rules in (light, dark):
            assert re.search(rf"\.{each}[,{{]", rules), each


@pytest.mark.parametrize("name", CHARTS)
def test_everything_is_on_the_picture(name: str):
    picture = ElementTree.fromstring(CHARTS[name])
    width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
    for shape in picture.iter():
        for key, limit in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0 <= float(shape.get(key, 0)) <= limit, shape.attrib
    for path in picture.iter(f"{SVG}path"):
        places = [float(number) for number in re.findall(r"[\d.]+", path.get("d", ""))]
        assert all(0 <= x <= width for x in places[::2])
        assert all(0 <= y <= height for y in places[1::2])


def test_bars_end_where_the_axis_says():
    picture = ElementTree.fromstring(CHARTS["calls"])
    bars = {
        rect.get("class"): float(rect.get("width", 0))
        for rect in picture.iter(f"{SVG}rect")
        if rect.get("x") == f"{chart_calls.LEFT:.1f}" and float(rect.get("y", 0)) < FIRST_GROUP_END
    }
    width = chart_calls.WIDTH - chart_calls.LEFT - chart_calls.RIGHT
    axis = LogAxis(10, 50_000 * ROOM, 0, width)
    for key, cost in {"new": 250, "old": 9_000, "prometheus": 1_200, "wrapper": 60}.items():
        assert bars[f"fill-{key}"] == pytest.approx(axis.place(cost), abs=0.1)


def test_values_of_neighbouring_bars_do_not_overlap():
    picture = ElementTree.fromstring(CHARTS["calls"])
    lines: dict[float, list[float]] = {}
    for text in picture.iter(f"{SVG}text"):
        if "halo" in (text.get("class") or ""):
            lines.setdefault(float(text.get("y", 0)), []).append(float(text.get("font-size", 0)))
    heights = sorted(lines)
    assert all(len(sizes) == 1 for sizes in lines.values())
    gaps = [below - above for above, below in pairwise(heights)]
    assert min(gaps) >= max(size for sizes in lines.values() for size in sizes)


def test_an_axis_has_room_for_its_values_and_lines_at_powers_of_ten():
    axis = around([28.0, 83_000.0], 0, 400)
    assert axis.decades() == [10, 100, 1_000, 10_000, 100_000]
    assert 380 < axis.place(83_000) < 400
    assert around([-3.0], 0, 1).decades() == [1, 10]


def test_a_logarithmic_axis_gives_every_power_of_ten_the_same_room():
    axis = LogAxis(10, 100_000, 0, 400)
    assert [axis.place(value) for value in (10, 1_000, 100_000)] == pytest.approx([0, 200, 400])
    assert (axis.place(1), axis.place(1e9)) == (0, 400)


def test_text_cannot_break_the_picture():
    picture = Picture(10, 10, "<title>", "a & b")
    picture.text(1, 1, "</text><script>")
    texts = [part.text for part in ElementTree.fromstring(str(picture))]
    assert "</text><script>" in texts
    assert "<title>" in texts
