"""From what a node counts to shares of what it has, and to its utilization: the worst of the shares.

Whichever is used up first is what the node has run out of.  0 = idle, 1 = all of it; more is possible.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.load.report import LoadReport
from edge.load.window import RateWindow

#: Reactor lag that counts as full use, milliseconds: half of what a person notices.  An idle reactor on a
#: virtual machine shows one or two by itself.
LAG_BOUND_MS = 50.0


class Sample(NamedTuple):
    """What a node has counted up to one moment.  Counters only grow (or begin again at 0)."""

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


class Capacity(NamedTuple):
    """What a node has, of which its shares are parts."""

    #: Cores that it may use.
    cores: float
    #: Of the network interface, bits per second.
    nic_bps: float
    #: Connections that it accepts.
    connections: int


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


#: More than this is told as this: no load report holds more (:data:`edge.load.wire.Share`).
MOST = 1e6


class Measurement(NamedTuple):
    """The load of a node at one moment: shares of what it has, and rates of the last seconds."""

    shares: Shares
    #: Requests and errors per second.
    rps: float
    eps: float
    #: Bits per second sent.
    egress_bps: float
    connections: int
    lag_ms: float

    def report(
        self,
        name: str,
        generation: int,
        sequence: int,
        weight: float,
        *,
        draining: bool,
        publishing: bool = False,
    ) -> LoadReport:
        """The load report of the node *name*, to be sent to others."""
        return LoadReport(
            name=name,
            generation=generation,
            sequence=sequence,
            utilization=min(self.shares.utilization, MOST),
            weight=weight,
            rps=self.rps,
            eps=self.eps,
            connections=self.connections,
            egress_bps=round(self.egress_bps),
            lag_ms=self.lag_ms,
            draining=draining,
            publishing=publishing,
        )


class Meters:
    """Turns samples of a node with *capacity* into measurements; rates are those of the last *seconds*.

    *capacity* may be replaced at any time.
    """

    def __init__(self, capacity: Capacity, seconds: float = 5.0) -> None:
        self.capacity = capacity
        self._cpu, self._requests, self._errors, self._bytes = (RateWindow(seconds) for _ in range(4))

    def observe(self, sample: Sample) -> Measurement:
        """The measurement with *sample* as the newest."""
        egress = self._bytes.observe(sample.at, sample.bytes_out) * 8
        shares = Shares(
            cpu=self._cpu.observe(sample.at, sample.cpu_seconds) / max(self.capacity.cores, 0.01),
            egress=egress / max(self.capacity.nic_bps, 1.0),
            connections=sample.connections / max(self.capacity.connections, 1),
            lag=sample.lag_ms / LAG_BOUND_MS,
        )
        return Measurement(
            shares=shares,
            rps=self._requests.observe(sample.at, sample.requests),
            eps=self._errors.observe(sample.at, sample.errors),
            egress_bps=egress,
            connections=sample.connections,
            lag_ms=sample.lag_ms,
        )
