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

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from loadgen.simulate.inputs import Users

#: Classes of users by page views so far: 0, 1, ... and the last for all with more.
CLASSES = 32
#: Views ago; the last place stands for all before, too.
_AGO = 48
#: Users of the sample of histories, and views of each; sums of think times and of gaps.
_SAMPLE, _VIEWS, _SUMS = 20_000, 128, 4_000
#: Views of a history for each page that is kept, until it does not matter any more how it began.
_SETTLED = 4
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
    """For each class of users, a falling function of an age: P(kept, and older than that)."""

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


class Habits:
    """See the module."""

    def __init__(self, users: Users, random: Generator) -> None:
        #: P(a page view continues its session).
        self.stay = 1 - 1 / users.session_pages
        counts, hits = _histories(users, random)
        views = counts.sum(axis=1, keepdims=True)
        recency = np.divide(counts, views, out=np.zeros(counts.shape), where=views > 0)[:, 1:]
        #: P(the page is kept), by class.
        self.kept = recency.sum(axis=1)
        #: What share of views of kept pages are of each page.
        self.hits = hits / max(1.0, float(hits.sum()))
        ago = np.arange(1, _AGO + 1)
        within = self.stay**ago
        thinks = np.cumsum(think_times(users, random, _AGO * _SUMS).reshape(_AGO, _SUMS), axis=0)
        self._within = Curve(np.sort(thinks, axis=1), recency * within)
        self._across = Curve(np.sort(_gaps(ago, self.stay, random), axis=1), recency * (1 - within))

    def older(self, seconds: float, operational: float) -> Floats:
        """P(kept, and not confirmed for so long), by class; both times are of the same moment."""
        return self._within(seconds) + self._across(operational)


def _histories(users: Users, random: Generator) -> tuple[Floats, Floats]:
    """How often copies were so many views old (class, 0 = not kept), and views of kept pages by page."""
    popularity, shelves = Popularity(users), Shelves(users, _SAMPLE)
    counts = np.zeros((CLASSES, _AGO + 1))
    hits = np.zeros(users.pages)
    settled = max(_VIEWS, _SETTLED * users.kept_pages)
    for number in range(settled + _VIEWS):
        pages = popularity.draw(random, _SAMPLE)
        ago = shelves.look(pages, number)
        # The last class is of long histories: the first views that fall into it are not typical of it.
        if number < CLASSES - 1 or number >= settled:
            found = np.bincount(np.minimum(ago, _AGO), minlength=_AGO + 1)
            counts[min(number, CLASSES - 1)] += found
        if number >= settled:
            hits += np.bincount(pages[ago > 0], minlength=users.pages)
    return counts, hits


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
