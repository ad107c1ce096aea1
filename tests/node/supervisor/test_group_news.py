"""What workers are told of changes of cache groups: soon, together, and everything."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.group_changes import EVERYTHING, Change, Stamp
from edge.cache.group_history import group_hash
from edge.node.process.group_news import GroupNews as Message
from edge.node.process.group_news import unpack
from edge.node.supervisor.group_news import MOST_HASHES, TOGETHER_SECONDS, GroupNews


class GroupNewsTests(SynchronousTestCase):
    """A supervisor that makes changes itself."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100)
        self.sequence = 0
        self.told: list[Message] = []
        self.news = GroupNews(self.clock, {"shop": "", "blog": "blog.example"}.get)
        self.news.begin(
            lambda: {"n1": Stamp(5, self.sequence)}, lambda packed: self.told.append(unpack(packed))
        )

    def change(self, *groups: str) -> None:
        self.sequence += 1
        self.news.note(Change("shop", frozenset(groups)), "n1", Stamp(5, self.sequence))

    def test_the_first_change_is_told_in_the_next_turn_with_how_far_all_nodes_are(self) -> None:
        self.change("ranking")
        self.clock.advance(0)
        [told] = self.told
        self.assertEqual(told.changes, [((group_hash("ranking"),), "n1", 5, 1, "")])
        self.assertEqual(told.vector, {"n1": (5, 1)})

    def test_a_storm_is_a_hundred_messages_a_second_and_nothing_is_missing(self) -> None:
        for _ in range(10_000):
            self.change("ranking")
            self.clock.advance(0.0001)
        self.clock.advance(TOGETHER_SECONDS)
        self.assertLessEqual(len(self.told), 102)
        self.assertEqual([one.sequence for told in self.told for one in told.changes], list(range(1, 10_001)))

    def test_no_message_grows_beyond_what_the_channel_takes(self) -> None:
        for number in range(200):
            self.change(*(f"{number} {n}" for n in range(64)))
        self.clock.advance(1)
        self.assertLessEqual(
            max(sum(len(one.hashes or ()) for one in told.changes) for told in self.told), MOST_HASHES
        )
        self.assertEqual(sum(len(told.changes) for told in self.told), 200)

    def test_what_may_be_anything_is_told_as_that(self) -> None:
        self.news.note(EVERYTHING, "n2", Stamp(1, 7))
        self.news.note(Change("shop", None), "n1", Stamp(5, 1))
        self.clock.advance(0)
        self.assertEqual([(one.hashes, one.site) for one in self.told[0].changes], [(None, None), (None, "")])

    def test_a_group_is_told_as_that_of_the_site_of_its_application(self) -> None:
        self.news.note(Change("blog", frozenset({"ranking"})), "n1", Stamp(5, 1))
        self.clock.advance(0)
        self.assertEqual(self.told[0].changes, [((group_hash("ranking"),), "n1", 5, 1, "blog.example")])

    def test_groups_of_an_application_that_is_not_known_here_are_told_to_nobody_by_name(self) -> None:
        self.news.note(Change("wiki", frozenset({"ranking"})), "n2", Stamp(5, 1))
        self.clock.advance(0)
        self.assertEqual(self.told[0].changes, [(None, "n2", 5, 1, None)])

    def test_a_worker_that_starts_is_told_how_things_are(self) -> None:
        self.sequence = 9
        self.assertEqual(unpack(self.news.present()), Message([], {"n1": Stamp(5, 9)}))
