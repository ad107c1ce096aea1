"""The same assumptions give the same figures: ``plan``'s arithmetic and ``simulate``'s cohorts side by side.

A flat state: no daily curve, no deploys, no failures, measured after users have come and gone for a while.
What differs is chance in the simulation: about one in the square root of the number of sessions.
"""

from __future__ import annotations

import math
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from loadgen import constants
from loadgen.capacity.demand import Demand
from loadgen.capacity.sessions import concurrent
from loadgen.plan.demand import demand_of_user
from loadgen.plan.inputs import Think as PlannedThink
from loadgen.simulate.cohorts import Cohorts, World
from loadgen.simulate.inputs import Inputs
from loadgen.simulate.outcome import Outcome, Recorder
from tests.loadgen.plan.examples import plan
from tests.loadgen.simulate.worlds import inputs

#: Seconds that are not looked at, and that are.
SETTLING, SECONDS = 1200, 1800
#: Relative difference of any figure, with some 100,000 sessions and more.
TOLERANCE = 0.01
COSTS = constants.load()

#: Kinds of requests and messages, as a plan and as a simulation call them.
KINDS = {
    ("first visits", "missing"): ("page", "asset"),
    ("smart client",): ("client",),
    ("questions",): ("changes",),
    ("on sockets",): ("question",),
    ("batches",): ("batch",),
    ("load polls",): ("load",),
    ("sockets",): ("upgrade",),
    ("load pushes",): ("push",),
    ("connections",): ("connect",),
}


class Settled(Recorder):
    """A recorder that begins when the simulation has settled."""

    def note(self, now: float, *noted: Any) -> None:
        """A step, if it counts."""
        if now >= SETTLING:
            super().note(now - SETTLING, *noted)


def simulated(given: Inputs) -> tuple[Outcome, float]:
    """What smart clients do meanwhile, and the CPU seconds of it."""
    world = World(given, COSTS)
    cohorts, recorder = Cohorts(world, "smart"), Settled(given, SECONDS)
    begins = -math.expm1(-float(world.session_rate.rates(0.0)) * given.day.step_s)
    for second in range(SETTLING + SECONDS):
        cohorts.step(float(second), begins, recorder)
    found = recorder.outcome()
    cpu = sum(count * float(world.costs[number, 0]) for number, count in enumerate(found.counts.values()))
    return found, cpu


def planned(given: Inputs, found: Outcome) -> Demand:
    """The plan of the same users: what of a page they have is what the simulation found that they have."""
    users, cluster = given.users, given.cluster
    session_s = users.session_pages * users.think.mean_s
    parts, counts = 1 + users.assets_per_page, found.counts
    first = counts["client"] / users.client_files
    missing = (counts["page"] + counts["asset"] - first * parts) / ((counts["view"] - first) * parts)
    utilization = sum(node.utilization_mean for node in found.nodes) / len(found.nodes)
    think = users.think
    made = plan(
        session__minutes=session_s / 60,
        session__first_visit_share=first / counts["session"],
        session__think=PlannedThink(
            kind=think.kind, mean_s=think.mean_s, shape=think.shape, sigma=think.sigma
        ),
        pages__resources_per_view=parts,
        pages__kilobytes_per_resource=users.page_bytes / 1000,
        pages__missing_share=missing,
        pages__changed_share=0.0,
        pages__path_bytes=users.path_bytes,
        pages__client_kilobytes=users.client_bytes / 1000,
        pages__client_files=users.client_files,
        requests__confirm=users.confirm,
        requests__certificate_bytes=COSTS.certificate_bytes,
        requests__head_bytes=COSTS.request_bytes,
        requests__keep_alive_s=cluster.keep_alive_s,
        requests__tls_share=float(cluster.tls),
        requests__tls_resumed_share=cluster.tls_resumed_share,
        push__share=users.websocket_share,
        push__load_period_s=cluster.push_period_s,
        limits__cpu_share=utilization,
        limits__link_share=utilization,
    )
    at_once = concurrent(users.users, session_s, users.return_interval_s)
    return demand_of_user(made, COSTS, cluster.nodes).times(at_once)


class Agreement(SynchronousTestCase):
    """Plan and simulation of one flat state."""

    def agree(self, **parts: Any) -> None:
        given = inputs(
            hours=(SETTLING + SECONDS) / 3600, users=2_000_000, return_interval_s=3600.0,
            page_bytes=9000.0, asset_bytes=9000.0, **parts,
        )  # fmt: skip
        found, cpu = simulated(given)
        demand = planned(given, found)
        for names, counted in KINDS.items():
            rate = sum(found.counts[name] for name in counted) / SECONDS
            self.near(demand.per_second(*names), rate, ", ".join(names))
        self.near(demand.requests, found.requests / SECONDS, "requests")
        self.near(demand.cpu, cpu / SECONDS, "CPU")
        self.near(demand.inbound.bytes, found.bytes_in / SECONDS, "bytes in")
        self.near(demand.outbound.bytes, found.bytes_out / SECONDS, "bytes out")
        asked = sum(flow.per_second * flow.each.asked for flow in demand.flows)
        answered = sum(flow.per_second * flow.each.answered for flow in demand.flows)
        self.near(asked, found.payload_in / SECONDS, "payload in")
        self.near(answered, found.payload_out / SECONDS, "payload out")
        held = concurrent(given.users.users, 100.0, given.users.return_interval_s)
        self.near(held, found.concurrent_mean, "concurrent users")

    def near(self, planned: float, simulated: float, name: str) -> None:
        difference = simulated / planned - 1 if planned else float(simulated > 0)
        said = f"{name}: plan {planned:,.6g}, simulated {simulated:,.6g}"
        self.assertLess(abs(difference), TOLERANCE, said)

    def test_readers_who_have_been_here_before(self) -> None:
        self.agree(warm_share=1.0, websocket_share=0.0)

    def test_first_visits_sockets_and_tls(self) -> None:
        self.agree(warm_share=0.5, websocket_share=0.3, tls=True)

    def test_a_line_for_each_copy_and_polled_load_figures(self) -> None:
        self.agree(warm_share=0.8, websocket_share=0.3, confirm="batch")

    def test_think_times_that_connections_outlast_and_one_node(self) -> None:
        self.agree(warm_share=0.9, keep_alive_s=15.0, nodes=1)
