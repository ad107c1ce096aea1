"""The herd index: even over a whole run is not even in its windows."""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen.verdict.herd import LEAST, herd, measures

ALL = np.ones((60, 4), bool)


class HerdTests(SynchronousTestCase):
    """A minute, four nodes."""

    def test_even_is_one(self) -> None:
        found = measures(np.full((60, 4), 500.0), ALL)
        self.assertEqual(set(found.values()), {1.0})
        self.assertEqual(len(found), 6)

    def test_nodes_that_take_turns_are_even_only_over_the_whole_run(self) -> None:
        """As everybody goes to the least loaded: each second another node has all."""
        asked = np.zeros((60, 4))
        asked[np.arange(60), np.arange(60) % 4] = 2000.0
        self.assertEqual(asked.sum(axis=0).max() / asked.sum(axis=0).mean(), 1.0)
        found = measures(asked, ALL)
        self.assertEqual((found["herd_1s_mean"], found["herd_1s_max"]), (4.0, 4.0))
        self.assertEqual(found["herd_5s_mean"], 1.6)

    def test_a_node_that_is_away_is_nobodys_herd(self) -> None:
        asked, up = np.full((60, 4), 500.0), ALL.copy()
        asked[30:, 2], up[30:, 2] = 0.0, False
        self.assertEqual(set(measures(asked, up).values()), {1.0})

    def test_a_window_of_few_requests_says_nothing(self) -> None:
        asked = np.full((60, 4), LEAST - 1.0)
        self.assertIsNone(herd(asked, ALL, 1))
        self.assertIsNotNone(herd(asked, ALL, 5))
        self.assertEqual(measures(np.zeros((0, 4)), ALL[:0]), {})

    def test_means_are_weighted_by_requests_and_the_worst_is_told(self) -> None:
        asked = np.array([[900.0, 300.0], [200.0, 200.0]])
        found = herd(asked, ALL[:2, :2], 1)
        assert found is not None
        self.assertEqual((found.mean, found.p95, found.max), (1.375, 1.5, 1.5))
