"""Users become requests, requests become frames."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.demand.flows import Demand
from loadgen.plan.demand import demand_of_user
from loadgen.plan.verdict import assess
from tests.loadgen.plan.examples import COSTS, plan

#: Load documents read a second: at the beginning of a session, and again when 5 s have passed, if it lasts.
POLLS = 1e6 / 600 / (1 - 0.9 * math.exp(-0.1 * 5 / 60))


def demand(**changes: Any) -> Demand:
    """Of a million users of the example plan."""
    return demand_of_user(plan(**changes), COSTS, 4).times(1e6)


class DemandTests(SynchronousTestCase):
    """What a million users ask."""

    def test_page_views_by_hand(self) -> None:
        """A tenth of sessions are first visits; the other views are one batch each; most views poll."""
        found = demand()
        first = 1e6 / 600 * 0.1
        views = 1e6 / 60 - first
        self.assertAlmostEqual(found.per_second("first visits"), first * 20)
        self.assertAlmostEqual(found.per_second("batches"), views)
        # Of the views that continue a session, most find that the load document is 5 s old.
        self.assertAlmostEqual(found.per_second("load polls"), POLLS)
        self.assertAlmostEqual(found.per_second("new versions"), views * 20 * 0.01)

    def test_each_copy_asked_for_alone(self) -> None:
        """304s and new versions together are all copies of all views."""
        found = demand(requests__confirm="each")
        views = 1e6 / 60 - 1e6 / 600 * 0.1
        self.assertAlmostEqual(found.per_second("304", "new versions"), views * 20)
        self.assertEqual(found.per_second("batches"), 0)

    def test_fresh_copies_are_not_asked_for(self) -> None:
        """All fresh: only first visits, polls, looks for a worker and connections are left."""
        found = demand(pages__fresh_share=1.0)
        self.assertEqual({flow.name for flow in found.flows},
                         {"first visits", "smart client", "load polls", "looks for a worker",
                          "connections"})  # fmt: skip

    def test_browsers_look_for_a_worker_where_there_is_one(self) -> None:
        """At the first view of those who come back, and at the first one after each five minutes."""
        again = 0.9 * math.exp(-0.1 * 300 / 60)
        self.assertAlmostEqual(
            demand().per_second("looks for a worker"), 1e6 / 600 * (0.9 + again / (1 - again))
        )
        self.assertEqual(demand(pages__client_files=0).per_second("looks for a worker"), 0)

    def test_resources_are_conserved(self) -> None:
        """What a view uses is fresh, missing or confirmed: nothing twice, nothing lost."""
        found = demand(requests__confirm="each", pages__fresh_share=0.3, pages__missing_share=0.2)
        views = 1e6 / 60 - 1e6 / 600 * 0.1
        self.assertAlmostEqual(found.per_second("missing", "304", "new versions"), views * 20 * 0.7)

    def test_connections_that_browsers_open_ahead(self) -> None:
        """One more for so many of the views that continue a session."""
        before, found = (demand(requests__opened_ahead_per_view=share) for share in (0.0, 0.5))
        opened = found.per_second("connections") - before.per_second("connections")
        self.assertAlmostEqual(opened, 0.5 * (1e6 / 60 - 1e6 / 600))
        self.assertEqual(found.connections, before.connections)

    def test_who_has_a_socket_does_not_poll(self) -> None:
        """And is pushed to instead, and told of publishes."""
        found = demand(push__share=0.25, push__publishes_per_hour=36)
        self.assertAlmostEqual(found.per_second("load polls"), 0.75 * POLLS)
        self.assertAlmostEqual(found.per_second("load pushes"), 0.25e6 / 4.5)
        self.assertAlmostEqual(found.per_second("publishes told"), 2500)

    def test_one_question_confirms_whatever_a_reader_has(self) -> None:
        """One a view, however many copies; over the WebSocket of who has one, but for a session's first."""
        for resources in (3, 20, 1000):
            found = demand(requests__confirm="state", pages__resources_per_view=resources, push__share=0.25)
            begin, going = 1e6 / 600 * 0.9, 1e6 / 60 - 1e6 / 600
            self.assertAlmostEqual(found.per_second("questions"), begin + going * 0.75)
            self.assertAlmostEqual(found.per_second("on sockets"), going * 0.25)
            self.assertAlmostEqual(found.per_second("load polls"), 1e6 / 6000 * 0.75)
            self.assertEqual(found.per_second("batches", "304"), 0)

    def test_a_reader_who_is_silent_polls_once_in_two_minutes(self) -> None:
        """Everything is fresh: no answer brings load figures."""
        found = demand(requests__confirm="state", pages__fresh_share=1.0)
        polls = 1e6 / 600 + (1e6 / 60 - 1e6 / 600) * math.exp(-120 / 60)
        self.assertAlmostEqual(found.per_second("load polls"), polls)

    def test_what_has_changed_is_listed_and_too_much_of_it_costs_a_batch(self) -> None:
        """Each view is answered in one of the three ways; who has a WebSocket asks when a publish is told."""
        few = demand(requests__confirm="state", push__publishes_per_hour=6, push__paths_per_publish=5)
        asked = 1e6 / 60 - 1e6 / 6000
        self.assertAlmostEqual(few.per_second("questions", "lists of changes"), asked)
        # A minute brings one publish in eleven readers; a day brings hundreds.
        self.assertGreater(few.per_second("lists of changes"), asked * 0.05)
        self.assertGreater(few.per_second("batches"), 1e6 / 600 * 0.9 * 0.8)
        many = demand(requests__confirm="state", push__publishes_per_hour=6, push__paths_per_publish=5000)
        self.assertEqual(many.per_second("lists of changes"), 0)
        self.assertGreater(many.per_second("batches"), few.per_second("batches") + asked * 0.05)
        told = demand(requests__confirm="state", push__share=1.0, push__publishes_per_hour=36)
        self.assertAlmostEqual(told.per_second("lists on sockets"), 1e4)

    def test_a_chain_of_certificates_weighs_in_full_handshakes_alone(self) -> None:
        """What it has more than the measured one."""
        light, heavy = (
            demand(requests__tls_share=1.0, requests__certificate_bytes=size) for size in (500, 2500)
        )
        for name, more in (("TLS handshakes", 2000), ("TLS resumptions", 0)):
            one, other = (next(f for f in d.flows if f.name == name).each.outbound for d in (light, heavy))
            self.assertAlmostEqual(other.bytes - one.bytes, more + 90 * (other.packets - one.packets))

    def test_a_firewall_that_tracks_connections_keeps_them_two_minutes_longer(self) -> None:
        """336 bytes each."""
        without, tracked = demand(), demand(servers__conntrack=True)
        entries = without.connections + without.per_second("connections") * 120
        self.assertAlmostEqual(tracked.memory_bytes - without.memory_bytes, entries * 336, -3)

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
        """Exponential, 60 s, kept for 60 s: a share 1/e of views opens a new one; 1 - 1/e are held.

        A lone node is not left; of four, a tenth of those who read draw again, and all at a first visit.
        """
        found = demand()
        alone = demand_of_user(plan(), COSTS, 1).times(1e6).per_second("connections")
        self.assertAlmostEqual(alone, 1e6 / 600 + (1e6 / 60 - 1e6 / 600) / math.e)
        draws = POLLS * 0.1 + 1e6 / 6000 * 0.9
        moved = draws * 0.9 * 3 / 4 * (1 - 1 / math.e)
        self.assertAlmostEqual(found.per_second("connections"), alone + moved)
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
        for name, bytes_each in (("load polls", 200), ("load pushes", 2)):
            one, other = (next(f for f in d.flows if f.name == name).each.outbound for d in (few, many))
            head = 90 * (other.packets - one.packets)
            self.assertAlmostEqual(other.bytes - one.bytes, 3 * bytes_each + head)

    def test_units(self) -> None:
        """An hour's gigabits are bytes by 8; cores are CPU seconds a second, of four servers with 8 each."""
        found = demand(requests__confirm="each", pages__fresh_share=0.0)
        hour = assess(plan(requests__confirm="each", pages__fresh_share=0.0), COSTS, [1.0]).hours[0]
        self.assertAlmostEqual(hour.in_gbit_per_s, found.inbound.bytes * 8 / 1e9)
        self.assertAlmostEqual(hour.out_packets_per_s, found.outbound.packets, 3)
        self.assertAlmostEqual(hour.use["CPU"] * 4 * 8, found.cpu)
        self.assertGreater(found.inbound.bytes, found.requests * 600)

    @given(st.floats(1, 1e9), st.floats(1, 1e3))
    def test_twice_the_users_are_twice_the_demand(self, users: float, factor: float) -> None:
        """Everything is proportional."""
        one = demand_of_user(plan(push__share=0.2), COSTS, 4).times(users)
        many = one.times(factor)
        for name in ("requests", "cpu", "connections", "memory_bytes"):
            self.assertAlmostEqual(getattr(many, name) / getattr(one, name) / factor, 1)
        self.assertAlmostEqual(many.outbound.packets / one.outbound.packets / factor, 1)
