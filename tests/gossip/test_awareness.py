"""Local health awareness: the bounds of the score, and what it multiplies."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.awareness import WORST, Awareness


class AwarenessTests(SynchronousTestCase):
    """From well to worst and back."""

    def test_a_node_that_is_well_waits_once(self) -> None:
        self.assertEqual(Awareness().factor, 1)

    def test_the_score_never_falls_below_well(self) -> None:
        """So that one failure after many answers counts at once."""
        awareness = Awareness()
        for _ in range(3):
            awareness.note(-1)
        awareness.note(1)
        self.assertEqual((awareness.score, awareness.factor), (1, 2))

    def test_the_score_never_rises_above_the_worst(self) -> None:
        """So that one answer after many failures counts at once."""
        awareness = Awareness()
        awareness.note(WORST + 5)
        self.assertEqual((awareness.score, awareness.factor), (WORST, WORST + 1))
        awareness.note(-1)
        self.assertEqual(awareness.score, WORST - 1)

    def test_plain_swim_blames_nobody_but_the_others(self) -> None:
        awareness = Awareness(on=False)
        awareness.note(5)
        self.assertEqual((awareness.score, awareness.factor), (0, 1))
