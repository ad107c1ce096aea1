"""Who is told of a change when: everybody of the last one, nobody too often, and not all at once."""

from __future__ import annotations

import random
from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from edge.cache.followers import GAP, PATIENCE, RATE, TURN, Followers, spread

STEP = 0.01


class Reader:
    """One who follows groups, and asks what is new whenever it is told."""

    def __init__(self) -> None:
        self.follows: tuple[str, ...] = ()
        self.told = 0
        self.rests_until = 0.0
        #: When it was told of what.
        self.heard: list[tuple[float, list[str] | None]] = []


class FollowersTests(SynchronousTestCase):
    """In simulated time, in steps of 10 ms."""

    def setUp(self) -> None:
        self.followers: Followers[Reader] = Followers()
        self.now = 100.0
        self.told = 0

    def reader(self, *groups: str) -> Reader:
        reader = Reader()
        self.followers.follow(reader, groups)
        return reader

    def turn(self) -> None:
        at = self.followers.next_at(self.now)
        due = self.followers.due(self.now)
        self.assertTrue(at is not None or not due)
        self.told += len(due)
        for one in due:
            one.follower.heard.append((self.now, one.groups))

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self.turn()

    def change(self, *groups: str) -> None:
        self.followers.change(groups, self.now)
        self.turn()

    def test_few_are_told_at_once_and_others_of_nothing(self) -> None:
        readers, other = [self.reader("a", "b") for _ in range(TURN)], self.reader("b")
        self.change("a", "nobody follows that")
        self.assertEqual({len(one.heard) for one in readers}, {1})
        self.assertEqual(readers[0].heard, [(self.now, ["a"])])
        self.assertEqual(other.heard, [])
        self.assertIsNone(self.followers.next_at(self.now))

    def test_a_storm_tells_each_once_in_a_gap_and_of_its_end(self) -> None:
        reader = self.reader("a")
        for _ in range(1000):
            self.now += 0.001
            self.change("a")
        last = self.now
        self.pass_time(1)
        self.assertLessEqual(len(reader.heard), 1 / GAP + 1)
        times = [at for at, _ in reader.heard]
        self.assertTrue(all(later - at >= GAP - 1e-9 for at, later in pairwise(times)))
        self.assertGreaterEqual(times[-1], last)

    def test_many_are_told_over_a_time_that_grows_with_their_number(self) -> None:
        readers = [self.reader("a") for _ in range(RATE * 3)]
        for _ in range(200):
            self.change("a")
            self.pass_time(0.05)
        self.pass_time(2 * spread(len(readers)))
        self.assertLess(self.told, RATE * (10 + 2 * 3 + 1))
        for one in readers:
            times = [at for at, _ in one.heard]
            self.assertTrue(all(later - at > 0.5 for at, later in pairwise(times)))
            self.assertGreater(times[-1], 110 - spread(len(readers)) - 0.1)

    def test_a_group_of_few_does_not_wait_for_one_of_many(self) -> None:
        for _ in range(RATE * 10):
            self.reader("many")
        reader = self.reader("few")
        self.change("many")
        self.pass_time(0.5)
        asked = self.now
        self.change("few")
        self.pass_time(0.05)
        self.assertLess(reader.heard[0][0] - asked, 0.03)

    def test_who_follows_much_is_told_of_all_in_one_message(self) -> None:
        groups = [f"g{number}" for number in range(200)]
        reader = self.reader(*groups)
        self.change(*groups)
        self.assertEqual([len(named or ()) for _, named in reader.heard], [200])
        for number in range(200):
            self.change(groups[number])
        self.pass_time(0.5)
        self.assertLessEqual(len(reader.heard), 4)
        self.assertEqual(sorted(reader.heard[-1][1] or ()), sorted(groups))

    def test_when_anything_may_have_changed_all_are_told_that(self) -> None:
        readers = [self.reader("a"), self.reader("b")]
        self.followers.change(None, self.now)
        self.turn()
        self.assertEqual([one.heard for one in readers], [[(self.now, None)]] * 2)
        self.change("a")
        self.pass_time(1)
        self.assertEqual([one.heard[-1][1] for one in readers], [["a"], None])

    def test_who_leaves_or_follows_something_else_is_told_no_more(self) -> None:
        gone, other = self.reader("a"), self.reader("a")
        self.change("a")
        self.followers.leave(gone)
        self.followers.follow(other, ["b"])
        self.change("a")
        self.pass_time(1)
        self.assertEqual((len(gone.heard), len(other.heard)), (1, 1))
        self.assertEqual(len(self.followers), 1)

    def test_what_changed_before_somebody_followed_is_not_told(self) -> None:
        self.reader("a")
        self.change("a")
        late = self.reader("a")
        self.pass_time(1)
        self.assertEqual(late.heard, [])

    def test_who_could_not_be_told_is_told_later_of_everything(self) -> None:
        reader = self.reader("a", "b")
        self.followers.change(["a"], self.now)
        [due] = self.followers.due(self.now)
        self.followers.missed(due, self.now)
        self.change("b")
        self.pass_time(PATIENCE - 0.1)
        self.assertEqual(reader.heard, [])
        self.pass_time(0.2)
        self.assertEqual([sorted(named or ()) for _, named in reader.heard], [["a", "b"]])

    def test_whatever_happens_everybody_hears_of_the_last_change_and_nobody_too_often(self) -> None:
        for seed in range(20):
            self.setUp()
            chance = random.Random(seed)
            groups = [f"g{number}" for number in range(6)]
            readers = [self.reader(*chance.sample(groups, 3)) for _ in range(300)]
            last = dict.fromkeys(groups, 0.0)
            for _ in range(300):
                for group in chance.sample(groups, chance.choice((0, 0, 1, 2))):
                    last[group] = self.now
                    self.change(group)
                if chance.random() < 0.05:
                    one = chance.choice(readers)
                    self.followers.follow(one, chance.sample(groups, 3))
                    one.heard.append((self.now, list(one.follows)))  # it asks then
                self.pass_time(STEP)
            self.pass_time(3)
            self.assertIsNone(self.followers.next_at(self.now))
            for one in readers:
                for group in one.follows:
                    self.assertTrue(
                        any(
                            at >= last[group] and (named is None or group in named) for at, named in one.heard
                        )
                        or not last[group],
                        (seed, group),
                    )

    def test_groups_without_end_are_forgotten(self) -> None:
        for number in range(5000):
            reader = self.reader(f"g{number}")
            self.change(f"g{number}")
            self.now += STEP
            self.followers.leave(reader)
        sizes = [len(value) for value in vars(self.followers).values() if hasattr(value, "__len__")]
        self.assertLess(max(sizes), 2100)
