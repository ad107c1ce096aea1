"""What page views ask the nodes for.

A page that is kept and fresh asks for nothing.  One that is kept but not fresh is confirmed with its assets
by one question; what that calls stale is fetched.  The question is a GET /.edge/changes, or a POST
/.edge/revalidate with a line for each copy (``confirm``).  One that is not kept is fetched, with
those assets that no other kept page has, while the others are confirmed; a first visit fetches all of them,
and the smart client.

Ages of copies are those of users who have come for long: in the hours after a deploy, of users who came for
the first time shortly before it, up to a tenth too many are taken to have old copies.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from loadgen.simulate.cache_age_model import CacheAgeModel, Older
from loadgen.simulate.costs import KIND, KINDS
from loadgen.simulate.inputs import Population, own_assets
from loadgen.simulate.session_rate import SessionRate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Views:
    """Page views become requests of each kind, by what the viewers have in their caches."""

    def __init__(self, users: Population, cache_ages: CacheAgeModel, session_rate: SessionRate) -> None:
        self._users, self._cache_ages, self._session_rate = users, cache_ages, session_rate
        self._parts = 1 + users.assets_per_page

    def work(self, now: float, viewers: Ints, random: Generator) -> Floats:
        """What *viewers* (node, class) ask each node for: (node, kind)."""
        users, cache_ages = self._users, self._cache_ages
        total = viewers.sum(axis=1)
        known = total - viewers[:, 0]
        hits = random.binomial(known, _share(viewers @ cache_ages.kept, known))
        misses = known - hits
        whole = self._asked(now, viewers, hits, cache_ages.older, random)
        shared = self._asked(now, viewers, misses, cache_ages.older_beside, random)
        counts = np.zeros((len(viewers), len(KINDS)))
        put = counts.T
        put[KIND["view"]] = total
        put[KIND["page"]] = total - hits
        put[KIND["asset"]] = viewers[:, 0] * users.assets_per_page + misses * own_assets(users)
        put[KIND["client"]] = viewers[:, 0] * users.client_files
        put[KIND["fresh"]] = (hits - whole) * self._parts + (misses - shared) * users.shared_assets
        self._confirm(put, whole, self._parts, *self._newer(now, viewers, whole, random))
        if users.shared_assets:
            newer = self._newer_shared(now, viewers, shared, random)
            self._confirm(put, shared, users.shared_assets, newer, newer * users.asset_bytes)
        return counts

    def _asked(self, now: float, viewers: Ints, copies: Ints, older: Older, random: Generator) -> Ints:
        """How many of the *copies* that viewers have are not fresh."""
        age = self._users.max_age_s
        if age <= 0:
            return copies
        unconfirmed = viewers @ older(age, self._since(now, now - age))
        return random.binomial(copies, _share(unconfirmed, viewers @ older(0.0, 0.0)))

    def _confirm(self, put: Floats, asked: Ints, parts: int, newer: Floats, volume: Floats) -> None:
        """Count that *parts* of each page are confirmed: many at once, one by itself."""
        if self._users.confirm == "state":
            put[KIND["changes"]] += asked
        elif parts > 1:
            put[KIND["batch"]] += asked
            put[KIND["validator"]] += asked * parts
        else:
            put[KIND["lone"]] += asked - newer
        put[KIND["not_modified"]] += asked * parts - newer
        put[KIND["newer"]] += newer
        put[KIND["page_byte"]] += volume

    def _since(self, now: float, then: float) -> float:
        return float(self._session_rate.operational(now) - self._session_rate.operational(then))

    def _newer(self, now: float, viewers: Ints, asked: Ints, random: Generator) -> tuple[Floats, Floats]:
        """How many of the confirmed copies have a newer version, and bytes of those."""
        newer, volume = np.zeros(len(asked)), np.zeros(len(asked))
        users = self._users
        for update in self._cache_ages.updates:
            if now <= update.at_s:
                continue
            age = max(users.max_age_s, now - update.at_s)
            operational = self._since(now, now - age)
            pages = random.poisson(viewers @ update.pages(age, operational))
            assets = random.poisson(viewers @ update.assets(age, operational))
            pages, assets = np.minimum(pages, asked), np.minimum(assets, asked * (self._parts - 1))
            newer += pages + assets
            volume += pages * users.page_bytes + assets * users.asset_bytes
        return np.minimum(newer, asked * self._parts), volume

    def _newer_shared(self, now: float, viewers: Ints, asked: Ints, random: Generator) -> Floats:
        """The same of shared assets that pages brought which are not looked at now."""
        newer = np.zeros(len(asked))
        for update in self._cache_ages.updates:
            if now > update.at_s and update.shared:
                age = max(self._users.max_age_s, now - update.at_s)
                old = random.poisson(
                    viewers @ self._cache_ages.older_beside(age, self._since(now, now - age))
                )
                newer += np.minimum(old, asked) * update.shared
        return np.minimum(newer, asked * self._users.shared_assets)


def _share(part: Floats, whole: Floats | Ints) -> Floats:
    """*part* / *whole*, 0..1; 0 where there is nothing."""
    divided = np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
    result: Floats = np.minimum(np.maximum(divided, 0.0), 1.0)
    return result
