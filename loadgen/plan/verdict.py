"""The verdict: utilization, saturation and bottleneck of every hour of a plan, its bill, and what is wrong.

Pure: :func:`assess` takes a plan, the measured costs and the shares of users of each hour, and returns an
:class:`Assessment`, which is also what ``--json`` writes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from loadgen.charts.numbers import milliseconds
from loadgen.constants import Constants
from loadgen.demand.flows import Demand
from loadgen.plan.capacity import RESOURCES
from loadgen.plan.cluster import SizedCluster, Sizing
from loadgen.plan.cost import MONTH_HOURS, Bill, Run, burst_euros, schedule
from loadgen.plan.demand import exchanges, kinds
from loadgen.plan.inputs import Plan

_GIGA = 1e9
#: Names of fields in ``--json``, which were there before the words that the code has for them.
JSON_NAMES = {"saturation": "strain", "bottleneck": "binding", "headroom": "room", "workloads": "parts"}


class Hour(Struct, frozen=True, rename=JSON_NAMES):
    """One hour of the circle; the cluster's figures, and then those of one server."""

    hour: int
    users: float
    requests_per_s: float
    in_gbit_per_s: float
    out_gbit_per_s: float
    in_packets_per_s: float
    out_packets_per_s: float
    tls_handshakes_per_s: float
    connections: float
    #: Burst machines that run for it.
    burst: int
    #: Memory of one server, and how full each of its resources is.
    ram_gigabytes: float
    use: dict[str, float]
    #: What comes to its limit first; demand over what may be used of it: over 1 is too much.
    bottleneck: str
    saturation: float
    p99_ms: float


class Problem(Struct, frozen=True):
    """Why a plan does not work."""

    kind: Literal["capacity", "latency", "failure", "budget"]
    text: str


class Workload(Struct, frozen=True, rename=JSON_NAMES):
    """Workload of one kind in the busiest hour, and how much of it alone the servers could do."""

    name: str
    per_second: float
    in_gbit_per_s: float
    out_gbit_per_s: float
    cores: float
    #: Per second, at the plan's limits; and what comes to its limit first then.
    at_most_per_s: float
    bottleneck: str


class NodeLoss(Struct, frozen=True, rename=JSON_NAMES):
    """The busiest hour with one server less, everything else as planned."""

    saturation: float
    bottleneck: str
    p99_ms: float
    holds: bool
    #: That were open to the lost one; seconds until the others have opened them again, if all come at once,
    #: with the CPU time that is left beside everything else.
    connections: float
    reopened_s: float


class Assessment(Struct, frozen=True, rename=JSON_NAMES):
    """The assessment of a plan: all hours, the busiest one, workloads, bill, problems."""

    hours: tuple[Hour, ...]
    #: Index of the busiest.
    peak: int
    #: Demand in the busiest hour over what the servers alone can carry: over 1 they do not suffice.
    saturation: float
    bottleneck: str
    #: How many times as many users each resource of the servers would carry, at their limits.
    headroom: dict[str, float]
    workloads: tuple[Workload, ...]
    runs: tuple[Run, ...]
    bill: Bill
    budget: float
    without_one: NodeLoss | None
    problems: tuple[Problem, ...]

    @property
    def feasible(self) -> bool:
        """Whether all of it works."""
        return not self.problems

    @property
    def burst(self) -> int:
        """Burst machines at most at once."""
        return max(hour.burst for hour in self.hours)


def assess(plan: Plan, costs: Constants, shares: Sequence[float]) -> Assessment:
    """*shares*: users of each hour of the circle, relative to ``users.concurrent_at_peak``."""
    sizing = Sizing(plan, costs)
    users = [max(1e-9, plan.users.concurrent_at_peak * share) for share in shares]
    sized = [sizing.sized(count) for count in users]
    hours = [_hour(number, users[number], plan, *pair) for number, pair in enumerate(sized)]
    peak = max(range(len(hours)), key=users.__getitem__)
    demand, cluster = sized[peak]
    saturations = cluster.server.saturations(demand)
    runs = schedule([hour.burst for hour in hours], plan.burst)
    bill = Bill(
        plan.servers.count * plan.servers.eur_per_month,
        burst_euros(runs, len(hours), plan.burst),
        sum(_traffic_euros(plan, *pair) for pair in sized) * MONTH_HOURS / len(hours),
    )
    return Assessment(
        hours=tuple(hours),
        peak=peak,
        saturation=max(saturations) / cluster.servers,
        bottleneck=cluster.server.bottleneck(demand),
        headroom={
            name: cluster.servers / max(saturation, 1e-12)
            for name, saturation in zip(RESOURCES, saturations, strict=True)
        },
        workloads=tuple(_workloads(plan, costs, users[peak], cluster)),
        runs=tuple(runs),
        bill=bill,
        budget=plan.limits.eur_per_month,
        without_one=_without_one(plan, costs, demand, cluster),
        problems=tuple(_problems(plan, hours, bill)),
    )


