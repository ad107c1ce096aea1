"""A single user of the exact simulation: what it keeps, and what it remembers of nodes.

The rules are those of ``webroot/edge/worker/nodes.js`` and ``latency.js``; times are seconds, latencies ms.
"""

from __future__ import annotations

import math

from loadgen.models import choice

#: Time constants of the peak EWMA, and of forgiving what nobody confirms.
_TAU_S, _FORGIVE_S = 10.0, 60.0


class User:
    """One of the sample."""

    __slots__ = ("active", "connections", "latency", "learned", "node", "shelf", "socket", "trouble")

    def __init__(self, node: int, socket: bool) -> None:
        self.node = node
        self.socket = socket
        self.active = False
        #: When it read the load figures; -inf: never.
        self.learned = -math.inf
        #: Pages kept, the oldest first, and when each was confirmed.
        self.shelf: dict[int, float] = {}
        #: By node: when a request was last sent on its connection.
        self.connections: dict[int, float] = {}
        #: By node: its latency as a peak EWMA, ms, and when that was observed.
        self.latency: dict[int, tuple[float, float]] = {}
        #: By node: failures in a row, ejections, the end of the last.
        self.trouble: dict[int, tuple[int, int, float]] = {}

    # ---- nodes that failed ----

    def trust(self, node: int, at: float) -> float:
        """0 while ejected, then slowly back to 1."""
        return float(choice.trust(self.trouble[node][2], at)) if node in self.trouble else 1.0

    def failed(self, node: int, at: float, uniform: float) -> None:
        """*node* gave no answer."""
        errors, ejections, until = self.trouble.get(node, (0, 0, 0.0))
        errors += 1
        if at >= until and (errors >= choice.ERRORS or until > 0):
            ejections += 1
            lasts = min(choice.EJECT_MOST_S, choice.EJECT_S * 2 ** (ejections - 1))
            until = at + lasts * (0.75 + uniform / 2)
        self.trouble[node] = errors, ejections, until

    def answered(self, node: int, latency: float, at: float) -> None:
        """*node* answered after *latency*."""
        if node in self.trouble:
            _, ejections, until = self.trouble[node]
            if at > until + choice.RETURN_S:
                del self.trouble[node]
            else:
                self.trouble[node] = 0, ejections, until
        value, seen = self.latency.get(node, (choice.LEAST_MS, at))
        if latency < value:
            keep = math.exp((seen - at) / _TAU_S)
            latency = value * keep + latency * (1 - keep)
        # What is as fast as can be is not worth remembering.
        if latency > choice.LEAST_MS:
            self.latency[node] = latency, at
        else:
            self.latency.pop(node, None)

    def expected(self, node: int, at: float) -> float:
        """The latency to expect of *node*."""
        if node not in self.latency:
            return choice.LEAST_MS
        value, seen = self.latency[node]
        return choice.LEAST_MS + (value - choice.LEAST_MS) * math.exp((seen - at) / _FORGIVE_S)
