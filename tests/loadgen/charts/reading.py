"""Reads charts and pages again, as a browser would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from xml.etree import ElementTree

from loadgen.charts import Series, lines

HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\u2028"


def drawing(html: str) -> ElementTree.Element:
    """The chart's SVG, which must be well-formed."""
    found = re.search(r'<div class="plot">(<svg.*</svg>)</div>', html, re.DOTALL)
    assert found is not None, html
    return ElementTree.fromstring(found[1])


def data(html: str) -> dict[str, object]:
    """What the tooltips read."""
    found = re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found is not None, html
    read: dict[str, object] = json.loads(found[1])
    return read


def texts(html: str) -> list[str]:
    """All texts of the drawing."""
    return [element.text or "" for element in drawing(html).iter("text")]


def points(html: str, kind: str = "line") -> Iterator[list[tuple[float, float]]]:
    """Of each run of each line."""
    for path in drawing(html).iter("path"):
        if kind in (path.get("class") or "").split():
            for run in path.get("d", "").removesuffix("Z").split("M")[1:]:
                yield [
                    (float(x), float(y))
                    for x, y in (pair.split() for pair in run.removesuffix("Z").split("L"))
                ]


class Elements(HTMLParser):
    """Counts elements and collects attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Of each element."""
        self.names.append(tag)
        self.attributes += attrs


def one_line(y: list[float], **options: bool) -> str:
    """A chart of one series."""
    return lines("T", [Series("a", range(len(y)), y)], x_label="s", y_label="ms", **options)
