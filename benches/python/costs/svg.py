"""Pictures as SVG text: a few shapes, and colours that follow the reader's light or dark theme."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', Helvetica, sans-serif"
LIGHT = {
    "ground": "#ffffff",
    "text": "#1f2328",
    "quiet": "#59636e",
    "grid": "#e4e8ec",
    "new": "#c2410c",
    "old": "#33567f",
    "prometheus": "#2f8f83",
    "opentelemetry": "#8a5fb0",
    "wrapper": "#8c959f",
}
DARK = {
    "ground": "#0d1117",
    "text": "#e6edf3",
    "quiet": "#9198a1",
    "grid": "#262c36",
    "new": "#ff9152",
    "old": "#7aa5d8",
    "prometheus": "#4fc0b1",
    "opentelemetry": "#bd93e6",
    "wrapper": "#848d97",
}


def rules(colours: dict[str, str]) -> str:
    """CSS classes: `text-NAME` for letters, `fill-NAME` for areas, `line-NAME` for lines."""
    return f".halo{{stroke:{colours['ground']}}}" + "".join(
        f".text-{name},.fill-{name}{{fill:{colour}}}.line-{name}{{stroke:{colour}}}"
        for name, colour in colours.items()
    )


STYLE = (
    f"text{{font-family:{FONT}}}path{{fill:none}}"
    ".halo{paint-order:stroke;stroke-width:3px;stroke-linejoin:round}"
    f"{rules(LIGHT)}"
    f"@media (prefers-color-scheme:dark){{{rules(DARK)}}}"
)


class Picture:
    """A picture under construction: x to the right, y down, in pixels."""

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        self.width, self.height = width, height
        self._shapes = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(description)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="fill-ground" width="{width}" height="{height}" rx="8"/>',
        ]

    def text(
        self,
        x: float,
        y: float,
        text: str,
        colour: str = "text",
        *,
        size: int = 12,
        anchor: str = "start",
        bold: bool = False,
        halo: bool = False,
    ) -> None:
        """
        Letters on the base line y.

        `anchor` is what of them is at x: their start, middle or end. A `halo` keeps lines behind
        them at a distance.
        """
        weight = ' font-weight="600"' if bold else ""
        classes = f"text-{colour} halo" if halo else f"text-{colour}"
        self._shapes.append(
            f'<text class={quoteattr(classes)} x="{x:.1f}" y="{y:.1f}" '
            f'font-size="{size}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
        )

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        self._shapes.append(
            f'<rect class="fill-{colour}" x="{x:.1f}" y="{y:.1f}" '
            f'width="{max(width, 0):.1f}" height="{height:.1f}" rx="1.5"/>'
        )

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1) -> None:
        """Straight lines from point to point."""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._shapes.append(
            f'<path class="line-{colour}" d="M{path}" stroke-width="{width:g}" '
            f'stroke-linejoin="round"/>'
        )

    def dot(self, x: float, y: float, colour: str, radius: float = 3) -> None:
        """A filled circle."""
        self._shapes.append(
            f'<circle class="fill-{colour}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'
        )

    def __str__(self) -> str:
        return "\n".join([*self._shapes, "</svg>", ""])
