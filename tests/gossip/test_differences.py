"""Clock differences: bounds from probes, told from five seconds on."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.differences import LIMIT_MS, ClockDifferences, told

NOW = 1_700_000_000_000


class DifferenceTests(SynchronousTestCase):
    """The clock of n2, seen from here."""

    def setUp(self) -> None:
        self.differences = ClockDifferences()

    def note(self, ahead_ms: int, *, took_ms: int = 10) -> None:
        """An acknowledgement written in the middle of a round trip of *took_ms*."""
        self.differences.note("n2", NOW + ahead_ms - took_ms // 2, took_ms, NOW)

    def test_equal_clocks_do_not_differ_whatever_the_round_trip(self) -> None:
        for took in (0, 10, 100_000):
            self.note(0, took_ms=took)
        self.assertEqual((self.differences.of("n2"), self.differences.wrong()), (0, {}))

    def test_a_clock_that_is_ahead_or_behind_is_found_to_within_half_a_round_trip(self) -> None:
        for ahead in (300_000, -300_000, 31_536_000_000, -31_536_000_000):
            self.note(ahead)
            self.note(ahead)
            found = self.differences.of("n2")
            assert found is not None
            self.assertTrue(0 <= abs(ahead) - abs(found) <= 5 and found * ahead > 0, (ahead, found))
            self.assertIn("n2", self.differences.wrong())

    def test_one_probe_alone_says_nothing(self) -> None:
        self.note(300_000)
        self.assertEqual(self.differences.wrong(), {})
        self.note(-300_000)
        self.assertEqual(self.differences.wrong(), {})

    def test_a_clock_that_is_set_right_is_right_at_once(self) -> None:
        for ahead in (300_000, 300_000, 0):
            self.note(ahead)
        self.assertEqual(self.differences.wrong(), {})

    def test_a_process_that_was_stopped_blames_nobody(self) -> None:
        for _ in range(3):
            self.differences.note("n2", NOW - 30_000, 30_001, NOW)
        self.assertEqual(self.differences.of("n2"), 0)

    def test_a_small_difference_is_known_and_not_told(self) -> None:
        self.note(LIMIT_MS - 100)
        self.note(LIMIT_MS - 100)
        self.assertEqual(self.differences.wrong(), {})
        self.assertGreater(self.differences.of("n2") or 0, 4000)

    def test_who_has_left_is_forgotten(self) -> None:
        self.note(300_000)
        self.note(300_000)
        self.differences.forget("n2")
        self.assertEqual((self.differences.of("n2"), self.differences.wrong()), (None, {}))

    def test_the_sentence_says_who_by_how_much_and_what_to_do(self) -> None:
        self.assertEqual(
            told("n2", 300_000),
            "the clock of n2 is 300 s ahead of this node's: have NTP set both (see timedatectl)",
        )
        self.assertIn("n2 is 24.0 h behind this node's", told("n2", -86_400_000))
