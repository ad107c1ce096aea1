"""Demand as flows of exchanges: so many a second of each kind, their sums, and what is held meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from loadgen.demand.exchanges import Exchange
from loadgen.demand.wire import Crossing


class Flow(NamedTuple):
    """Exchanges of one kind, and how often there is one."""

    name: str
    per_second: float
    each: Exchange
    #: Whether it is an HTTP request.
    is_request: bool = True


class Demand(NamedTuple):
    """All flows, their sums, and what is held meanwhile."""

    flows: tuple[Flow, ...]
    connections: float
    memory_bytes: float
    #: HTTP requests per second.
    requests: float
    #: Cores like the measured one that it keeps busy.
    cpu: float
    #: Per second, on the wire.
    inbound: Crossing
    outbound: Crossing

    @classmethod
    def of(cls, flows: Iterable[Flow], connections: float, memory_bytes: float) -> Demand:
        """The demand of *flows*."""
        flows = tuple(flow for flow in flows if flow.per_second > 0)
        return cls(
            flows,
            connections,
            memory_bytes,
            sum(flow.per_second for flow in flows if flow.is_request),
            sum(flow.per_second * flow.each.cpu_s for flow in flows),
            _total([flow.each.inbound.times(flow.per_second) for flow in flows]),
            _total([flow.each.outbound.times(flow.per_second) for flow in flows]),
        )

    def times(self, factor: float) -> Demand:
        """So many times as much."""
        return Demand(
            tuple(flow._replace(per_second=flow.per_second * factor) for flow in self.flows),
            self.connections * factor,
            self.memory_bytes * factor,
            self.requests * factor,
            self.cpu * factor,
            self.inbound.times(factor),
            self.outbound.times(factor),
        )

    def per_second(self, *names: str) -> float:
        """How often the flows of these *names* happen."""
        return sum(flow.per_second for flow in self.flows if flow.name in names)


def _total(crossings: list[Crossing]) -> Crossing:
    return Crossing(sum(one.bytes for one in crossings), sum(one.packets for one in crossings))
