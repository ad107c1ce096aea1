"""A single user of the exact simulation: what it keeps, and what it remembers of nodes.

The rules are those of :mod:`loadgen.models.choice`; times are seconds, latencies ms.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from loadgen.models import choice
from loadgen.models.choice import OutlierEjection


class User:
    """One of the sample."""

    __slots__ = (
        "active",
        "asked",
        "cached",
        "connections",
        "ejections",
        "latency",
        "learned",
        "looked",
        "node",
        "socket",
    )

    def __init__(self, node: int, socket: bool) -> None:
        self.node = node
        self.socket = socket
        self.active = False
        #: When it read the load figures; -inf: never.
        self.learned = -math.inf
        #: When it asked last what has changed; -inf: never.
        self.asked = -math.inf
        #: When its browser asked last for the worker's script, in this session; -inf: not yet.
        self.looked = -math.inf
        #: Pages kept, the oldest first, and when each was confirmed.
        self.cached: dict[int, float] = {}
        #: By node: when a request was last sent on its connection.
        self.connections: dict[int, float] = {}
        #: By node: its latency as a peak EWMA, ms, and when that was observed.
        self.latency: dict[int, tuple[float, float]] = {}
        #: By node that failed of late: how far it is trusted.
        self.ejections: dict[int, OutlierEjection] = {}

    # ---- nodes that failed ----

    def trust(self, node: int, at: float) -> float:
        """0 while ejected, then slowly back to 1."""
        return self.ejections[node].trust(at) if node in self.ejections else 1.0

    def failed(self, node: int, at: float, random: Callable[[], float]) -> None:
        """*node* gave no answer."""
        self.ejections.setdefault(node, OutlierEjection()).failed(at, random)

    def answered(self, node: int, latency: float, at: float) -> None:
        """*node* answered after *latency*."""
        if node in self.ejections and self.ejections[node].answered(at):
            del self.ejections[node]
        value, seen = self.latency.get(node, (choice.LEAST_MS, at))
        latency = choice.observed(value, latency, at - seen)
        # What is as fast as can be is not worth remembering.
        if latency > choice.LEAST_MS:
            self.latency[node] = latency, at
        else:
            self.latency.pop(node, None)

    def expected(self, node: int, at: float) -> float:
        """The latency to expect of *node*."""
        value, seen = self.latency.get(node, (choice.LEAST_MS, at))
        return choice.expected(value, choice.LEAST_MS, at - seen)
