"""Chart of calls: one bar for each participant and case, on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from costs.axis import LogAxis, around, duration
from costs.participants import NEW, OLD, OPENTELEMETRY, PROMETHEUS
from costs.rows import WRAPPER, Row
from costs.statistics import LEAST_NS, Cost
from costs.svg import Picture

SERIES = (
    (NEW.key, NEW.title),
    (WRAPPER, "do-nothing wrapper"),
    (PROMETHEUS.key, PROMETHEUS.title),
    (OPENTELEMETRY.key, OPENTELEMETRY.title),
    (OLD.key, OLD.title),
)
"""Who is drawn, from top to bottom in each group."""
CASES = {
    "idle_sync": ("Idle: no handler", "synchronous"),
    "idle_async": ("Idle: no handler", "asynchronous"),
    "nested_sync": ("Recorded call", "nested, synchronous"),
    "nested_async": ("Recorded call", "nested, asynchronous"),
    "root_stream": ("Root call", "StreamHandler to nothing"),
    "root_python": ("Root call", "handler written in Python"),
    "sync_up": ("Root call", "to RabbitMQ"),
    "operation": ("Own metric", "counter.inc, one label"),
}

WIDTH = 860
LEFT, RIGHT = 200, 90
TOP, BOTTOM = 104, 56
LEGEND_STEP = 164
BAR, BAR_GAP, GROUP_GAP = 11, 3, 16


class Group(NamedTuple):
    """Bars of one case."""

    title: tuple[str, str]
    bars: list[tuple[str, Cost]]

    @property
    def height(self) -> int:
        """In pixels, with the gap below."""
        return len(self.bars) * (BAR + BAR_GAP) + GROUP_GAP


def groups(rows: Mapping[str, Row]) -> list[Group]:
    """The cases that were measured."""
    found: list[Group] = []
    for name, title in CASES.items():
        if name in rows:
            costs = rows[name].costs
            found.append(Group(title, [(key, costs[key]) for key, _ in SERIES if key in costs]))
    return found


def chart(rows: Mapping[str, Row], about: str) -> str:
    """The picture; `about` says what it was measured with."""
    drawn = groups(rows)
    height = TOP + sum(group.height for group in drawn) + BOTTOM
    picture = Picture(WIDTH, height, "What a profiled call costs", described(drawn, about))
    costs = [max(cost.minimum, LEAST_NS) for group in drawn for _, cost in group.bars]
    axis = around(costs, LEFT, WIDTH - RIGHT)
    head(picture, about)
    grid(picture, axis, height - BOTTOM)
    top = TOP
    for group in drawn:
        draw(picture, group, top, axis)
        top += group.height
    return str(picture)


def described(drawn: list[Group], about: str) -> str:
    titles = dict(SERIES)
    told = [
        f"{', '.join(group.title)}: "
        + ", ".join(f"{titles[key]} {duration(cost.minimum)}" for key, cost in group.bars)
        for group in drawn
    ]
    return f"Time above the bare call, logarithmic. {'; '.join(told)}. {about}"


def head(picture: Picture, about: str) -> None:
    picture.text(24, 34, "What a profiled call costs", size=18, bold=True)
    picture.text(24, 54, f"Time per call above the bare call. {about}", "quiet")
    for number, (key, title) in enumerate(SERIES):
        left = 24 + number * LEGEND_STEP
        picture.bar(left, 72, 12, 12, key)
        picture.text(left + 18, 82, title)


def grid(picture: Picture, axis: LogAxis, bottom: float) -> None:
    for value in axis.decades():
        x = axis.place(value)
        picture.line([(x, TOP - 8), (x, bottom)], "grid")
        picture.text(x, bottom + 18, duration(value), "quiet", anchor="middle")
    picture.text(
        (axis.start + axis.end) / 2,
        bottom + 40,
        "time per call, logarithmic: each line is ten times the one before",
        "quiet",
        anchor="middle",
    )


def draw(picture: Picture, group: Group, top: float, axis: LogAxis) -> None:
    middle = top + (group.height - GROUP_GAP) / 2
    picture.text(LEFT - 16, middle - 2, group.title[0], anchor="end", bold=True)
    picture.text(LEFT - 16, middle + 13, group.title[1], "quiet", anchor="end")
    for key, cost in group.bars:
        end = axis.place(max(cost.minimum, LEAST_NS))
        picture.bar(LEFT, top, max(end - LEFT, 2), BAR, key)
        ours = key == NEW.key
        picture.text(
            end + 7,
            top + 9.5,
            duration(cost.minimum),
            "text" if ours else "quiet",
            size=11,
            bold=ours,
            halo=True,
        )
        top += BAR + BAR_GAP
