"""Pages may be prefetched only while the node has nothing better to do."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.load.speculation import CALM_SECONDS, Speculation


class SpeculationTests(SynchronousTestCase):
    """With a threshold of 30 %."""

    def setUp(self) -> None:
        self.speculation = Speculation(0.3)
        self.now = 100.0

    def observe(self, utilization: float | None, seconds: float = 1.0) -> bool:
        self.now += seconds
        return self.speculation.observe(self.now, utilization)

    def calm(self) -> None:
        for _ in range(int(CALM_SECONDS) + 2):
            self.observe(0.1)
        self.assertTrue(self.speculation.is_on)

    def test_it_begins_after_a_calm_time_and_not_before(self) -> None:
        self.assertFalse(self.observe(0.1))
        self.assertFalse(self.observe(0.29, CALM_SECONDS - 0.1))
        self.assertTrue(self.observe(0.2, 0.2))

    def test_a_moment_above_the_threshold_begins_the_calm_time_anew(self) -> None:
        self.observe(0.1)
        self.observe(0.31, CALM_SECONDS)
        self.assertFalse(self.observe(0.1))
        self.assertFalse(self.observe(0.1, CALM_SECONDS - 0.1))
        self.assertTrue(self.observe(0.1, 0.2))

    def test_what_it_causes_does_not_switch_it_and_load_does_at_once(self) -> None:
        self.calm()
        self.assertTrue(self.observe(0.44))
        self.assertTrue(self.observe(0.2))
        self.assertFalse(self.observe(0.45))
        self.assertFalse(self.observe(0.2))

    def test_nobody_knows_is_no(self) -> None:
        self.calm()
        self.assertFalse(self.observe(None))
