"""The rejoin probe: its times, and what it takes to pass."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.rejoin import GAP, NEEDED, PATIENCE, PINGS, RejoinProbe


class RejoinProbeTests(SynchronousTestCase):
    """Begun at 100 s, with two witnesses."""

    def setUp(self) -> None:
        self.probe = RejoinProbe(100.0, ["b", "c"])

    def due(self, now: float) -> int:
        """How many rounds of pings are sent at *now*."""
        count = 0
        while self.probe.due(now):
            count += 1
        return count

    def answer(self, witness: str, count: int) -> bool:
        for _ in range(count):
            self.probe.answered(witness)
        return self.probe.passed

    def test_pings_go_out_at_once_and_then_by_the_gap(self) -> None:
        self.assertEqual(self.due(100.0), 1)
        self.assertEqual(self.due(100.0 + GAP * 0.9), 0)
        self.assertEqual(self.due(100.0 + GAP * 1.01), 1)

    def test_a_turn_that_comes_late_sends_what_was_due_meanwhile_and_never_more_than_all(self) -> None:
        self.assertEqual(self.due(100.0 + GAP * 2.01), 3)
        self.assertEqual(self.due(200.0), PINGS - 3)
        self.assertEqual(self.due(300.0), 0)

    def test_it_is_over_when_the_last_answers_had_their_time(self) -> None:
        last = 100.0 + GAP * (PINGS - 1)
        self.assertFalse(self.probe.is_over(last + PATIENCE + 1))  # nothing was sent
        self.due(last + 0.001)
        self.assertFalse(self.probe.is_over(last + PATIENCE * 0.99))
        self.assertTrue(self.probe.is_over(last + PATIENCE * 1.01))

    def test_one_witness_that_heard_nearly_all_is_enough(self) -> None:
        self.assertFalse(self.answer("b", NEEDED - 1))
        self.assertTrue(self.answer("b", 1))

    def test_answers_of_several_witnesses_do_not_add_up(self) -> None:
        """Each alone says that the link is bad."""
        self.assertFalse(self.answer("b", NEEDED - 1))
        self.assertFalse(self.answer("c", NEEDED - 1))

    def test_whoever_was_not_asked_is_no_witness(self) -> None:
        self.assertFalse(self.answer("mallory", PINGS))
        self.assertFalse(RejoinProbe(100.0, []).passed)
