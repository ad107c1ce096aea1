"""What a machine carries, what binds, and how long requests wait."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.demand.exchanges import Exchange
from loadgen.demand.flows import Demand, Flow
from loadgen.demand.wire import Crossing
from loadgen.plan.capacity import RESOURCES, Machine, machines_needed
from loadgen.plan.demand import demand_of_user
from loadgen.plan.inputs import Limits
from loadgen.plan.queueing import Queue, Work, p99, scaled
from tests.loadgen.plan.examples import COSTS, plan


def machine(**changes: float) -> Machine:
    """The example's server, with other limits."""
    made = plan()
    return Machine.of(made.servers, Limits(eur_per_month=0, **changes))  # type: ignore[arg-type]


def questions(per_second: float) -> Demand:
    """Only 304s: 600 bytes of head, 128 back, 5 us."""
    flow = Flow("304", per_second, Exchange(Crossing(780, 2), Crossing(218, 1), 5e-6))
    return Demand.of([flow], per_second * 10, per_second * 30_000)


class MachineTests(SynchronousTestCase):
    """One machine."""

    def test_the_heads_of_304s_bind_before_the_answers(self) -> None:
        """Four gigabit links take 641,026 questions a second, three and a half times as many answers."""
        whole = machine(link_share=1.0, cpu_share=1.0)
        self.assertEqual(whole.bottleneck(questions(1e5)), "link in")
        self.assertAlmostEqual(4 * whole.reach(questions(1e5)) * 1e5, 4 * 125e6 / 780)

    def test_use_is_in_proportion_to_the_share(self) -> None:
        """But for the memory that is always needed."""
        one, half = machine().use(questions(1e5), 1.0), machine().use(questions(1e5), 0.5)
        for name in RESOURCES[:-1]:
            self.assertAlmostEqual(half[name], one[name] / 2)
        self.assertAlmostEqual(one["memory"], (1e9 + 3e9) / 64e9)
        self.assertAlmostEqual(half["memory"], (1e9 + 1.5e9) / 64e9)

    def test_a_packet_limit_of_the_provider_binds(self) -> None:
        """If it is lower than what the link carries."""
        made = plan(servers__packets_per_s=100_000.0)
        self.assertEqual(Machine.of(made.servers, made.limits).bottleneck(questions(1e5)), "packets in")

    def test_descriptors_bind(self) -> None:
        """If workers may hold few."""
        made = plan(servers__connections_per_core=1000)
        self.assertEqual(Machine.of(made.servers, made.limits).bottleneck(questions(1e5)), "connections")

    def test_memory_binds(self) -> None:
        """If there is little."""
        made = plan(servers__ram_gigabytes=1.5)
        self.assertEqual(Machine.of(made.servers, made.limits).bottleneck(questions(1e5)), "memory")

    @given(st.floats(1, 1e9))
    def test_at_its_reach_a_machine_is_exactly_full(self, per_second: float) -> None:
        """The bottleneck resource at its limit, the others below."""
        server = machine()
        share = server.reach(questions(per_second))
        use = server.use(questions(per_second), share)
        self.assertAlmostEqual(use["link in"], 0.9)
        for name, limit in zip(RESOURCES, server.limits, strict=True):
            self.assertLessEqual(use[name], limit + 1e-9)

    @given(st.floats(0, 1e5), st.floats(1e-3, 1e3))
    def test_machines_needed_are_enough_and_not_one_too_many(self, missing: float, reach: float) -> None:
        """Also when it comes out even."""
        count = machines_needed(missing, reach)
        self.assertGreaterEqual(count * reach, missing - 1e-6)
        self.assertTrue(count == 0 or (count - 1) * reach < missing)


class QueueTests(SynchronousTestCase):
    """Pollaczek and Khinchine."""

    def test_exponential_service_is_m_m_1(self) -> None:
        """E[S^2] = 2 m^2: mean wait rho m / (1 - rho), and its p99."""
        queue = Queue(80.0, 0.01, 2 * 0.01**2)
        self.assertAlmostEqual(queue.rho, 0.8)
        self.assertAlmostEqual(queue.wait(), 0.8 * 0.01 / 0.2)
        self.assertAlmostEqual(queue.percentile(0.99), 0.01 / 0.2 * math.log(0.8 / 0.01))

    def test_constant_service_waits_half_as_long(self) -> None:
        """M/D/1."""
        queue = Queue.of([Work(80.0, 0.01)])
        self.assertAlmostEqual(queue.wait(), 0.5 * 0.8 * 0.01 / 0.2)

    def test_kinds_are_mixed_by_their_rates(self) -> None:
        """One slow one in a hundred makes the others wait."""
        mixed = Queue.of([Work(99.0, 0.001), Work(1.0, 0.1)])
        self.assertAlmostEqual(mixed.mean, (0.099 + 0.1) / 100)
        self.assertGreater(mixed.wait(), 20 * Queue.of([Work(199.0, 0.001)]).wait())

    def test_too_much_grows_without_bound(self) -> None:
        """And nothing waits for nothing."""
        self.assertEqual(Queue.of([Work(100.0, 0.01)]).percentile(), math.inf)
        self.assertEqual(p99([Queue.of([])]), 0.0)

    @given(st.floats(1e-6, 0.1), st.floats(0.01, 0.98), st.floats(1, 1.02))
    def test_more_arrivals_never_wait_less(self, mean: float, rho: float, factor: float) -> None:
        """At any service time."""
        queue = Queue(rho / mean, mean, 3 * mean**2)
        self.assertLessEqual(queue.percentile(), scaled(queue, factor).percentile())

    @given(st.floats(1e4, 1e9), st.floats(0.01, 1), st.floats(0.01, 1))
    def test_a_larger_share_never_waits_less(self, users: float, one: float, other: float) -> None:
        """Of a whole plan's demand."""
        demand = demand_of_user(plan(), COSTS, 4).times(users)
        low, high = sorted((one, other))
        self.assertLessEqual(machine().p99(demand, low), machine().p99(demand, high))
