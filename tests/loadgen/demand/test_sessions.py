"""Sessions: how many users are within one, and what one does for each page view."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from loadgen.demand.sessions import Session, concurrent
from loadgen.models.think import Think

#: Nothing is open after 60 s with probability 1/e; of 10 views, so that a session goes on with 0.9.
SESSION = Session.of(Think(kind="exponential", mean_s=60.0), 10, 5.0, 60.0)


class Concurrency(SynchronousTestCase):
    """Registered users and concurrent ones."""

    def test_littles_law(self) -> None:
        """A million users, each for 600 s in 6,000: a tenth is there; sessions x length is the same."""
        at_once = concurrent(1e6, SESSION.seconds, 5400)
        self.assertEqual(at_once, 1e5)
        begun_per_second = (1e6 - at_once) / 5400
        self.assertAlmostEqual(begun_per_second * SESSION.seconds, at_once)

    def test_who_never_leaves_is_there(self) -> None:
        self.assertEqual(concurrent(7.0, 60.0, 0.0), 7.0)


class ASession(SynchronousTestCase):
    """What one of ten views does."""

    def test_its_length_has_the_last_page_in_it(self) -> None:
        self.assertEqual(SESSION.seconds, 600)

    def test_load_documents_by_hand(self) -> None:
        """The next is read when 5 s have passed, if the session lasts: a renewal that ends."""
        self.assertAlmostEqual(SESSION.load_reads, 1 / (1 - 0.9 * math.exp(-0.1 * 5 / 60)))

    def test_looks_for_a_worker_by_hand(self) -> None:
        """One as the session begins, or the script comes with the client; then after five minutes each."""
        again = 0.9 * math.exp(-0.1 * 300 / 60)
        for first_visits in (0.0, 0.25):
            looks = SESSION.looks(first_visits)
            self.assertAlmostEqual(looks, 1 - first_visits + again / (1 - again))

    def test_sockets_by_hand(self) -> None:
        """One for the beginning; where none outlives its page, one for each of ten views."""
        self.assertEqual([SESSION.sockets(share) for share in (0.0, 0.5, 1.0)], [1.0, 5.5, 10.0])

    def test_connections_by_hand(self) -> None:
        """One for the beginning, one for each lapse, one at another node unless it had lapsed anyway."""
        lapsed = 0.36787944117144233
        self.assertAlmostEqual(SESSION.connections(0.0, 4), 1 + 9 * lapsed)
        moved = SESSION.load_reads * 0.9 * 0.1 * 3 / 4
        self.assertAlmostEqual(SESSION.connections(0.1, 4), 1 + 9 * lapsed + moved * (1 - lapsed))

    def test_in_a_first_visit_everybody_draws_once(self) -> None:
        """The others that read draw by the share that redraws."""
        more = SESSION.moves(0.1, 4, first_visits=0.5) - SESSION.moves(0.1, 4)
        self.assertAlmostEqual(more, 0.5 * 0.9 * 0.9 * 3 / 4)

    def test_a_lone_node_is_not_left(self) -> None:
        self.assertEqual(SESSION.moves(0.5, 1), 0.0)

    def test_one_view_is_read_once_and_connected_once(self) -> None:
        lone = Session.of(Think(), 1, 5.0, 60.0)
        self.assertEqual((lone.load_reads, lone.connections(0.5, 4)), (1.0, 1.0))
