"""What is kept in caches, and how old it is."""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen.simulate.cache_age_model import CacheAgeModel, CachedPages, Popularity
from loadgen.simulate.inputs import Population


class WhatIsKept(SynchronousTestCase):
    """Caches and the ages of what is in them."""

    def test_a_cache_drops_what_came_first_whatever_was_confirmed_since(self) -> None:
        cached = CachedPages(Population(pages=10, kept_pages=2), 1)
        found = []
        for number, page in enumerate([1, 2, 1, 3, 1, 2]):
            pages, clocks = np.array([page]), np.full((3, 1), float(number))
            kept, place = cached.find(pages)
            found.append(float(cached.age(place, clocks)[0, 0]) if kept[0] else None)
            cached.put(pages, kept, place, clocks, np.array([True]))
        # 1 is confirmed after 2 views, but 3 takes its place, then 1 that of 2, then 2 that of 3.
        self.assertEqual(found, [None, None, 2.0, None, None, None])

    def test_first_views_hit_as_often_as_probability_says(self) -> None:
        users = Population(pages=20, kept_pages=50)
        cache_ages = CacheAgeModel(users, np.random.default_rng(1))
        weights = 1 / np.arange(1, 21)
        weights /= weights.sum()
        for views in (0, 1, 2, 5, 9):
            expected = float((weights * (1 - (1 - weights) ** views)).sum())
            self.assertLess(abs(float(cache_ages.kept[views]) - expected), 0.02)

    def test_copies_get_older_and_none_is_older_than_for_ever(self) -> None:
        cache_ages = CacheAgeModel(Population(kept_pages=12), np.random.default_rng(1))
        before = cache_ages.kept
        np.testing.assert_allclose(cache_ages.older(0.0, 0.0), cache_ages.kept)
        for age in (1.0, 20.0, 100.0, 1e9):
            now = cache_ages.older(age, age / 14_400)
            self.assertTrue((now <= before + 1e-12).all())
            before = now
        self.assertEqual(float(before.sum()), 0.0)

    def test_popular_pages_are_looked_at_in_proportion(self) -> None:
        pages = Popularity(Population(pages=3, zipf=1.0)).draw(np.random.default_rng(2), 60_000)
        np.testing.assert_allclose(np.bincount(pages) / 60_000, np.array([6, 3, 2]) / 11, atol=0.01)
