"""Users become requests, requests become frames."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.capacity.wire import Crossing, Wire
from loadgen.plan.demand import Demand, demand_of_user
from loadgen.plan.inputs import Think
from loadgen.plan.think import held, survival
from tests.loadgen.plan.examples import COSTS, plan


def demand(**changes: Any) -> Demand:
    """Of a million users of the example plan."""
    return demand_of_user(plan(**changes), COSTS, 4).times(1e6)


class WireTests(SynchronousTestCase):
    """What a link carries."""

    def test_a_question_and_its_304_by_hand(self) -> None:
        """One segment each way, and the client's lone acknowledgement."""
        inbound, outbound = Wire().exchange(600, 128)
        head = 20 + 32 + 38
        self.assertEqual(inbound, Crossing(600 + head + head, 2))
        self.assertEqual(outbound, Crossing(128 + head, 1))

    def test_a_body_of_many_segments(self) -> None:
        """The last one is half full on average; every second one is acknowledged."""
        inbound, outbound = Wire().exchange(600, 9.5 * 1448)
        self.assertEqual((inbound.packets, outbound.packets), (1 + 5, 10))
        self.assertEqual(outbound.bytes, 9.5 * 1448 + 10 * 90)

    def test_a_push_has_no_question(self) -> None:
        """Only its acknowledgement comes in."""
        self.assertEqual(Wire().exchange(0, 100)[0], Wire().empty(1))

    def test_the_smallest_frame_is_84_bytes(self) -> None:
        """As 1,488,095 of them a second are a gigabit."""
        self.assertEqual(round(1e9 / 8 / 84), 1_488_095)
        self.assertGreaterEqual(Wire().empty(1).bytes, 84)

    def test_ipv6_and_tls_cost_bytes(self) -> None:
        """20 for each packet, 22 for each record."""
        plain = Wire().exchange(600, 128)
        self.assertEqual(Wire(6).exchange(600, 128)[0].bytes - plain[0].bytes, 40)
        self.assertEqual(Wire(4, 1.0).exchange(600, 128)[1].bytes - plain[1].bytes, 22)

    @given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from([4, 6]), st.floats(0, 1))
    def test_nothing_gets_smaller_on_a_wire(self, asked: float, answered: float, ip: Any, tls: float) -> None:
        """Every byte above TCP crosses, and every packet has its overhead."""
        for crossing, payload in zip(Wire(ip, tls).exchange(asked, answered), (asked, answered), strict=True):
            self.assertGreaterEqual(crossing.bytes, payload)
            self.assertGreaterEqual(crossing.bytes, 84 * crossing.packets - 1e-6)


class ThinkTests(SynchronousTestCase):
    """Whether a connection is still open."""

    def test_exponential_by_hand(self) -> None:
        """E[min(T, k)] = m (1 - e^(-k/m))."""
        think = Think(kind="exponential", mean_s=30.0)
        self.assertAlmostEqual(held(think, 60), 30 * (1 - math.exp(-2)), 4)
        self.assertAlmostEqual(survival(think)(60), math.exp(-2), 12)

    def test_constant_by_hand(self) -> None:
        """It lapses always or never."""
        think = Think(kind="constant", mean_s=30.0)
        self.assertEqual((held(think, 60), held(think, 10)), (30, 10))
        self.assertEqual((survival(think)(29), survival(think)(60)), (1, 0))

    @given(
        st.sampled_from(["weibull", "lognormal", "exponential", "constant"]),
        st.floats(0.1, 1000),
        st.floats(0.3, 4),
        st.floats(0.1, 2.5),
        st.floats(0.1, 10_000),
    )
    def test_longer_patience_holds_longer(
        self, kind: Any, mean: float, shape: float, sigma: float, keep: float
    ) -> None:
        """And never longer than the patience, nor than users think."""
        think = Think(kind=kind, mean_s=mean, shape=shape, sigma=sigma)
        short, long = held(think, keep), held(think, keep * 2)
        self.assertLessEqual(short, min(mean, keep) * 1.0001)
        self.assertLessEqual(short, long * 1.0001)
        self.assertGreaterEqual(survival(think)(keep), survival(think)(keep * 2))

    @given(st.sampled_from(["weibull", "lognormal"]), st.floats(1, 100))
    def test_without_end_the_mean_is_held(self, kind: Any, mean: float) -> None:
        """The integral of the survival function is the mean."""
        think = Think(kind=kind, mean_s=mean)
        self.assertAlmostEqual(held(think, mean * 100) / mean, 1, 1)


