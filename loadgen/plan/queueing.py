"""M/G/1 queues in a chain: how long requests wait in a node, with Poisson arrivals and any service times.

Each is an M/G/1 queue.  Its mean wait is that of Pollaczek and Khinchine (Kleinrock, Queueing Systems I,
5.63)::

    W = lambda E[S^2] / (2 (1 - rho)),      rho = lambda E[S]

An arrival waits with probability rho; the wait of those who do is taken as exponential with the mean W/rho,
which is exact for M/M/1, and for every G/G/1 in heavy traffic (Kingman, 1962).  So::

    P(wait > t) = rho exp(-rho t / W),      p99 = (W / rho) ln(rho / 0.01), if rho > 0.01, else 0

The p99 of a chain is at most about the sum of the p99s, which is what we say.  Real arrivals may be burstier
than Poisson's; a figure of a few milliseconds means "no queue", infinity "it grows without bound".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Work(NamedTuple):
    """Arrivals of one kind at one server of a queue."""

    per_second: float
    seconds: float


class Queue(NamedTuple):
    """One server, and what arrives."""

    #: Arrivals per second; E[S] and E[S^2].
    rate: float
    mean: float
    square: float

    @classmethod
    def of(cls, works: Iterable[Work]) -> Queue:
        """The queue that all *works* share."""
        kinds = [work for work in works if work.per_second > 0]
        rate = sum(work.per_second for work in kinds)
        if not rate:
            return cls(0.0, 0.0, 0.0)
        return cls(
            rate,
            sum(work.per_second * work.seconds for work in kinds) / rate,
            sum(work.per_second * work.seconds**2 for work in kinds) / rate,
        )

    @property
    def rho(self) -> float:
        """How busy the server is; may exceed 1."""
        return self.rate * self.mean

    def wait(self) -> float:
        """Mean, seconds; infinite at rho >= 1."""
        return self.rate * self.square / (2 * (1 - self.rho)) if self.rho < 1 else math.inf

    def percentile(self, share: float = 0.99) -> float:
        """The wait that *share* of the arrivals do not exceed, seconds."""
        rho = self.rho
        if rho >= 1:
            return math.inf
        return self.wait() / rho * math.log(rho / (1 - share)) if rho > 1 - share else 0.0


def scaled(queue: Queue, factor: float) -> Queue:
    """The same kinds, arriving so many times as often."""
    return queue._replace(rate=queue.rate * factor)


def p99(queues: Iterable[Queue]) -> float:
    """Of the time in a chain: waits and mean services, seconds."""
    return sum(queue.percentile(0.99) + queue.mean for queue in queues)
