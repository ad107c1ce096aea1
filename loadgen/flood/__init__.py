"""``loadgen flood``: a closed loop of keep-alive connections, for looking at one node.

Each connection sends *pipeline* requests, awaits all their answers, and sends again.  Closed loops hide
queueing (a slow server is simply asked less), so this measures a server's cost and not what its users would
feel: the figure to look at is requests per second at full use of the server's core.

* ``command.py``: the command line;
* ``loop.py``: what a closed loop is; :func:`~loadgen.flood.loop.select` picks the build;
* ``python.py``: the specification; ``native.py``: the same over ``loadgen/wire/src/edge_flood.c``;
* ``figures.py``: what a loop has counted, and how that is told;
* ``processes.py``: several loops at once.
"""

from __future__ import annotations

from loadgen.flood.command import configure, main

__all__ = ["configure", "main"]
