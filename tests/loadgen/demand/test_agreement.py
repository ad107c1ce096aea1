"""The same assumptions give the same figures: ``plan``'s arithmetic and ``simulate``'s cohorts side by side.

A flat state: no daily curve, no deploys, no failures, measured after users have come and gone for a while.
What differs is chance in the simulation: about one in the square root of the number of sessions.
"""

from __future__ import annotations

import math
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from loadgen import constants
from loadgen.demand.flows import Demand
from loadgen.demand.sessions import concurrent
from loadgen.models.think import Think
from loadgen.plan.curve import daily_shares
from loadgen.plan.demand import demand_of_user
from loadgen.plan.inputs import Think as PlannedThink
from loadgen.simulate.cohorts import Cohorts, World
from loadgen.simulate.inputs import Inputs, Outage
from loadgen.simulate.outcome import Outcome, Recorder
from tests.loadgen.plan.examples import plan
from tests.loadgen.simulate.worlds import inputs

#: Seconds that are not looked at, and that are.
SETTLING, SECONDS = 1200, 1800
#: Of simulated time: a second, as people simulate, with AGREEMENT_STEP=1.
STEP_S = float(os.environ.get("AGREEMENT_STEP", "5"))
#: Relative difference of any figure, with some 100,000 sessions and more.
TOLERANCE = 0.03
COSTS = constants.load()

#: Kinds of requests and messages, as a plan and as a simulation call them.
KINDS = {
    ("first visits", "missing"): ("page", "asset"),
    ("smart client",): ("client",),
    ("questions",): ("changes",),
    ("on sockets",): ("question",),
    ("batches",): ("batch",),
    ("load polls",): ("load",),
    ("looks for a worker",): ("look",),
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
    step_s = given.day.step_s
    cohorts, recorder = Cohorts(world, "smart"), Settled(given, round(SECONDS / step_s))
    begins = -math.expm1(-float(world.session_rate.rates(0.0)) * step_s)
    for step in range(round((SETTLING + SECONDS) / step_s)):
        cohorts.step(step * step_s, begins, recorder)
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
        push__opened_per_view=users.websocket_per_view,
        push__load_period_s=cluster.push_period_s,
        limits__cpu_share=utilization,
        limits__link_share=utilization,
    )
    at_once = concurrent(users.users, session_s, users.return_interval_s)
    return demand_of_user(made, COSTS, cluster.nodes).times(at_once)


#: What differs from the others in each of ten states: by the names of the simulation.
STATES: dict[str, dict[str, Any]] = {
    "readers who have been here before": {"warm_share": 1.0, "websocket_share": 0.0},
    "HTTPS, a third with sockets, half for the first time": {
        "warm_share": 0.5, "websocket_share": 0.3, "websocket_per_view": 0.5, "tls": True,
    },
    "HTTPS, tickets that last, sockets for all": {
        "tls": True, "tls_resumed_share": 0.9, "websocket_share": 1.0, "push_period_s": 60.0,
    },
    "a line for each copy, polled load figures": {
        "warm_share": 0.8, "websocket_share": 0.3, "confirm": "batch",
    },
    "think times that connections do not outlast, one node": {"keep_alive_s": 15.0, "nodes": 1},
    "long think times, exponential": {"think": Think(kind="exponential", mean_s=40.0), "session_pages": 3.0},
    "lognormal think times, long sessions": {
        "think": Think(kind="lognormal", mean_s=12.0, sigma=1.2), "session_pages": 12.0,
    },
    "heavy pages of many parts": {
        "assets_per_page": 40, "shared_assets": 30, "page_bytes": 60_000.0, "asset_bytes": 60_000.0,
        "link_gbit": 10.0,
    },
    "a node of four is gone": {"failures": (Outage(0.0, 1e6, 2),), "tls": True},
    "many nodes, connections kept as browsers do": {"nodes": 8, "keep_alive_s": 300.0, "tls": True},
}  # fmt: skip


class Agreement(SynchronousTestCase):
    """Plan and simulation of flat states."""

    def test_each_figure_of_ten_states(self) -> None:
        for self.state, parts in STATES.items():
            self.agree(**parts)

    def agree(self, **parts: Any) -> None:
        fixed: dict[str, Any] = {
            "hours": (SETTLING + SECONDS) / 3600, "users": 2_000_000, "return_interval_s": 3600.0,
            "warm_share": 0.9, "page_bytes": 9000.0, "asset_bytes": 9000.0, "step_s": STEP_S,
        }  # fmt: skip
        given = inputs(**{**fixed, **parts})
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
        session_s = given.users.session_pages * given.users.think.mean_s
        held = concurrent(given.users.users, session_s, given.users.return_interval_s)
        self.near(held, found.concurrent_mean, "concurrent users")
        up = given.cluster.nodes - len(given.failures)
        for number, node in enumerate(found.nodes):
            gone = any(failure.node == number for failure in given.failures)
            self.near(0.0 if gone else 1 / up, node.share, f"share of node {number + 1}")

    def near(self, planned: float, simulated: float, name: str) -> None:
        difference = simulated / planned - 1 if planned else float(simulated > 0)
        said = f"{self.state}: {name}: plan {planned:,.6g}, simulated {simulated:,.6g}"
        self.assertLess(abs(difference), TOLERANCE, said)


class TheDay(SynchronousTestCase):
    """The daily curve."""

    def test_users_at_once_hour_by_hour(self) -> None:
        """A plan has the users at each full hour; what is simulated are means between two."""
        given = inputs(
            hours=24.0, users=2_000_000, return_interval_s=86_400.0, peak_to_mean=3.0, trough_to_mean=0.3,
            ttl_s=10.0, step_s=10.0,
        )  # fmt: skip
        found = Cohorts(World(given, COSTS), "one").run()
        shares = daily_shares(3.0, 20, 0.3)
        simulated = [hour.concurrent / max(hour.concurrent for hour in found.hours) for hour in found.hours]
        middles = [(share + shares[(hour + 1) % 24]) / 2 for hour, share in enumerate(shares)]
        for hour, (said, share) in enumerate(zip(simulated, middles, strict=True)):
            self.assertLess(abs(said - share / max(middles)), TOLERANCE, f"hour {hour}")
        self.assertLess(abs(sum(simulated) / sum(middles) * max(middles) - 1), TOLERANCE)