class DemandTests(SynchronousTestCase):
    """What a million users ask."""

    def test_page_views_by_hand(self) -> None:
        """A tenth of sessions are first visits; the other views are one batch each; every view polls."""
        found = demand()
        first = 1e6 / 600 * 0.1
        views = 1e6 / 60 - first
        self.assertAlmostEqual(found.per_second("first visits"), first * 20)
        self.assertAlmostEqual(found.per_second("batches"), views)
        self.assertAlmostEqual(found.per_second("load polls"), 1e6 / 60)
        self.assertAlmostEqual(found.per_second("new versions"), views * 20 * 0.01)

    def test_each_copy_asked_for_alone(self) -> None:
        """304s and new versions together are all copies of all views."""
        found = demand(requests__confirm="each")
        views = 1e6 / 60 - 1e6 / 600 * 0.1
        self.assertAlmostEqual(found.per_second("304", "new versions"), views * 20)
        self.assertEqual(found.per_second("batches"), 0)

    def test_fresh_copies_are_not_asked_for(self) -> None:
        """All fresh: only first visits, polls and connections are left."""
        found = demand(pages__fresh_share=1.0)
        self.assertEqual({flow.name for flow in found.flows},
                         {"first visits", "smart client", "load polls", "connections"})  # fmt: skip

    def test_resources_are_conserved(self) -> None:
        """What a view uses is fresh, missing or confirmed: nothing twice, nothing lost."""
        found = demand(requests__confirm="each", pages__fresh_share=0.3, pages__missing_share=0.2)
        views = 1e6 / 60 - 1e6 / 600 * 0.1
        self.assertAlmostEqual(found.per_second("missing", "304", "new versions"), views * 20 * 0.7)

    def test_who_has_a_socket_does_not_poll(self) -> None:
        """And is pushed to instead, and told of publishes."""
        found = demand(push__share=0.25, push__publishes_per_hour=36)
        self.assertAlmostEqual(found.per_second("load polls"), 0.75e6 / 60)
        self.assertAlmostEqual(found.per_second("load pushes"), 0.25e6 / 4.5)
        self.assertAlmostEqual(found.per_second("publishes told"), 2500)

    def test_batches_are_cut_at_a_thousand_lines(self) -> None:
        """As nodes take them."""
        found = demand(pages__resources_per_view=1000, pages__missing_share=0.0, pages__fresh_share=0.0)
        self.assertAlmostEqual(found.per_second("batches"), 1e6 / 60 - 1e6 / 6000)

    def test_two_copies_are_a_batch_and_one_is_asked_for_alone(self) -> None:
        """One and a half on average: half the views have one, half of them two."""
        views = 1e6 / 60 - 1e6 / 6000
        found = demand(pages__resources_per_view=1.5, pages__changed_share=0.0)
        self.assertAlmostEqual(found.per_second("304"), views / 2)
        self.assertAlmostEqual(found.per_second("batches"), views / 2)
        self.assertEqual(demand(pages__resources_per_view=1.0).per_second("batches"), 0)
        self.assertEqual(demand(pages__resources_per_view=2.0).per_second("304"), 0)

    def test_connections_lapse_while_users_think(self) -> None:
        """Exponential, 60 s, kept for 60 s: a share 1/e of views opens a new one; 1 - 1/e are held."""
        found = demand()
        views = 1e6 / 60 - 1e6 / 6000
        self.assertAlmostEqual(found.per_second("connections"), 1e6 / 600 + views / math.e)
        self.assertAlmostEqual(found.connections, 1e6 * (1 - 1 / math.e), -1)

    def test_tls_handshakes_are_those_of_connections(self) -> None:
        """Full ones and resumed ones together."""
        found = demand(requests__tls_share=0.5, push__share=0.5)
        self.assertAlmostEqual(
            found.per_second("TLS handshakes", "TLS resumptions"), found.per_second("connections") / 2
        )

    def test_every_node_has_its_place_in_the_load_document(self) -> None:
        """In what is polled and in what is pushed."""
        few, many = (demand_of_user(plan(push__share=0.5), COSTS, nodes) for nodes in (2, 5))
        for name in ("load polls", "load pushes"):
            one, other = (next(f for f in d.flows if f.name == name).outbound for d in (few, many))
            head = 90 * (other.packets - one.packets)
            self.assertAlmostEqual(other.bytes - one.bytes, 3 * 200 + head)

    def test_units(self) -> None:
        """Gigabits are bytes by 8; cores are CPU seconds a second."""
        found = demand(requests__confirm="each", pages__fresh_share=0.0)
        self.assertAlmostEqual(found.cpu, sum(flow.per_second * flow.cpu_s for flow in found.flows))
        self.assertAlmostEqual(
            found.inbound.bytes, sum(flow.per_second * flow.inbound.bytes for flow in found.flows)
        )
        self.assertGreater(found.inbound.bytes, found.requests * 600)

    @settings(deadline=None)
    @given(st.floats(1, 1e9), st.floats(1, 1e3))
    def test_twice_the_users_are_twice_the_demand(self, users: float, factor: float) -> None:
        """Everything is proportional."""
        one = demand_of_user(plan(push__share=0.2), COSTS, 4).times(users)
        many = one.times(factor)
        for name in ("requests", "cpu", "connections", "memory_bytes"):
            self.assertAlmostEqual(getattr(many, name) / getattr(one, name) / factor, 1)
        self.assertAlmostEqual(many.outbound.packets / one.outbound.packets / factor, 1)
