"""Chart of growth: a panel for each thing that grows, all on the same logarithmic axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from costs.axis import LogAxis, around, duration
from costs.growth import Growth
from costs.participants import NEW, OLD
from costs.statistics import LEAST_NS, Cost
from costs.svg import Picture

PANELS = {
    "recorded_depth": ("Depth", "profiled callers above; recording alone"),
    "live_tasks": ("Live tasks", "others inside a profiled call"),
    "paths": ("Distinct paths", "gone through in turn"),
    "context_variables": ("Context variables", "others set in the context"),
    "metrics": ("Metrics", "registered, unused; per root call"),
    "labels": ("Labels", "of counter.inc; the operation alone"),
}
SERIES = (NEW, OLD)

WIDTH, COLUMNS = 860, 3
LEFT, RIGHT, TOP, BOTTOM = 68, 24, 104, 24
LEGEND_STEP = 150
PANEL_HEIGHT, ROW_HEIGHT, GAP = 150, 236, 28
PANEL_WIDTH = (WIDTH - LEFT - RIGHT - GAP * (COLUMNS - 1)) / COLUMNS


class Panel(NamedTuple):
    """One thing that grows: costs by size, for each participant by key."""

    title: tuple[str, str]
    costs: Mapping[str, Mapping[int, Cost]]

    @property
    def sizes(self) -> list[int]:
        """All sizes, those included that only one participant reached."""
        return sorted({size for costs in self.costs.values() for size in costs})


def panels(growth: Mapping[str, Growth]) -> list[Panel]:
    """What was measured, in the order of the picture."""
    return [
        Panel(title, {key: one.costs(name) for key, one in growth.items()})
        for name, title in PANELS.items()
    ]


def chart(growth: Mapping[str, Growth], about: str) -> str:
    """The picture; `about` says what it was measured with."""
    drawn = panels(growth)
    height = TOP + ROW_HEIGHT * -(-len(drawn) // COLUMNS) + BOTTOM - 20
    picture = Picture(WIDTH, height, "How the cost grows", described(drawn, about))
    head(picture, about)
    every = [
        max(cost.minimum, LEAST_NS)
        for panel in drawn
        for costs in panel.costs.values()
        for cost in costs.values()
    ]
    for number, panel in enumerate(drawn):
        row, column = divmod(number, COLUMNS)
        left = LEFT + column * (PANEL_WIDTH + GAP)
        top = TOP + 44 + row * ROW_HEIGHT
        axis = around(every, top + PANEL_HEIGHT, top)
        draw(picture, panel, left, axis, labelled=column == 0)
    return str(picture)


def described(drawn: Sequence[Panel], about: str) -> str:
    titles = {one.key: one.title for one in SERIES}
    told: list[str] = []
    for panel in drawn:
        spans: list[str] = []
        for key, costs in panel.costs.items():
            first, last = min(costs), max(costs)
            spans.append(
                f"{titles[key]} from {duration(costs[first].minimum)} at {first:,} "
                f"to {duration(costs[last].minimum)} at {last:,}"
            )
        told.append(f"{panel.title[0]} ({panel.title[1]}): {', '.join(spans)}")
    return f"Time per call above the bare call, logarithmic. {'; '.join(told)}. {about}"


def head(picture: Picture, about: str) -> None:
    picture.text(24, 34, "How the cost grows", size=18, bold=True)
    picture.text(24, 54, f"Time per call above the bare call. {about}", "quiet")
    for number, one in enumerate(SERIES):
        left = 24 + number * LEGEND_STEP
        picture.line([(left, 78), (left + 18, 78)], one.key, 2)
        picture.dot(left + 9, 78, one.key)
        picture.text(left + 26, 82, one.title)


def draw(picture: Picture, panel: Panel, left: float, axis: LogAxis, *, labelled: bool) -> None:
    picture.text(left, axis.end - 28, panel.title[0], size=13, bold=True)
    picture.text(left, axis.end - 12, panel.title[1], "quiet", size=11)
    for value in axis.decades():
        y = axis.place(value)
        picture.line([(left, y), (left + PANEL_WIDTH, y)], "grid")
        if labelled:
            picture.text(left - 10, y + 4, duration(value), "quiet", size=11, anchor="end")
    sizes = panel.sizes
    step = PANEL_WIDTH / len(sizes)
    places = {size: left + step * (number + 0.5) for number, size in enumerate(sizes)}
    for size, x in places.items():
        picture.text(x, axis.start + 16, short(size), "quiet", size=11, anchor="middle")
    for one in SERIES:
        costs = panel.costs.get(one.key, {})
        points = [
            (places[size], axis.place(max(costs[size].minimum, LEAST_NS))) for size in sorted(costs)
        ]
        if len(points) > 1:
            picture.line(points, one.key, 2)
        for x, y in points:
            picture.dot(x, y, one.key)


def short(size: int) -> str:
    """10k for 10,000."""
    return f"{size // 1000}k" if size >= 1000 else str(size)
