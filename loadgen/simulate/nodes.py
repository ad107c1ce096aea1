"""The nodes: utilization, M/M/1 queues with a backlog, and the load figures that they publish, late.

The same rules as in ``edge/load``: utilization is the worst of CPU, outbound bytes and connections, and nodes
count bytes above TCP (the frames that carry them fill a link some percent further); rates are those of the
last 5 s; the weight follows the headroom, damped.  What clients know is as old as the cluster says.

Latency.  A node has a worker on each core and one link; taken as M/M/1 queues, the time spent in one with
mean service time s and utilization u is exponential with mean s / (1 - u), so that 99 of 100 are through
within ``ln(100) s / (1 - u)``.  What is more than a node can do waits: a backlog of seconds, which
everybody waits for.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.load.window import WINDOW_SECONDS
from loadgen.models.weight_arrays import Weights
from loadgen.simulate.costs import CPU, LINK_OUT, PAYLOAD_OUT, REQUESTS
from loadgen.simulate.inputs import ClusterInputs, Outage

#: Nobody waits for longer; what had to is not done.
PATIENCE_S = 10.0
#: Above this, a queue is as long as the backlog says.
_FULL = 0.999

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Figures(NamedTuple):
    """By node, as clients know them."""

    weights: Floats
    utilizations: Floats


class Load(NamedTuple):
    """Load of each node as it is now, not as clients know it."""

    #: Shares of what a node has, 0..1 and more: (node, cpu | link in | link out | connections).
    shares: Floats
    #: The worst of the shares that nodes count; what comes in is not among them.
    utilizations: Floats
    #: CPU seconds and bytes per second: (node, column of the matrix of costs).
    rates: Floats
    backlog: Floats
    p99_s: Floats


class Nodes:
    """The simulated nodes: load in, utilization, queues and published figures out."""

    def __init__(
        self, cluster: ClusterInputs, costs: Floats, failures: tuple[Outage, ...], step_s: float
    ) -> None:
        count = cluster.nodes
        self._cluster, self._costs, self._failures, self._step = cluster, costs, failures, step_s
        link = cluster.link_gbit * 1e9 / 8
        self._link = link
        self._capacity = np.array([cluster.cores, link, link])
        self._window: deque[Floats] = deque(maxlen=max(1, round(WINDOW_SECONDS / step_s)))
        self._sum = np.zeros(count)
        self._weights = Weights(count, step_s)
        late = max(1, round(cluster.age_s / step_s))
        self._published = deque([Figures(np.ones(count), np.zeros(count))] * late, maxlen=late)
        self.backlog = np.zeros(count)
        self._all = np.ones(count, dtype=np.bool_)

    def up(self, now: float) -> Flags:
        """Which nodes run."""
        return ~self._away(now, 0.0) if self._failures else self._all

    def _away(self, now: float, after: float) -> Flags:
        """Which nodes have been gone for *after* seconds."""
        away = np.zeros(self._cluster.nodes, dtype=np.bool_)
        for one in self._failures:
            if one.at_s + min(after, one.lasts_s) <= now < one.at_s + one.lasts_s:
                away[one.node] = True
        return away

    @property
    def figures(self) -> Figures:
        """The load figures that clients know now, as old as the cluster says."""
        return self._published[0]

    def step(self, now: float, counts: Floats, connections: Floats) -> Load:
        """A step has passed, at the end of which it is *now*, with so much done: (node, kind)."""
        rates = counts @ self._costs / self._step
        shares = np.empty((len(rates), LINK_OUT + 2))
        np.divide(rates[:, : LINK_OUT + 1], self._capacity, out=shares[:, : LINK_OUT + 1])
        shares[:, -1] = connections / self._cluster.connections
        counted = np.maximum(np.maximum(shares[:, 0], rates[:, PAYLOAD_OUT] / self._link), shares[:, 3])
        up = self.up(now)
        busy = np.maximum(shares[:, 0], shares[:, 2])
        waiting = np.minimum(np.maximum(self.backlog + (busy - 1) * self._step, 0.0), PATIENCE_S)
        self.backlog = np.where(up, waiting, 0.0)
        requests = np.maximum(1.0, counts[:, :REQUESTS].sum(axis=1) / self._step)
        load = Load(shares, counted, rates, self.backlog, self._p99(shares, rates, requests))
        self._publish(now, counted, up)
        return load

    def _p99(self, shares: Floats, rates: Floats, requests: Floats) -> Floats:
        cpu = rates[:, CPU] / requests / (1 - np.minimum(_FULL, shares[:, 0]))
        link = rates[:, LINK_OUT] / requests / self._link / (1 - np.minimum(_FULL, shares[:, 2]))
        result: Floats = math.log(100) * (cpu + link) + self.backlog
        return result

    def _publish(self, now: float, counted: Floats, up: Flags) -> None:
        if len(self._window) == self._window.maxlen:
            self._sum = self._sum - self._window[0]
        self._window.append(counted)
        self._sum = self._sum + counted
        used = self._sum / len(self._window)
        weights = self._weights.observe(used, up)
        if self._failures:
            known = ~self._away(now, self._cluster.detect_s)
            weights, used = np.where(known, weights, 0.0), np.where(known, used, 0.0)
        self._published.append(Figures(weights, used))
