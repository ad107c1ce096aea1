"""Hostile messages of a node with a valid certificate do nothing that lasts."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.gossip.siege import Siege

#: Messages of one siege, and sieges; `make bench BENCH=robustness` sends 10^5.
MESSAGES = int(os.environ.get("EDGE_HOSTILE_MESSAGES", "700"))
SIEGES = 2


class SiegeTests(SynchronousTestCase):
    """Any messages that the schema allows."""

    def test_nothing_lasts_and_nothing_grows(self) -> None:
        for seed in range(SIEGES):
            outcome = Siege(seed).run(MESSAGES)
            self.assertEqual(outcome.lasting, [], f"seed {seed}")
            self.assertGreater(outcome.decoded, outcome.sent // 5)
            self.assertLess(outcome.late, 2 * outcome.early, f"seed {seed}: {outcome}")
