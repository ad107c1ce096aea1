"""What ``loadgen run`` shows while it runs: a view for a terminal, lines for a file, JSON for a machine.

* ``state.py``: what has happened until now;
* ``screen.py``: what stands on the screen then, as a pure function of it;
* ``words.py``: numbers and names in it;
* ``views.py``: who shows it.

Each view is told once a second, and closed once.
"""

from __future__ import annotations

from loadgen.live.state import Totals
from loadgen.live.views import JsonLines, Live, View

__all__ = ["JsonLines", "Live", "Totals", "View"]
