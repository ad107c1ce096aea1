"""Charts and tables as pieces of one self-contained HTML page, light and dark.

* ``numbers.py``: how a number is written;
* ``scale.py``: where a value stands on an axis, and which ticks the axis has;
* ``thinning.py``: fewer points that look the same;
* ``figure.py``: what all charts have in common: axes, legend, description, what a tooltip reads;
* ``lines.py``, ``bars.py``: the two kinds of charts;
* ``pieces.py``: tables, key figures as cards, a verdict;
* ``page.py``: the page around it all; ``page.css``, ``tooltips.js``: put into it.

Everything is a pure function of its arguments.  Every piece can be read without the script: it only shows
numbers beside the pointer.  Text is escaped here; what a section of a page holds is HTML already.
"""

from __future__ import annotations

from loadgen.charts.bars import bars
from loadgen.charts.lines import Series, lines
from loadgen.charts.page import page
from loadgen.charts.pieces import Card, banner, cards, heading, panel, table

__all__ = ["Card", "Series", "banner", "bars", "cards", "heading", "lines", "page", "panel", "table"]
