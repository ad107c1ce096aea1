"""From what a node counts to shares of what it has, and to its utilization: the worst of the shares.

Whichever is used up first is what the node has run out of.  0 = idle, 1 = all of it; more is possible.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.load.window import RateWindow

#: Reactor lag that counts as full use, milliseconds: half of what a person notices.  An idle reactor on a
#: virtual machine shows one or two by itself.
LAG_BOUND_MS = 50.0


class Sample(NamedTuple):
    """What is known of a node at one moment.  Counters only grow (or begin again at 0)."""

    #: Seconds of any clock that does not go back.
    at: float
    #: CPU seconds of all processes of the node.
    cpu_seconds: float
    requests: int
    #: Answers with status 500 and above.
    errors: int
    bytes_out: int
    connections: int
    #: Worst reactor lag of any worker now.
    lag_ms: float


class Shares(NamedTuple):
    """Used parts of what a node has; 1 = all of it."""

    cpu: float
    egress: float
    connections: float
    lag: float

    @property
    def utilization(self) -> float:
        """The worst of them; may exceed 1."""
        return max(self)


class Figures(NamedTuple):
    """What follows from the samples so far."""

    shares: Shares
    #: Requests and errors per second.
    rps: float
    eps: float
    #: Bits per second sent.
    egress_bps: float
    connections: int
    lag_ms: float


class Meters:
    """Turns samples into figures.

    :param cores: that the node may use.
    :param nic_bps: capacity of the network interface, bits per second.
    :param connection_limit: connections that the node accepts.
    """

    def __init__(self, cores: float, nic_bps: float, connection_limit: int, seconds: float = 5.0) -> None:
        self._cores = max(cores, 0.01)
        self._nic_bps = max(nic_bps, 1.0)
        self._connection_limit = max(connection_limit, 1)
        self._cpu, self._requests, self._errors, self._bytes = (RateWindow(seconds) for _ in range(4))

    def observe(self, sample: Sample) -> Figures:
        """The figures with *sample* as the newest."""
        egress = self._bytes.observe(sample.at, sample.bytes_out) * 8
        shares = Shares(
            cpu=self._cpu.observe(sample.at, sample.cpu_seconds) / self._cores,
            egress=egress / self._nic_bps,
            connections=sample.connections / self._connection_limit,
            lag=sample.lag_ms / LAG_BOUND_MS,
        )
        return Figures(
            shares=shares,
            rps=self._requests.observe(sample.at, sample.requests),
            eps=self._errors.observe(sample.at, sample.errors),
            egress_bps=egress,
            connections=sample.connections,
            lag_ms=sample.lag_ms,
        )
