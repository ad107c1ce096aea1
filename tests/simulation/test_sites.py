"""Publishers whose clocks are off by a year, that are started twice, restored from backups, killed anywhere.

``EDGE_SITE_SEEDS=10000`` runs as many clusters; ``make bench BENCH=robustness`` runs ten thousand.  A failure
says how to run its seed alone.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from simulation.sites import Story, run

#: Clusters simulated, and the first seed.
SEEDS = int(os.environ.get("EDGE_SITE_SEEDS", "60"))
FIRST = int(os.environ.get("EDGE_SITE_FIRST", "1"))


class SiteTests(SynchronousTestCase):
    """In the end there is one table, everything published last is served, and what is wrong was said."""

    def test_everything_published_is_served_whatever_happened(self) -> None:
        for seed in range(FIRST, FIRST + SEEDS):
            report = run(seed)
            how = f"EDGE_SITE_FIRST={seed} EDGE_SITE_SEEDS=1 python -m twisted.trial {__name__}"
            self.assertEqual(report.problems, [], "\n".join([f"seed {seed}; alone: {how}", *report.story]))

    def test_the_same_seed_tells_the_same_story(self) -> None:
        self.assertEqual(run(7), run(7))

    def test_the_judgement_can_fail(self) -> None:
        """What was published is lost: everybody forgets it."""
        folder = Path(self.mktemp())
        folder.mkdir()
        story = Story(3, folder)
        self.addCleanup(story.end)
        story.world.run(1.0)
        self.assertTrue(story.settle())
        self.assertEqual(story.report.problems, [])
        for node in story.world.nodes.values():
            assert node.replica is not None
            node.replica.remove(b"/a", story.world.now_ms(node))
        story.world.run(5)
        story.settle()
        self.assertTrue([one for one in story.report.problems if "/a" in one], story.report)
