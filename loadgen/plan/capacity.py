"""Capacity of a machine: utilization of its resources, its bottleneck, the share of a demand that it carries.

A :class:`Need` is a machine's use of each resource when it carries the *whole* demand alone; everything is
proportional, so that the *reach* of a machine, the share of the demand at which its first resource comes to
its limit, is the inverse of the worst need over limit::

    reach = min over resources of (limit / need)
    a cluster suffices if and only if the sum of the reaches of its machines is at least 1

Clients draw nodes by published headroom, so machines come to be equally full of what binds each: each
gets its reach over the sum of all reaches.  The memory that does not grow with users is taken off first.
"""

from __future__ import annotations

from typing import NamedTuple

from loadgen.demand.flows import Demand
from loadgen.demand.wire import LEAST_FRAME
from loadgen.plan.inputs import Burst, Limits, Servers
from loadgen.plan.queueing import Queue, Work, p99, scaled

RESOURCES = ("CPU", "link in", "link out", "packets in", "packets out", "connections", "memory")
_GIGA = 1e9


class Machine(NamedTuple):
    """One machine in units of the model; *limits*: the share of each resource that may be used."""

    #: Like the measured one.
    cores: float
    workers: int
    link_bytes: float
    packets: float
    connections: float
    memory: float
    fixed_memory: float
    limits: tuple[float, ...]

    @classmethod
    def of(cls, machine: Servers | Burst, limits: Limits) -> Machine:
        """The machine that a plan describes."""
        link = machine.link_gigabits_per_s * _GIGA / 8
        return cls(
            machine.cores * machine.core_speed,
            machine.cores,
            link,
            machine.packets_per_s or link / LEAST_FRAME,
            machine.cores * machine.connections_per_core,
            machine.ram_gigabytes * _GIGA,
            machine.fixed_gigabytes * _GIGA,
            (limits.cpu_share, *[limits.link_share] * 4, limits.connections_share, limits.ram_share),
        )

    def need(self, demand: Demand) -> tuple[float, ...]:
        """Of each of :data:`RESOURCES`, relative to all of it, when *demand* is carried alone."""
        inbound, outbound = demand.inbound, demand.outbound
        return (
            demand.cpu / self.cores,
            inbound.bytes / self.link_bytes,
            outbound.bytes / self.link_bytes,
            inbound.packets / self.packets,
            outbound.packets / self.packets,
            demand.connections / self.connections,
            demand.memory_bytes / self.memory,
        )

    def saturations(self, demand: Demand) -> tuple[float, ...]:
        """Need over what may be used, of each resource, when *demand* is carried alone."""
        fixed = self.fixed_memory / self.memory
        usable = (*self.limits[:-1], max(1e-9, self.limits[-1] - fixed))
        return tuple(need / limit for need, limit in zip(self.need(demand), usable, strict=True))

    def reach(self, demand: Demand) -> float:
        """Share of *demand* that it can carry; may be far over 1."""
        return 1 / max(*self.saturations(demand), 1e-12)

    def use(self, demand: Demand, share: float) -> dict[str, float]:
        """How full each resource is with that *share* of *demand*."""
        use = dict(zip(RESOURCES, (need * share for need in self.need(demand)), strict=True))
        use["memory"] += self.fixed_memory / self.memory
        return use

    def bottleneck(self, demand: Demand) -> str:
        """The resource that comes to its limit first."""
        saturations = self.saturations(demand)
        return RESOURCES[saturations.index(max(saturations))]

    def queues(self, demand: Demand) -> tuple[Queue, Queue, Queue]:
        """Inbound link, one worker's core, outbound link, when *demand* is carried alone.

        A connection stays with its worker, therefore each core has a queue of its own.
        """
        speed = self.cores / self.workers
        flows = demand.flows
        return (
            Queue.of(Work(flow.per_second, flow.each.inbound.bytes / self.link_bytes) for flow in flows),
            Queue.of(Work(flow.per_second / self.workers, flow.each.cpu_s / speed) for flow in flows),
            Queue.of(Work(flow.per_second, flow.each.outbound.bytes / self.link_bytes) for flow in flows),
        )

    def p99(self, demand: Demand, share: float) -> float:
        """Of the time in this machine with that *share* of *demand*, seconds."""
        return p99(scaled(queue, share) for queue in self.queues(demand))


def machines_needed(missing: float, reach: float) -> int:
    """How many machines of *reach* carry the share *missing* of the demand."""
    count = max(0, int(missing / reach))
    while count * reach < missing - 1e-9:
        count += 1
    return count
