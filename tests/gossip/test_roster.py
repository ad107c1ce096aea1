"""The member list: what an update does to it, how long suspicions last, and who is forgotten when."""

from __future__ import annotations

from math import inf, log
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.members import Counters, Dial, GossipConfig, MemberChanged
from edge.gossip.packet import ALIVE, DEAD, LEFT, SUSPECT, MembershipUpdate
from edge.gossip.piggyback import PiggybackQueues
from edge.gossip.roster import FORGETTING, Roster
from tests.gossip.test_piggyback import report, signed


def update(
    name: str, state: int = ALIVE, incarnation: int = 0, accuser: str = "", generation: int = 1
) -> Any:
    return MembershipUpdate(name, state, generation, incarnation, "10.0.0.1", 7000, "", (1, 1), accuser)


class RosterTests(SynchronousTestCase):
    """Of a node that is one of four; a period is half a second."""

    def setUp(self) -> None:
        self.start("bcd")

    def start(self, names: Any, **config: Any) -> None:
        self.piggyback, self.counters = PiggybackQueues("a"), Counters()
        self.roster = Roster(GossipConfig(**config), self.piggyback, self.counters)
        for name in names:
            self.roster.hear(update(name), 100.0)

    def suspect(self, name: str, *accusers: str) -> float:
        """For how long *name* is suspected."""
        for accuser in accusers:
            self.roster.hear(update(name, SUSPECT, accuser=accuser), 100.0)
        return self.roster.next_at - 100.0

    def test_a_newcomer_is_dialled_a_stranger_that_is_dead_or_has_left_is_not_admitted(self) -> None:
        changed, dial = self.roster.hear(update("e"), 100.0)
        self.assertEqual(changed, MemberChanged(self.roster.members["e"], None))
        self.assertEqual(dial, Dial("e", "10.0.0.1", 7000))
        for state in (DEAD, LEFT):
            self.assertEqual(self.roster.hear(update("f", state), 100.0), [])
        self.assertNotIn("f", self.roster.members)

    def test_old_news_and_the_same_again_change_nothing_and_are_not_passed_on(self) -> None:
        self.roster.hear(update("b", incarnation=5), 100.0)
        while self.piggyback.news:
            self.piggyback.news.take(1000, 4)
        for old in (
            update("b", incarnation=5),
            update("b", SUSPECT, 4, "c"),
            update("b", DEAD, generation=0),
        ):
            self.assertEqual(self.roster.hear(old, 101.0), [])
        self.assertEqual((self.roster.members["b"].state, len(self.piggyback.news)), (ALIVE, 0))

    def test_one_accuser_leaves_six_times_as_long_as_three(self) -> None:
        """Of three periods, the lowest time in so small a cluster."""
        self.assertAlmostEqual(self.suspect("b", "a"), 9.0)
        self.assertAlmostEqual(self.suspect("b", "c"), 9.0 - 7.5 * log(2) / log(3))
        self.assertAlmostEqual(self.suspect("b", "d"), 1.5)

    def test_a_confirmation_is_passed_on_a_repetition_is_not(self) -> None:
        self.suspect("b", "a")
        for accuser, news in (("a", 0), ("c", 1)):
            while self.piggyback.news:
                self.piggyback.news.take(1000, 4)
            self.suspect("b", accuser)
            self.assertEqual(len(self.piggyback.news), news, accuser)

    def test_the_lowest_time_grows_with_the_logarithm_of_the_cluster(self) -> None:
        self.start([f"n{number}" for number in range(99)])
        self.assertAlmostEqual(self.suspect("n1", "a", "n2", "n3"), 3.0)

    def test_where_nobody_could_confirm_the_lowest_time_is_all_there_is(self) -> None:
        """Of two nodes, and in plain SWIM."""
        self.start("b")
        self.assertAlmostEqual(self.suspect("b", "a"), 1.5)
        self.start("bcd", lifeguard=False)
        self.assertAlmostEqual(self.suspect("b", "a"), 1.5)

    def test_a_suspicion_is_overdue_from_its_deadline_on(self) -> None:
        self.assertEqual(self.roster.next_at, inf)
        self.suspect("b", "a")
        self.assertEqual(self.roster.overdue(108.99), [])
        self.assertEqual([one.name for one in self.roster.overdue(109.0)], ["b"])
        self.roster.postpone(4.0)
        self.assertEqual((self.roster.next_at, self.roster.overdue(112.99)), (113.0, []))

    def test_a_refutation_ends_the_suspicion_and_is_counted(self) -> None:
        self.suspect("b", "a")
        (changed,) = self.roster.hear(update("b", incarnation=1), 101.0)
        self.assertEqual(changed, MemberChanged(self.roster.members["b"], SUSPECT))
        self.assertEqual((self.counters.false_suspicions, self.roster.next_at), (1, inf))

    def test_a_death_is_no_false_suspicion(self) -> None:
        self.suspect("b", "a")
        self.roster.hear(update("b", DEAD), 101.0)
        self.assertEqual((self.counters.false_suspicions, self.roster.next_at), (0, inf))

    def test_the_load_of_an_earlier_life_is_forgotten_that_of_this_one_is_not(self) -> None:
        self.piggyback.note(signed(report("b"), 100.0))
        self.roster.hear(update("b", incarnation=1), 100.0)
        self.assertIsNotNone(self.piggyback.load("b"))
        self.roster.hear(update("b", generation=2), 100.0)
        self.assertIsNone(self.piggyback.load("b"))

    def test_names_are_those_no_worse_than_a_state(self) -> None:
        self.roster.hear(update("c", SUSPECT, accuser="a"), 100.0)
        self.roster.hear(update("d", DEAD), 100.0)
        self.assertEqual(self.roster.names(ALIVE), ["b"])
        self.assertEqual(self.roster.names(SUSPECT), ["b", "c"])
        self.assertEqual(self.roster.names(DEAD, without="b"), ["c", "d"])

    def test_the_dead_are_remembered_for_a_day_those_who_left_for_a_minute(self) -> None:
        """With their load; whoever lives is never forgotten."""
        self.piggyback.note(signed(report("c"), 100.0))
        self.roster.hear(update("c", DEAD), 100.0)
        self.roster.hear(update("d", LEFT), 100.0)
        for now, left in ((160.0, "bcd"), (161.5, "bc"), (100.0 + 86_400, "bc"), (102.0 + 86_400, "b")):
            self.roster.forget(now)
            self.assertEqual("".join(self.roster.members), left, now)
        self.assertIsNone(self.piggyback.load("c"))

    def test_it_is_looked_at_once_a_second_only(self) -> None:
        self.roster.hear(update("d", LEFT), 100.0)
        self.roster.forget(159.9)
        self.roster.forget(159.9 + FORGETTING * 0.9)
        self.assertIn("d", self.roster.members)
        self.roster.forget(159.9 + FORGETTING)
        self.assertNotIn("d", self.roster.members)
