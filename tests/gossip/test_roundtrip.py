"""Probe timeouts: the numbers of RFC 6298 section 2, and their bounds."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.roundtrip import HIGHEST, INITIAL, LOWEST, RoundTrip


class RoundTripTests(SynchronousTestCase):
    """One member's."""

    def setUp(self) -> None:
        self.roundtrip = RoundTrip()

    def test_before_any_measurement_the_timeout_is_the_initial_one(self) -> None:
        self.assertIsNone(self.roundtrip.smoothed)
        self.assertEqual(self.roundtrip.timeout, INITIAL)

    def test_the_first_measurement_r_gives_r_and_four_times_half_of_it(self) -> None:
        """RFC 6298 (2.2)."""
        self.roundtrip.note(0.04)
        self.assertEqual(self.roundtrip.smoothed, 0.04)
        self.assertAlmostEqual(self.roundtrip.timeout, 0.12)

    def test_the_variation_is_taken_from_the_mean_before_this_measurement(self) -> None:
        """RFC 6298 (2.3): RTTVAR 3/4 of 20 ms and 1/4 of 40 ms, then SRTT 7/8 of 40 ms and 1/8 of 80 ms."""
        self.roundtrip.note(0.04)
        self.roundtrip.note(0.08)
        self.assertAlmostEqual(self.roundtrip.smoothed or 0, 0.045)
        self.assertAlmostEqual(self.roundtrip.timeout, 0.045 + 4 * 0.025)

    def test_the_timeout_has_bounds_the_mean_has_none(self) -> None:
        self.roundtrip.note(0.0001)
        self.assertEqual((self.roundtrip.smoothed, self.roundtrip.timeout), (0.0001, LOWEST))
        for _ in range(50):
            self.roundtrip.note(3.0)
        self.assertGreater(self.roundtrip.smoothed or 0, 2.9)
        self.assertEqual(self.roundtrip.timeout, HIGHEST)

    def test_steady_measurements_end_the_variation(self) -> None:
        for _ in range(60):
            self.roundtrip.note(0.1)
        self.assertAlmostEqual(self.roundtrip.timeout, 0.1, places=6)
