"""The frame of every chart: the ``<figure>``, its legend, its axes, and the data that a tooltip reads.

::

    y label
    tick  ---------------------------
    tick  ---------------------------      the plot: LEFT..RIGHT, TOP..BOTTOM of WIDTH x HEIGHT
    tick  ===========================
          tick    tick    tick  x label

The drawing scales with its column: all numbers are of its viewBox.  Colours are classes (``c0`` ..), so that
the page's style sheet can give others when it is dark.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from loadgen.charts.numbers import short
from loadgen.charts.scale import Scale

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 628, 30, 258
#: About as wide as one character of a tick's text is.
CHARACTER = 7.0
#: Colours in the style sheet; more series begin again, with dashed lines.
COLOURS = 8


def look(index: int, dashed: bool = False) -> str:
    """The classes of the series *index*: a colour, and dashes from the ninth on."""
    return f"c{index % COLOURS}" + (" again" if dashed or index >= COLOURS else "")


def number(pixels: float) -> str:
    """A coordinate as text, to a tenth of a pixel."""
    return f"{pixels:.1f}".removesuffix(".0")


def text(x: float, y: float, content: str, kind: str = "") -> str:
    """A text of the drawing; *kind*: classes of the style sheet."""
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{number(x)}" y="{number(y)}">{escape(content)}</text>'


def y_axis(scale: Scale, label: str) -> str:
    """Grid lines, their numbers on the left, the label above."""
    parts = [text(2, 14, label, "label")]
    for tick in scale.ticks:
        y = scale.place(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {number(y)}H{RIGHT}"/>')
        parts.append(text(LEFT - 8, y + 4, short(tick, scale.digits), "tick end"))
    return "".join(parts)


def x_axis(label: str, ticks: Sequence[tuple[float, str]], base: float) -> str:
    """The line at *base*, ticks (pixel, text) below the plot, the label at the right end.

    A tick keeps its mark but not its text where that would touch the one before.
    """
    parts = [f'<path class="axis" d="M{LEFT} {number(base)}H{RIGHT}"/>']
    free = 0.0
    for x, written in ticks:
        half = len(written) * CHARACTER / 2
        middle = min(x, RIGHT + 8 - half)
        parts.append(f'<path class="axis" d="M{number(x)} {BOTTOM}v4"/>')
        if middle - half >= free:
            parts.append(text(middle, BOTTOM + 18, written, "tick middle"))
            free = middle + half + CHARACTER
    parts.append(text(RIGHT, BOTTOM + 36, label, "label end"))
    return "".join(parts)


def moments(marks: Sequence[tuple[float, str]]) -> str:
    """Vertical lines at pixels, each with its name above it where there is room."""
    parts, free = [], 0.0
    for x, name in sorted(marks):
        parts.append(f'<path class="mark" d="M{number(x)} {TOP}V{BOTTOM}"/>')
        half = len(name) * CHARACTER / 2
        if x - half >= free:
            parts.append(text(x, TOP - 5, name, "value middle"))
            free = x + half + CHARACTER / 2
    return "".join(parts)


class Readings(NamedTuple):
    """What a tooltip says of one series: pixels of its points, ascending; x and y in words."""

    name: str
    #: Classes, see :func:`look`.
    look: str
    at: list[float]
    x: list[str]
    y: list[str]


def figure(
    title: str,
    note: str,
    drawing: str,
    description: str,
    x_label: str,
    y_label: str,
    series: Sequence[Readings],
) -> str:
    """The whole ``<figure>``; *description*: for those who cannot see the drawing."""
    keys = "".join(
        f'<li><svg viewBox="0 0 20 8" aria-hidden="true"><path class="line {one.look}" d="M1 4H19"/></svg>'
        f"{escape(one.name)}</li>"
        for one in series
    )
    data = {"x": x_label, "y": y_label, "series": [one._asdict() for one in series]}
    # For tooltips.js; without a "<", no text in it can end the element.
    written = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return (
        f'<figure class="chart"><figcaption><h3>{escape(title)}</h3>'
        + (f"<p>{escape(note)}</p>" if note else "")
        + "</figcaption>"
        + (f'<ul class="legend">{keys}</ul>' if len(series) > 1 else "")
        + f'<div class="plot"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        + f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{drawing}</svg></div>"
        + f'<script type="application/json">{written}</script></figure>\n'
    )


def nothing() -> str:
    """What stands in the middle of a chart without a single number."""
    return text((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2, "no data", "label middle")
