"""A line chart: lines over a continuous axis, or areas stacked on each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from loadgen.charts.figure import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Readings,
    figure,
    look,
    moments,
    nothing,
    number,
    x_axis,
    y_axis,
)
from loadgen.charts.numbers import short
from loadgen.charts.scale import Scale, linear, logarithmic
from loadgen.charts.thinning import kept


class Series(NamedTuple):
    """One line: *y* over *x*, ascending; NaN is a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    #: One of the palette's, instead of the next one: for what belongs together.
    colour: int | None = None
    dashed: bool = False


class _Line(NamedTuple):
    """A thinned series and where it is drawn: from *base* (areas: what is below it) up to *top*."""

    name: str
    look: str
    x: list[float]
    y: list[float]
    base: list[float]
    top: list[float]


def lines(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    x_log: bool = False,
    y_log: bool = False,
    stacked: bool = False,
    note: str = "",
    x_text: Callable[[float], str] | None = None,
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """A line chart.

    *stacked*: areas on each other, all over the same x.  *x_text* writes a value of x.  *marks*: moments
    (values of x), each with a short name, such as the number of a line in a table.
    """
    looks = [
        look(index if one.colour is None else one.colour, one.dashed) for index, one in enumerate(series)
    ]
    drawn = (
        _stacked(series, looks) if stacked else [_alone(*pair) for pair in zip(series, looks, strict=True)]
    )
    across = (value for line in drawn for value in line.x)
    upwards = (value for line in drawn for value in line.top)
    horizontal = (
        logarithmic(across, LEFT, RIGHT, whole=False)
        if x_log
        else linear(across, LEFT, RIGHT, zero=False, most=7)
    )
    write = x_text or partial(short, digits=max(4, horizontal.digits))
    vertical = logarithmic(upwards, BOTTOM, TOP) if y_log else linear(upwards, BOTTOM, TOP, zero=True)
    base = vertical.place(0.0) if not y_log else BOTTOM
    draw = _area if stacked else _path
    paths = "".join(draw(line, horizontal, vertical) for line in drawn)
    within = [(horizontal.place(x), name) for x, name in marks if horizontal.low <= x <= horizontal.high]
    ticks = [(horizontal.place(tick), write(tick)) for tick in horizontal.ticks]
    drawing = y_axis(vertical, y_label) + paths + x_axis(x_label, ticks, base)
    drawing += moments(within) if paths else nothing()
    shown = [_readings(line, horizontal, vertical, write) for line in drawn]
    return figure(title, note, drawing, _describe(series, x_label, y_label), x_label, y_label, shown)


def _alone(series: Series, kind: str) -> _Line:
    x, y = list(series.x), list(series.y)
    indices = kept([y[: len(x)]])
    chosen = [float(y[index]) for index in indices]
    return _Line(
        series.name, kind, [float(x[index]) for index in indices], chosen, [0.0] * len(chosen), chosen
    )


def _stacked(series: Sequence[Series], looks: Sequence[str]) -> list[_Line]:
    """The series stacked: each on the sum of those before it; what is no number counts as nothing."""
    length = min((len(one.y) for one in series), default=0)
    indices = kept([one.y[:length] for one in series])
    below = [0.0] * len(indices)
    made = []
    for one, kind in zip(series, looks, strict=True):
        y = [float(one.y[index]) for index in indices]
        top = [low + (value if math.isfinite(value) else 0.0) for low, value in zip(below, y, strict=True)]
        made.append(_Line(one.name, kind, [float(one.x[index]) for index in indices], y, below, top))
        below = top
    return made


def _runs(line: _Line, horizontal: Scale, vertical: Scale) -> list[list[int]]:
    """The runs of a line: indices of the points that have a place, split where one has none."""
    runs: list[list[int]] = [[]]
    for index, (x, y) in enumerate(zip(line.x, line.top, strict=True)):
        if horizontal.drawable(x) and vertical.drawable(y):
            runs[-1].append(index)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _path(line: _Line, horizontal: Scale, vertical: Scale) -> str:
    path, dots = [], []
    for run in _runs(line, horizontal, vertical):
        places = [(number(horizontal.place(line.x[at])), number(vertical.place(line.top[at]))) for at in run]
        if len(places) == 1:
            dots.append(f'<circle class="dot {line.look}" cx="{places[0][0]}" cy="{places[0][1]}" r="2.5"/>')
        else:
            path.append("M" + "L".join(f"{x} {y}" for x, y in places))
    return (f'<path class="line {line.look}" d="{"".join(path)}"/>' if path else "") + "".join(dots)


def _area(line: _Line, horizontal: Scale, vertical: Scale) -> str:
    parts = []
    for run in _runs(line, horizontal, vertical):
        # A single point is as wide as a line.
        widths = (-1.0, 1.0) if len(run) == 1 else (0.0,)
        upper = [
            (horizontal.place(line.x[at]) + dx, vertical.place(line.top[at])) for at in run for dx in widths
        ]
        lower = [
            (horizontal.place(line.x[at]) + dx, vertical.place(line.base[at])) for at in run for dx in widths
        ]
        corners = "L".join(f"{number(x)} {number(y)}" for x, y in [*upper, *reversed(lower)])
        parts.append(f"M{corners}Z")
    return f'<path class="area {line.look}" d="{"".join(parts)}"/>' if parts else ""


def _readings(line: _Line, horizontal: Scale, vertical: Scale, write: Callable[[float], str]) -> Readings:
    points = [
        (x, y)
        for x, y, top in zip(line.x, line.y, line.top, strict=True)
        if horizontal.drawable(x) and vertical.drawable(top) and math.isfinite(y)
    ]
    return Readings(
        line.name,
        line.look,
        [round(horizontal.place(x), 1) for x, _ in points],
        [write(x) for x, _ in points],
        [short(y, 4) for _, y in points],
    )


def _describe(series: Sequence[Series], x_label: str, y_label: str) -> str:
    """The description of the chart, for those who cannot see it."""
    parts = []
    for one in series:
        finite = [value for value in one.y if math.isfinite(value)]
        if finite:
            low, high, last = (short(value) for value in (min(finite), max(finite), finite[-1]))
            parts.append(f"{one.name}: lowest {low}, highest {high}, last {last}")
        else:
            parts.append(f"{one.name}: no data")
    return f"{y_label} over {x_label}. " + "; ".join(parts)
