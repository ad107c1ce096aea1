"""Cache-age model: what of a page a browser has cached, and how old, after a history of k page views.

Between two page views of a user lies a think time, and after the last one of a session a gap: with the same
probability, whatever was before, for the number of page views of a session is geometric.  A sample of
histories is played through, and what it finds is counted: for each class of k, the ages of copies at views
of pages that are kept - in seconds, if the copy was confirmed within the same session, and else in
operational time (``session_rate.py``), in which gaps are exponential with mean 1.  A copy that is fresh is
used without a question, and gets older.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from loadgen.models.think import sample
from loadgen.simulate.changes import Change
from loadgen.simulate.inputs import Population

#: Classes of users by page views so far: one for each of so many views, then ever wider ones, so many in all.
_NARROW, _CLASSES = 12, 32
#: Views of a history until it does not matter any more how it began: at least, and for each page kept.
_SETTLED, _SETTLED_EACH = 120, 10
#: Users of the sample of histories, and views of settled ones.
_SAMPLE, _VIEWS = 10_000, 128
#: Ages that are told apart: in means of think times, and in operational time.
_WITHIN = np.concatenate(([0.0], np.geomspace(1e-2, 1e4, 400)))
_ACROSS = np.concatenate(([0.0], np.geomspace(1e-4, 1e3, 400)))

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Popularity:
    """Which page is looked at."""

    def __init__(self, users: Population) -> None:
        weights = np.arange(1, users.pages + 1, dtype=np.float64) ** -users.zipf
        self._steps = np.cumsum(weights) / weights.sum()

    def draw(self, random: Generator, count: int) -> Ints:
        """Numbers of pages, 0 the most popular."""
        places = np.searchsorted(self._steps, random.random(count), side="right")
        return np.minimum(places, len(self._steps) - 1)


class CachedPages:
    """The pages that each of several users keeps, first in, first out; a confirmed one stays at its place."""

    def __init__(self, users: Population, count: int) -> None:
        self.pages = np.full((count, users.kept_pages), -1, dtype=np.int64)
        #: When each was confirmed: in clocks that the caller chooses, (clock, user, place).
        self.seen = np.zeros((3, count, users.kept_pages))
        self.slot = np.zeros(count, dtype=np.int64)
        self._rows = np.arange(count)

    def find(self, pages: Ints) -> tuple[Flags, Ints]:
        """Each looks for a page: whether it is kept, and its place, or else the one that it would get."""
        places = self.pages == pages[:, np.newaxis]
        kept = places.any(axis=1)
        return kept, np.where(kept, places.argmax(axis=1), self.slot)

    def age(self, place: Ints, clocks: Floats) -> Floats:
        """How long ago what is there was confirmed, by each clock."""
        result: Floats = clocks - self.seen[:, self._rows, place]
        return result

    def put(self, pages: Ints, kept: Flags, place: Ints, clocks: Floats, renewed: Flags) -> None:
        """Put copies at their places; they are confirmed where *renewed*."""
        self.pages[self._rows, place] = pages
        rows = self._rows[renewed]
        self.seen[:, rows, place[renewed]] = clocks[:, renewed]
        self.slot = np.where(kept, self.slot, (self.slot + 1) % self.pages.shape[1])


class Ages:
    """Counts ages by class, weighted by what pages weigh in several ways."""

    def __init__(self, grid: Floats, classes: int, weights: list[Floats]) -> None:
        self._grid, self._weights = grid, weights
        self._sums = np.zeros((len(weights), classes, len(grid) + 1))

    def add(self, place: int, ages: Floats, pages: Ints) -> None:
        """Copies of *pages* that are so old, looked at by users of the class *place*."""
        bins = np.searchsorted(self._grid, ages, side="right")
        for sums, weights in zip(self._sums, self._weights, strict=True):
            sums[place] += np.bincount(bins, weights=weights[pages], minlength=len(self._grid) + 1)

    def curve(self, number: int, views: Floats) -> Curve:
        """For each view of a class, the weight of what is older than an age."""
        older = self._sums[number, :, ::-1].cumsum(axis=1)[:, ::-1]
        return Curve(self._grid, (older[:, 1:] / views[:, np.newaxis]).T)


class Curve:
    """A function of an age that falls, for each class of users."""

    def __init__(self, grid: Floats, values: Floats) -> None:
        self._grid, self._values = grid, values

    def __call__(self, age: float) -> Floats:
        """The value at *age*, by class."""
        place = int(np.searchsorted(self._grid, age, side="right"))
        if place >= len(self._grid):
            return np.zeros(self._values.shape[1])
        low, high = self._grid[place - 1], self._grid[place]
        part = (age - low) / (high - low)
        result: Floats = self._values[place - 1] * (1 - part) + self._values[place] * part
        return result


class Older(NamedTuple):
    """What is older than an age, of copies from the same session and from before it."""

    mean_s: float
    within: Curve
    across: Curve

    def __call__(self, seconds: float, operational: float) -> Floats:
        """By class; both times are of the same moment."""
        return self.within(seconds / self.mean_s) + self.across(operational)


class Update(NamedTuple):
    """What a deploy means at a page view: expected new pages and assets among copies older than it."""

    at_s: float
    pages: Older
    assets: Older
    #: New ones among the assets that all pages share.
    shared: int


class CacheAgeModel:
    """Distributions of hits and of ages of stored responses, by class of users; from sampled histories."""

    def __init__(self, users: Population, random: Generator, changes: Sequence[Change] = ()) -> None:
        #: Views after which a history is settled.
        self.settled = max(_SETTLED, _SETTLED_EACH * users.kept_pages)
        wide = np.geomspace(_NARROW, self.settled, _CLASSES - _NARROW)
        #: The number of views with which each class begins, and P(one more leads to the next class).
        self.begins = np.unique(np.concatenate((np.arange(_NARROW), np.round(wide)))).astype(np.int64)
        self.advance = np.append(1 / np.diff(self.begins), 0.0)
        weights = [np.ones(users.pages)]
        for change in changes:
            weights += [change.pages.astype(np.float64), change.assets.astype(np.float64)]
        found = self._histories(users, random, weights)
        #: P(kept, and not confirmed for so long), by class; P(kept) at all.
        self.older = found[0]
        self.kept = self.older(0.0, 0.0)
        #: P(not kept, and nothing else confirmed for so long, either): how old shared assets are then.
        self.older_beside = found.pop()
        self.updates = [
            Update(change.at_s, pages, assets, change.shared)
            for change, pages, assets in zip(changes, found[1::2], found[2::2], strict=True)
        ]

    def _histories(self, users: Population, random: Generator, weights: list[Floats]) -> list[Older]:
        """A sample of users looks at pages; for each of *weights* of pages, what is kept for how long."""
        popularity, cached = Popularity(users), CachedPages(users, _SAMPLE)
        classes, one = len(self.begins), [np.ones(users.pages)]
        within, across = (Ages(grid, classes, weights) for grid in (_WITHIN, _ACROSS))
        within_beside, across_beside = (Ages(grid, classes, one) for grid in (_WITHIN, _ACROSS))
        views = np.zeros(len(self.begins))
        mean = users.think.mean_s
        fresh_within, fresh_across = users.max_age_s / mean, users.max_age_s / users.return_interval_s
        #: Of each user: think times in their mean, gaps, sessions.
        clocks, newest = np.zeros((3, _SAMPLE)), np.zeros((3, _SAMPLE))
        for number in range(self.settled + _VIEWS):
            place = int(np.searchsorted(self.begins, number, side="right")) - 1
            pages = popularity.draw(random, _SAMPLE)
            kept, where = cached.find(pages)
            think, gap, sessions = cached.age(where, clocks)
            near, far = kept & (sessions == 0), kept & (sessions > 0)
            within.add(place, think[near], pages[near])
            across.add(place, gap[far], pages[far])
            if number:
                think_beside, gap_beside, sessions_beside = clocks - newest
                near_beside, far_beside = ~kept & (sessions_beside == 0), ~kept & (sessions_beside > 0)
                within_beside.add(place, think_beside[near_beside], pages[near_beside])
                across_beside.add(place, gap_beside[far_beside], pages[far_beside])
            views[place] += _SAMPLE
            fresh = (near & (think < fresh_within)) | (far & (gap < fresh_across))
            cached.put(pages, kept, where, clocks, ~fresh)
            newest[:, ~fresh] = clocks[:, ~fresh]
            ended = random.random(_SAMPLE) * users.session_pages < 1
            thought = sample(users.think, random, _SAMPLE)
            clocks[0] += thought / mean
            # Time within sessions counts as it does on an average day.
            clocks[1] += thought / users.return_interval_s + ended * random.exponential(1.0, _SAMPLE)
            clocks[2] += ended
        found = [
            Older(mean, within.curve(number, views), across.curve(number, views))
            for number in range(len(weights))
        ]
        return [*found, Older(mean, within_beside.curve(0, views), across_beside.curve(0, views))]
