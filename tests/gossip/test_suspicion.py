"""How long a suspected member has to refute: the formula, and who counts as an accuser."""

from __future__ import annotations

from math import log

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.suspicion import Suspicion


class SuspicionTests(SynchronousTestCase):
    """Begun at 100 s, between 1.5 s and 9 s long, two confirmations expected."""

    def setUp(self) -> None:
        self.suspicion = Suspicion(100.0, "a", 1.5, 9.0, 2)

    def test_one_accuser_alone_needs_the_highest_time(self) -> None:
        self.assertEqual(self.suspicion.deadline, 109.0)

    def test_each_confirmation_shortens_it_by_the_logarithm_the_last_one_to_the_lowest(self) -> None:
        self.assertTrue(self.suspicion.confirm("b"))
        self.assertAlmostEqual(self.suspicion.deadline, 100 + 9 - 7.5 * log(2) / log(3))
        self.assertTrue(self.suspicion.confirm("c"))
        self.assertAlmostEqual(self.suspicion.deadline, 101.5)

    def test_nobody_accuses_twice(self) -> None:
        self.assertFalse(self.suspicion.confirm("a"))
        self.assertTrue(self.suspicion.confirm("b"))
        before = self.suspicion.deadline
        self.assertFalse(self.suspicion.confirm("b"))
        self.assertEqual(self.suspicion.deadline, before)

    def test_more_than_were_expected_change_nothing(self) -> None:
        self.suspicion.confirm("b")
        self.suspicion.confirm("c")
        self.assertFalse(self.suspicion.confirm("d"))
        self.assertAlmostEqual(self.suspicion.deadline, 101.5)

    def test_where_nobody_could_confirm_it_is_the_lowest_at_once(self) -> None:
        for expected in (0, -1):
            alone = Suspicion(100.0, "a", 1.5, 9.0, expected)
            self.assertFalse(alone.confirm("b"))
            self.assertEqual(alone.deadline, 101.5)
