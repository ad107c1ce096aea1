"""What has changed since somebody asked last."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.steps import LINES_BYTES, REMEMBERED
from loadgen.demand.changed import Changed, listed, since


class Since(SynchronousTestCase):
    """Nothing, a list, or more than a node lists."""

    def test_a_site_that_publishes_nothing_has_not_changed(self) -> None:
        self.assertEqual(since(3600, 0.0, 10, 40), Changed(1.0, 0.0, 0.0, 0.0))

    def test_publishes_of_more_than_a_node_lists_are_never_listed(self) -> None:
        found = since(60, 1 / 60, listed(40) + 1, 40)
        self.assertEqual((found.some, found.lines), (0.0, 0.0))
        self.assertAlmostEqual(found.beyond, 0.5)

    def test_a_node_lists_as_many_as_it_remembers(self) -> None:
        """So many changes, in so many bytes."""
        self.assertEqual(listed(1), REMEMBERED)
        self.assertEqual(listed(88), LINES_BYTES // 100)

    def test_it_is_what_chance_makes_of_it(self) -> None:
        """Times without a question drawn one by one, and publishes in them."""
        drawn = random.Random(1)
        mean, rate, paths, tries = 300.0, 1 / 100, 10, 40_000
        most, counts = listed(40), []
        for _ in range(tries):
            left, count = drawn.expovariate(1 / mean), 0
            while (left := left - drawn.expovariate(rate)) > 0:
                count += paths
            counts.append(count)
        found = since(mean, rate, paths, 40)
        lists = [count for count in counts if 0 < count <= most]
        self.assertLess(abs(found.nothing - counts.count(0) / tries), 0.01)
        self.assertLess(abs(found.some - len(lists) / tries), 0.01)
        self.assertLess(abs(found.lines - sum(lists) / len(lists)), 0.5)

    @given(st.floats(0, 1e7), st.floats(0, 100), st.floats(1, 1e6), st.floats(1, 8000))
    def test_one_of_the_three_it_always_is(
        self, mean: float, rate: float, paths: float, path_bytes: float
    ) -> None:
        found = since(mean, rate, paths, path_bytes)
        self.assertAlmostEqual(found.nothing + found.some + found.beyond, 1.0)
        self.assertTrue(all(0 <= share <= 1 + 1e-9 for share in found[:3]))
        self.assertLessEqual(found.lines, listed(path_bytes) * (1 + 1e-9))
