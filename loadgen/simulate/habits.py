"""What of a page is kept, and how old it is, when a user with a history of k page views looks at it.

Between two page views of a user lies a think time (probability s) or the end of a session and a gap (1 -
s), whatever was before, for the number of page views of a session is geometric.  So a copy that was
confirmed j views ago is the sum of j think times old with probability s ** j; else as old as gaps are,
beside which think times do not count.  How many views ago a copy was confirmed, if it is kept at all,
follows from what pages are popular and from the order in which browsers drop copies; it is counted in a
sample of histories.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from loadgen.simulate.changes import Change
from loadgen.simulate.inputs import Users

#: Classes of users by page views so far: one for each of so many views, then ever wider ones, so many in all.
_NARROW, _CLASSES = 12, 32
#: Views ago; the last place stands for all before, too.
_AGO = 48
#: Views of a history until it does not matter any more how it began: at least, and for each page kept.
_SETTLED, _SETTLED_EACH = 120, 10
#: Users of the sample of histories, and views of settled ones; sums of think times and of gaps.
_SAMPLE, _VIEWS, _SUMS = 10_000, 128, 4_000
#: Points of a curve of ages.
_POINTS = 400

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def think_times(users: Users, random: Generator, count: int) -> Floats:
    """Seconds between page views of a session."""
    think = users.think
    if think.kind == "weibull":
        return think.mean_s / math.gamma(1 + 1 / think.shape) * random.weibull(think.shape, count)
    if think.kind == "lognormal":
        return random.lognormal(math.log(think.mean_s) - think.sigma**2 / 2, think.sigma, count)
    if think.kind == "exponential":
        return random.exponential(think.mean_s, count)
    return np.full(count, think.mean_s)


class Popularity:
    """Which page is looked at."""

    def __init__(self, users: Users) -> None:
        weights = np.arange(1, users.pages + 1, dtype=np.float64) ** -users.zipf
        self._steps = np.cumsum(weights) / weights.sum()

    def draw(self, random: Generator, count: int) -> Ints:
        """Numbers of pages, 0 the most popular."""
        places = np.searchsorted(self._steps, random.random(count), side="right")
        return np.minimum(places, len(self._steps) - 1)


class Shelves:
    """The pages that each of several users keeps, first in, first out; a confirmed one stays at its place."""

    def __init__(self, users: Users, count: int) -> None:
        self.pages = np.full((count, users.kept_pages), -1, dtype=np.int64)
        #: The number of the view that last confirmed each.
        self.seen = np.zeros((count, users.kept_pages), dtype=np.int64)
        self.slot = np.zeros(count, dtype=np.int64)
        self._rows = np.arange(count)

    def look(self, pages: Ints, number: int) -> Ints:
        """Each looks at a page, its *number*-th view: how many views ago that was confirmed; 0: not kept."""
        places = self.pages == pages[:, np.newaxis]
        kept = places.any(axis=1)
        place = np.where(kept, places.argmax(axis=1), self.slot)
        ago = np.where(kept, number - self.seen[self._rows, place], 0)
        self.pages[self._rows, place] = pages
        self.seen[self._rows, place] = number
        self.slot = np.where(kept, self.slot, (self.slot + 1) % self.pages.shape[1])
        return ago


class Curve:
    """For each class of users, a sum over views ago that falls with an age: what is older than that."""

    def __init__(self, samples: Floats, weights: Floats) -> None:
        """*samples*: ages by views ago, sorted (ago, sample); *weights*: (class, ago)."""
        count = samples.shape[1]
        self._grid = np.unique(np.concatenate(([0.0], np.quantile(samples, np.linspace(0, 1, _POINTS)))))
        younger = np.stack([np.searchsorted(row, self._grid, side="right") for row in samples]) / count
        self._values = (weights @ (1 - younger)).T

    def __call__(self, age: float) -> Floats:
        """By class."""
        place = int(np.searchsorted(self._grid, age, side="right"))
        if place >= len(self._grid):
            return np.zeros(self._values.shape[1])
        low, high = self._grid[place - 1], self._grid[place]
        part = (age - low) / (high - low)
        result: Floats = self._values[place - 1] * (1 - part) + self._values[place] * part
        return result


class Ages(NamedTuple):
    """Sorted samples (ago, sample) of how long ago so many views were: seconds within a session, else
    operational time; and the probabilities of the former."""

    within: Floats
    across: Floats
    share: Floats

    def curve(self, weights: Floats) -> Callable[[float, float], Floats]:
        """What is older than (seconds, operational), both of the same moment; *weights*: (class, ago)."""
        within = Curve(self.within, weights * self.share)
        across = Curve(self.across, weights * (1 - self.share))
        return lambda seconds, operational: within(seconds) + across(operational)


class Update(NamedTuple):
    """What a deploy means at a page view: expected new pages and assets among copies older than it."""

    at_s: float
    pages: Callable[[float, float], Floats]
    assets: Callable[[float, float], Floats]


class Habits:
    """See the module."""

    def __init__(self, users: Users, random: Generator, changes: Sequence[Change] = ()) -> None:
        #: P(a page view continues its session).
        self.stay = 1 - 1 / users.session_pages
        #: Views after which a history is settled.
        self.settled = max(_SETTLED, _SETTLED_EACH * users.kept_pages)
        wide = np.geomspace(_NARROW, self.settled, _CLASSES - _NARROW)
        #: The number of views with which each class begins, and P(one more leads to the next class).
        self.begins = np.unique(np.concatenate((np.arange(_NARROW), np.round(wide)))).astype(np.int64)
        self.advance = np.append(1 / np.diff(self.begins), 0.0)
        weights = [np.ones(users.pages)]
        for change in changes:
            weights += [change.pages.astype(np.float64), change.assets.astype(np.float64)]
        kept, *changed = self._histories(users, random, weights)
        #: P(the page is kept), by class.
        self.kept = kept.sum(axis=1)
        ago: Ints = np.arange(1, _AGO + 1)
        within: Floats = np.power(self.stay, ago, dtype=np.float64)
        thinks = np.cumsum(think_times(users, random, _AGO * _SUMS).reshape(_AGO, _SUMS), axis=0)
        ages = Ages(np.sort(thinks, axis=1), np.sort(_gaps(ago, self.stay, random), axis=1), within)
        #: P(kept, and not confirmed for so long), by class.
        self.older = ages.curve(kept)
        self.updates = [
            Update(change.at_s, ages.curve(pages), ages.curve(assets))
            for change, pages, assets in zip(changes, changed[::2], changed[1::2], strict=True)
        ]

    def _histories(self, users: Users, random: Generator, weights: list[Floats]) -> list[Floats]:
        """For each of *weights* of pages: its mean over views of a class, of kept pages by views ago."""
        popularity, shelves = Popularity(users), Shelves(users, _SAMPLE)
        sums = np.zeros((len(weights), len(self.begins), _AGO + 1))
        views = np.zeros((len(self.begins), 1))
        for number in range(self.settled + _VIEWS):
            pages = popularity.draw(random, _SAMPLE)
            ago = np.minimum(shelves.look(pages, number), _AGO)
            place = int(np.searchsorted(self.begins, number, side="right")) - 1
            views[place] += _SAMPLE
            for total, weight in zip(sums, weights, strict=True):
                total[place] += np.bincount(ago, weights=weight[pages], minlength=_AGO + 1)
        # Place 0 is of pages that were not kept.
        return [total[:, 1:] / views for total in sums]


def _gaps(ago: Ints, stay: float, random: Generator) -> Floats:
    """Sums of gaps in operational time among so many steps, one of them at least."""
    made = []
    for steps in ago:
        # The first of the steps that is a gap; those after it are independent.
        if stay > 0:
            uniform = random.random(_SUMS)
            first = 1 + np.floor(np.log1p(-uniform * (1 - stay**steps)) / math.log(stay)).astype(np.int64)
        else:
            first = np.ones(_SUMS, dtype=np.int64)
        more = random.binomial(np.maximum(0, steps - first), 1 - stay)
        made.append(random.gamma(1.0 + more))
    return np.stack(made)