def _hour(number: int, users: float, plan: Plan, demand: Demand, cluster: SizedCluster) -> Hour:
    share = cluster.share(demand)
    inbound, outbound = demand.inbound, demand.outbound
    use = cluster.server.use(demand, share)
    return Hour(
        hour=number,
        users=users,
        requests_per_s=demand.requests,
        in_gbit_per_s=inbound.bytes * 8 / _GIGA,
        out_gbit_per_s=outbound.bytes * 8 / _GIGA,
        in_packets_per_s=inbound.packets,
        out_packets_per_s=outbound.packets,
        tls_handshakes_per_s=demand.per_second("TLS handshakes", "TLS resumptions"),
        connections=demand.connections,
        burst=cluster.bursts,
        ram_gigabytes=use["memory"] * plan.servers.ram_gigabytes,
        use=use,
        bottleneck=cluster.server.bottleneck(demand),
        saturation=1 / cluster.reach(demand),
        p99_ms=cluster.server.p99(demand, share) * 1000,
    )


def _workloads(plan: Plan, costs: Constants, users: float, cluster: SizedCluster) -> list[Workload]:
    found = []
    for flow in kinds(plan, costs, plan.servers.count + cluster.bursts):
        rate = flow.per_second * users
        alone = Demand.of([flow._replace(per_second=1.0)], 0.0, 0.0)
        found.append(
            Workload(
                flow.name,
                rate,
                rate * flow.each.inbound.bytes * 8 / _GIGA,
                rate * flow.each.outbound.bytes * 8 / _GIGA,
                rate * flow.each.cpu_s,
                cluster.servers * cluster.server.reach(alone),
                cluster.server.bottleneck(alone),
            )
        )
    return found


def _traffic_euros(plan: Plan, demand: Demand, cluster: SizedCluster) -> float:
    """EUR of what goes out in an hour."""
    terabytes = demand.outbound.bytes * 3600 / 1e12
    everyone = cluster._replace(servers=plan.servers.count)  # nobody is down for a whole month
    steady = everyone.servers * everyone.share(demand)
    return terabytes * (
        steady * plan.servers.eur_per_terabyte_out + (1 - steady) * plan.burst.eur_per_terabyte_out
    )


def _without_one(plan: Plan, costs: Constants, demand: Demand, cluster: SizedCluster) -> NodeLoss | None:
    """None: there is only one server, and without it there is nothing."""
    if plan.servers.count == 1:
        return None
    fewer = cluster._replace(servers=plan.servers.count - 1)
    saturation = 1 / fewer.reach(demand)
    p99_ms = fewer.server.p99(demand, fewer.share(demand)) * 1000
    holds = saturation <= 1 + 1e-9 and p99_ms <= plan.limits.p99_ms
    lost = demand.connections * cluster.share(demand)
    work = lost * exchanges(plan, costs, plan.servers.count).encrypted_connection().cpu_s
    machines = 1 / fewer.share(demand)  # a burst machine counts as part of a server
    spare = machines * fewer.server.cores - demand.cpu
    return NodeLoss(
        saturation,
        fewer.server.bottleneck(demand),
        p99_ms,
        holds,
        connections=lost,
        reopened_s=work / spare if spare > 0 else math.inf,
    )


def _problems(plan: Plan, hours: Sequence[Hour], bill: Bill) -> list[Problem]:
    found = []
    worst = max(hours, key=lambda hour: hour.saturation)
    spared = f" with {plan.limits.failures} of them down" if plan.limits.failures else ""
    if worst.saturation > 1 + 1e-9:
        helpers = f" and {worst.burst} burst machines" if worst.burst else ""
        found.append(
            Problem(
                "failure" if plan.limits.failures else "capacity",
                f"{plan.servers.count} servers{helpers}{spared}: {worst.bottleneck} would be at "
                f"{worst.saturation:.0%} of what may be used",
            )
        )
    slow = max(hours, key=lambda hour: hour.p99_ms)
    if worst.saturation <= 1 + 1e-9 and slow.p99_ms > plan.limits.p99_ms:
        found.append(
            Problem(
                "latency",
                f"p99 would be {milliseconds(slow.p99_ms)}, limits.p99_ms = {plan.limits.p99_ms:g}: "
                f"the queues are too long at {slow.use['CPU']:.0%} CPU",
            )
        )
    if bill.total > plan.limits.eur_per_month + 1e-9:
        found.append(
            Problem(
                "budget",
                f"a month would cost {bill.total:,.2f} EUR, "
                f"limits.eur_per_month = {plan.limits.eur_per_month:,g}",
            )
        )
    return found
