"""Servers and burst machines together, and how many of the latter an hour takes."""

from __future__ import annotations

from typing import NamedTuple

from loadgen.constants import Constants
from loadgen.demand.flows import Demand
from loadgen.plan.capacity import Machine, machines_needed
from loadgen.plan.demand import demand_of_user
from loadgen.plan.inputs import Plan


class SizedCluster(NamedTuple):
    """The machines that are there, and how a user's demand spreads over them."""

    server: Machine
    servers: int
    burst: Machine
    bursts: int

    def reach(self, demand: Demand) -> float:
        """The share of *demand* that all machines together carry; may be far over 1."""
        total = self.servers * self.server.reach(demand)
        return total + self.bursts * self.burst.reach(demand) if self.bursts else total

    def share(self, demand: Demand) -> float:
        """The share of *demand* that comes to one server."""
        return self.server.reach(demand) / self.reach(demand)


class Sizing:
    """Takes as many burst machines as an hour needs and the plan allows."""

    def __init__(self, plan: Plan, costs: Constants) -> None:
        self._plan = plan
        self._costs = costs
        self._most = plan.burst.count_max
        self._servers = plan.servers.count - plan.limits.failures
        self._server = Machine.of(plan.servers, plan.limits)
        self._burst = Machine.of(plan.burst, plan.limits)
        #: A user's demand, by the number of burst machines: each is in the load document.
        self._of_user: dict[int, Demand] = {}

    def sized(self, users: float) -> tuple[Demand, SizedCluster]:
        """The demand of so many users, and the machines that run for it."""
        bursts = 0
        while True:
            if bursts not in self._of_user:
                nodes = self._plan.servers.count + bursts
                self._of_user[bursts] = demand_of_user(self._plan, self._costs, nodes)
            demand = self._of_user[bursts].times(users)
            missing = 1 - self._servers * self._server.reach(demand)
            if missing <= 0 or bursts >= self._most:
                break
            wanted = min(self._most, machines_needed(missing, self._burst.reach(demand)))
            if wanted <= bursts:
                break
            bursts = wanted
        return demand, SizedCluster(self._server, self._servers, self._burst, bursts)
