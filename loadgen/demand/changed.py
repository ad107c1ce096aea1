"""What of a site has changed since somebody asked last: nothing, a list of paths, or more than a node lists.

Publishes come as a Poisson process, each with so many paths; the time since the last question is exponential
with a given mean A.  The number of publishes in it is geometric then: with q = rA / (1 + rA) there are k or
more with the probability q^k.  A node lists the newest changes, :func:`listed` of them; beyond that it says
that it cannot, and a batch tells (``edge.http.changes``).
"""

from __future__ import annotations

from typing import NamedTuple

from edge.gossip.steps import LINES_BYTES, REMEMBERED

#: Of a path in the list: ID and NUMBER of its publisher, a space, the end of the line.
LINE_BYTES = 12


class Changed(NamedTuple):
    """How likely each of the three is, and how many paths a list has on average; 0: there is never one."""

    nothing: float
    some: float
    beyond: float
    lines: float


def listed(path_bytes: float) -> int:
    """Paths of that many bytes that a node lists at most."""
    return min(REMEMBERED, int(LINES_BYTES / (path_bytes + LINE_BYTES)))


def since(mean_s: float, publishes_per_s: float, paths: float, path_bytes: float) -> Changed:
    """What has changed *mean_s* seconds after the last question, when each publish has so many *paths*."""
    often = mean_s * publishes_per_s
    more = often / (1 + often)
    most = int(listed(path_bytes) / paths) if paths else 0
    beyond = more ** (most + 1) if paths else 0.0
    nothing = 1 - more if paths else 1.0
    some = 1 - nothing - beyond
    if some <= 1e-12:
        return Changed(1 - beyond, 0.0, beyond, 0.0)
    publishes = sum(count * (1 - more) * more**count for count in range(1, most + 1)) / some
    return Changed(nothing, some, beyond, publishes * paths)
