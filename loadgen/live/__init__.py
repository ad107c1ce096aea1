"""What ``loadgen run`` shows while it runs: a view for a terminal, lines for a file, JSON for a machine.

* ``state.py``: totals of the run until now, and what of them is on the screen;
* ``screen.py``: the screen, as a pure function of that; ``formatting.py``: numbers and names in it;
* ``views.py``: the views: a terminal, a file, lines of JSON; ``otlp.py``: OpenTelemetry, for collectors.

Each view is told once a second, and closed once.
"""

from __future__ import annotations

from loadgen.live.state import Totals
from loadgen.live.views import JsonLines, Live, View

__all__ = ["JsonLines", "Live", "Totals", "View"]
