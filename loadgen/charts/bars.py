"""A bar chart: bars in groups, one group for each label."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from loadgen.charts.figure import (
    BOTTOM,
    CHARACTER,
    LEFT,
    RIGHT,
    TOP,
    Readings,
    figure,
    look,
    nothing,
    number,
    text,
    x_axis,
    y_axis,
)
from loadgen.charts.numbers import short
from loadgen.charts.scale import Scale, linear

#: Groups side by side; of more, neighbours become one that is as high as the highest.
MOST = 144
#: Bars up to this many have their number written on them.
_WRITTEN = 16


def bars(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]], *, y_label: str, note: str = ""
) -> str:
    """A bar chart; what is no number (NaN) has no bar."""
    length = max((len(values) for values in series.values()), default=0)
    span = max(1, math.ceil(length / MOST))
    names = [str(label) for label in [*labels, *[""] * (length - len(labels))]][:length:span]
    groups = {name: _merged(values, span) for name, values in series.items()}
    vertical = linear((value for values in groups.values() for value in values), BOTTOM, TOP, zero=True)
    width = (RIGHT - LEFT) / max(1, len(names))
    thick = min(48.0, width * 0.8 / max(1, len(groups)))
    written = len(names) * len(groups) <= _WRITTEN
    middles = [LEFT + (at + 0.5) * width for at in range(len(names))]
    marks: list[str] = []
    shown: list[Readings] = []
    for index, (name, values) in enumerate(groups.items()):
        left = (index - len(groups) / 2) * thick
        there = [at for at, value in enumerate(values) if vertical.drawable(value)]
        marks += [_bar(middles[at] + left, thick, values[at], vertical, look(index), written) for at in there]
        shown.append(
            Readings(
                name,
                look(index),
                [round(middles[at], 1) for at in there],
                [names[at] for at in there],
                [short(values[at], 4) for at in there],
            )
        )
    if span > 1:
        note = f"{note} Each bar is the highest of {span}.".strip()
    drawing = (
        y_axis(vertical, y_label)
        + "".join(marks)
        + x_axis("", _ticks(names, width), vertical.place(0.0))
        + ("" if marks else nothing())
    )
    return figure(title, note, drawing, _describe(names, groups, y_label), "", y_label, shown)


def _merged(values: Sequence[float], span: int) -> list[float]:
    parts = (values[begin : begin + span] for begin in range(0, len(values), span))
    return [max((value for value in part if math.isfinite(value)), default=math.nan) for part in parts]


def _bar(x: float, thick: float, value: float, vertical: Scale, kind: str, written: bool) -> str:
    top, bottom = sorted((vertical.place(value), vertical.place(0.0)))
    drawn = (
        f'<rect class="bar {kind}" x="{number(x)}" y="{number(top)}" '
        f'width="{number(max(0.5, thick - 1))}" height="{number(bottom - top)}" rx="1.5"/>'
    )
    return drawn + (text(x + thick / 2, top - 5, short(value), "value middle") if written else "")


def _ticks(names: Sequence[str], width: float) -> list[tuple[float, str]]:
    """The labels of the x axis: as many as have room, the others left out; too long ones are cut."""
    longest = max((len(name) for name in names), default=0)
    stride = max(1, math.ceil(min(longest, 12) * CHARACTER / width))
    room = max(4, int(width * stride / CHARACTER))
    return [
        (LEFT + (at + 0.5) * width, name if len(name) <= room else name[: room - 1] + "…")
        for at, name in enumerate(names)
        if at % stride == 0 and name
    ]


def _describe(names: Sequence[str], groups: Mapping[str, Sequence[float]], y_label: str) -> str:
    parts = []
    for name, values in groups.items():
        shown = [f"{label} {short(value)}" for label, value in zip(names, values, strict=False)][:24]
        parts.append(f"{name}: " + ", ".join(shown) if shown else f"{name}: no data")
    return f"{y_label}. " + "; ".join(parts)
