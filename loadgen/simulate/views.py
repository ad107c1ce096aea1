"""What page views ask the nodes for.

A page that is kept and fresh asks for nothing.  One that is kept but not fresh is confirmed with its assets
by one POST /.edge/revalidate; what that calls stale is fetched.  One that is not kept is fetched, with
those assets that no other kept page has; a first visit fetches all of them, and the smart client.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from loadgen.simulate.costs import KIND, KINDS
from loadgen.simulate.habits import Habits
from loadgen.simulate.inputs import Deploy, Inputs, own_assets, resources
from loadgen.simulate.wave import Wave

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Change:
    """What a deploy has changed: numbers of new resources by page, and among the shared assets."""

    def __init__(self, deploy: Deploy, inputs: Inputs, random: Generator) -> None:
        users = inputs.users
        self.at_s = deploy.at_s
        chosen = random.choice(resources(users), deploy.resources, replace=False)
        own = 1 + own_assets(users)
        of_pages = chosen[chosen < users.pages * own]
        #: Whether each page is new; how many assets of its own are; and shared ones.
        self.pages = np.zeros(users.pages, dtype=np.int64)
        self.pages[of_pages[of_pages % own == 0] // own] = 1
        self.assets = np.bincount(of_pages[of_pages % own != 0] // own, minlength=users.pages)
        self.shared = len(chosen) - len(of_pages)

    def expected(self, hits: Floats) -> tuple[float, float]:
        """New pages and new assets for each confirmed page; *hits*: which pages those are."""
        return float(hits @ self.pages), float(hits @ self.assets) + self.shared


class Views:
    """See the module."""

    def __init__(self, inputs: Inputs, habits: Habits, wave: Wave, changes: list[Change]) -> None:
        self._users, self._habits, self._wave = inputs.users, habits, wave
        self._changes = [(change.at_s, *change.expected(habits.hits)) for change in changes]
        self._parts = 1 + inputs.users.assets_per_page

    def work(self, now: float, viewers: Ints, random: Generator) -> Floats:
        """What *viewers* (node, class) ask each node for: (node, kind)."""
        users, habits = self._users, self._habits
        total = viewers.sum(axis=1)
        known = total - viewers[:, 0]
        hits = random.binomial(known, _share(viewers @ habits.kept, known))
        unconfirmed = habits.kept
        if users.max_age_s > 0:
            unconfirmed = habits.older(users.max_age_s, self._since(now, now - users.max_age_s))
        asked = random.binomial(hits, _share(viewers @ unconfirmed, viewers @ habits.kept))
        newer, volume = self._newer(now, viewers, unconfirmed, asked, random)
        counts = np.zeros((len(viewers), len(KINDS)))
        put = counts.T
        put[KIND["view"]] = total
        put[KIND["page"]] = total - hits
        put[KIND["asset"]] = viewers[:, 0] * users.assets_per_page + (known - hits) * own_assets(users)
        put[KIND["client"]] = viewers[:, 0] * users.client_files
        put[KIND["fresh"]] = (hits - asked) * self._parts
        if self._parts > 1:
            put[KIND["batch"]] = asked
            put[KIND["validator"]] = asked * self._parts
        else:
            put[KIND["lone"]] = asked - newer
        put[KIND["not_modified"]] = asked * self._parts - newer
        put[KIND["newer"]] = newer
        put[KIND["page_byte"]] = volume
        return counts

    def _since(self, now: float, then: float) -> float:
        return float(self._wave.operational(now) - self._wave.operational(then))

    def _newer(
        self, now: float, viewers: Ints, unconfirmed: Floats, asked: Ints, random: Generator
    ) -> tuple[Floats, Floats]:
        """How many of the confirmed copies have a newer version, and bytes of those."""
        newer, volume = np.zeros(len(asked)), np.zeros(len(asked))
        users = self._users
        for at_s, pages, assets in self._changes:
            if now <= at_s:
                continue
            age = max(users.max_age_s, now - at_s)
            older = self._habits.older(age, self._since(now, now - age))
            old = random.binomial(asked, _share(viewers @ older, viewers @ unconfirmed))
            new_pages = np.minimum(random.poisson(old * pages), old)
            new_assets = np.minimum(random.poisson(old * assets), old * (self._parts - 1))
            newer += new_pages + new_assets
            volume += new_pages * users.page_bytes + new_assets * users.asset_bytes
        return np.minimum(newer, asked * self._parts), volume


def _share(part: Floats, whole: Floats | Ints) -> Floats:
    """*part* / *whole*, 0..1; 0 where there is nothing."""
    divided = np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) > 0)
    return np.clip(divided, 0.0, 1.0)
