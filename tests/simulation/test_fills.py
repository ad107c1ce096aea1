"""Fills, changes, failures and delays in any order: nothing stale is stored, and no old answer is given.

``EDGE_FILL_HISTORIES=1000000`` runs as many, as ``make bench BENCH=apps-orders`` does.  A failure says how to
run its seed alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from edge.cache.group_changes import Stamp
from simulation.fills import Node, Waiter, World, run

#: Histories simulated, and the first seed.
HISTORIES = int(os.environ.get("EDGE_FILL_HISTORIES", "300"))
FIRST = int(os.environ.get("EDGE_FILL_FIRST", "1"))
#: Histories within which a broken rule has to be seen.
ENOUGH = 3000


class NoTokens(World):
    """What began before a change is stored."""

    def spoils(self, node: Node, application: str, groups: Iterable[str], token: int) -> bool:
        return False


class AllEarly(World):
    """Who waits gets what comes, whenever it asked."""

    def is_early(self, waiter: Waiter, early: list[Waiter]) -> bool:
        return True


class NoVectors(World):
    """What another node tells of is taken as it is."""

    def spoils_from(
        self, node: Node, application: str, groups: Iterable[str], vector: dict[str, Stamp]
    ) -> bool:
        return False


class LateTokens(World):
    """What changes while a body waits to be pulled spoils nothing."""

    def pull_token(self, node: Node, told: int) -> int:
        return node.groups.begin()


class NoDoubts(World):
    """Who has missed a change goes on answering."""

    def doubt(self, node: Node, application: str | None) -> None:
        pass


class NoDoubtsOfOne(World):
    """Who has missed changes of one application goes on answering."""

    def doubt(self, node: Node, application: str | None) -> None:
        if application is None:
            super().doubt(node, application)


class NoLeases(World):
    """Who hears nothing goes on answering."""

    def is_sure(self, node: Node) -> bool:
        return True


class NoLimit(World):
    """What is stored while somebody is apart lives as long as ever."""

    def longest(self, node: Node) -> float:
        return 60.0


class NoLimitOfStale(World):
    """What is stored while somebody is apart is given stale for as long as ever."""

    def longest_stale(self, node: Node) -> float:
        return 120.0


class FillTests(SynchronousTestCase):
    """Histories of a few nodes and one database."""

    def test_nothing_stale_is_stored_and_no_old_answer_is_given(self) -> None:
        hits = reads = 0
        for seed in range(FIRST, FIRST + HISTORIES):
            history = run(seed)
            how = f"EDGE_FILL_FIRST={seed} EDGE_FILL_HISTORIES=1 python -m twisted.trial {__name__}"
            self.assertEqual(history.troubles, [], f"seed {seed}; alone: {how}")
            hits, reads = hits + history.hits, reads + history.reads
        if HISTORIES > 100:
            self.assertGreater(hits, reads // 3, "what answers nothing is never wrong")

    def test_the_same_seed_tells_the_same_history(self) -> None:
        self.assertEqual(run(33), run(33))

    def test_each_rule_is_needed(self) -> None:
        """A cluster without it is found out."""
        for world, first in (
            (NoTokens, 5), (AllEarly, 19), (NoVectors, 3), (LateTokens, 69), (NoDoubts, 6),
            (NoDoubtsOfOne, 54), (NoLeases, 625), (NoLimit, 1853), (NoLimitOfStale, 1853),
        ):  # fmt: skip
            self.assertTrue(_is_found_out(world, first), world.__name__)


def _is_found_out(world: type[World], first: int) -> bool:
    """Whether a history with a wrong answer, or something stale that is stored, is soon found.

    *first*: the seed to begin with, at which it is found at once as long as the histories stay the same.
    """
    wrong = {"stale stored", "old answer", "older than a lease"}
    histories = (run(seed, world, faults=True) for seed in range(first, first + ENOUGH))
    return any(trouble.rule in wrong for history in histories for trouble in history.troubles)
