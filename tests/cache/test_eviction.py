import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.eviction import MOST_ROUNDS, S3Fifo


class Cache:
    """A cache of *room* keys that S3-FIFO empties."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.hit: set[int] = set()
        self.order = S3Fifo(self._was_hit)
        self.numbers: dict[int, int] = {}
        self.keys: dict[int, int] = {}

    def _was_hit(self, number: int) -> bool:
        was = number in self.hit
        self.hit.discard(number)
        return was

    def ask(self, key: int) -> bool:
        """Whether it was there; it is from now on."""
        if key in self.numbers:
            self.hit.add(self.numbers[key])
            return True
        while len(self.order) >= self.room:
            number = self.order.evict(lambda number: fingerprint(self.keys[number]))
            assert number is not None
            self.forget(self.keys[number])
        number = self.order.add(fingerprint(key))
        assert number not in self.keys
        self.numbers[key], self.keys[number] = number, key
        return False

    def forget(self, key: int) -> None:
        number = self.numbers.pop(key)
        del self.keys[number]
        self.hit.discard(number)


def fingerprint(key: int) -> int:
    return (key + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF


class S3FifoTests(SynchronousTestCase):
    def test_what_is_asked_for_stays_when_a_crawler_comes_by(self) -> None:
        cache = Cache(100)
        for _ in range(3):
            for key in range(50):
                cache.ask(key)
        for stranger in range(1000, 6000):
            cache.ask(stranger)
            cache.ask(stranger % 50)
        self.assertEqual(sum(key in cache.numbers for key in range(50)), 50)

    def test_it_hits_more_often_than_a_plain_fifo_where_some_are_asked_for_more(self) -> None:
        draw = random.Random(7)
        asked = [int(draw.paretovariate(0.8)) for _ in range(20_000)]
        cache = Cache(200)
        hits = sum(cache.ask(key) for key in asked)
        fifo: dict[int, None] = {}
        fifo_hits = 0
        for key in asked:
            fifo_hits += key in fifo
            fifo[key] = None
            if len(fifo) > 200:
                del fifo[next(iter(fifo))]
        self.assertGreater(hits, fifo_hits)

    def test_who_comes_back_from_the_ghosts_is_not_new(self) -> None:
        cache = Cache(20)
        for key in range(40):
            cache.ask(key)
        gone = max(key for key in range(40) if key not in cache.numbers)
        before = cache.order.small
        cache.ask(gone)
        self.assertLess(cache.order.small, before + 1)

    def test_one_leaves_within_bounded_time_although_all_were_asked_for(self) -> None:
        looks = 0

        def asked_for(number: int) -> bool:
            nonlocal looks
            looks += 1
            return True

        order = S3Fifo(asked_for)
        for key in range(10_000):
            order.add(fingerprint(key))
        while order.small * 10 > len(order):  # all of them move on, once
            order.evict(fingerprint)
        looks = 0
        for _ in range(10):
            self.assertIsNotNone(order.evict(fingerprint))
        self.assertLessEqual(looks, 10 * (MOST_ROUNDS + 2))

    def test_from_nothing_nothing_leaves(self) -> None:
        order = S3Fifo(lambda number: False)
        self.assertIsNone(order.evict(fingerprint))
        order.remove(order.add(1))
        self.assertIsNone(order.evict(fingerprint))

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=300), st.integers(1, 12))
    def test_whatever_happens_its_account_agrees_with_what_is_there(
        self, steps: list[tuple[int, bool]], room: int
    ) -> None:
        cache = Cache(room)
        for key, taken_away in steps:
            if taken_away and key in cache.numbers:
                cache.order.remove(cache.numbers[key])
                cache.forget(key)
            else:
                cache.ask(key)
            self.assertEqual(len(cache.order), len(cache.numbers))
            self.assertLessEqual(len(cache.order), room)
        left = [cache.order.evict(lambda number: 0) for _ in range(len(cache.numbers))]
        self.assertEqual(sorted(left), sorted(cache.keys))  # type: ignore[type-var]
