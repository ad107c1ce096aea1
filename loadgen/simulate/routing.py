"""Routing of page views to nodes: sticky for smart clients, anew for each request under other policies.

Viewers come and go as arrays (2, place, class): those whose session begins and those who continue one, by
where they are.  A place is a node for smart clients; there is only one place where users have no node of
their own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from loadgen.demand.sessions import Session
from loadgen.models import choice, choice_arrays
from loadgen.simulate.inputs import Inputs
from loadgen.simulate.nodes import Figures

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: A share of users that is not worth a draw.
_FEW = 1e-6


class Placement(NamedTuple):
    """Viewers by the node that answers them, with what getting there took."""

    #: (2, node, class)
    viewers: Ints
    #: By node: attempts that failed elsewhere before; connections that were opened.
    retries: Floats
    connects: Floats


class StickyRouting:
    """Routing of smart clients: each has a node and stays with it.

    They stay until their node is gone or was slow the last time that they asked it: that is noticed one think
    time later, by some sooner than by others.
    """

    def __init__(self, inputs: Inputs, session: Session) -> None:
        self.places = inputs.cluster.nodes
        self._session = session
        self._gain = inputs.day.step_s / inputs.users.think.mean_s
        self._moved = np.zeros(self.places)
        #: By node: of its users within a session, those to whom it was slow the last time.
        self._stung = np.zeros(self.places)
        self._least = np.full(self.places, choice.LEAST_MS)

    def place(
        self, viewers: Ints, known: Figures, up: Flags, latency: Floats, random: Generator
    ) -> Placement:
        """Who cannot or does not want to stay draws another node at once."""
        moved, self._moved = self._moved, np.zeros(self.places)
        retries = np.zeros(self.places)
        viewers = viewers.copy()
        for node in np.flatnonzero(self._stung > _FEW).tolist():
            leaving = random.binomial(viewers[1, node], self._stung[node])
            viewers[1, node] -= leaving
            expected = np.full(self.places, choice.LEAST_MS)
            expected[node] = max(latency[node], choice.SLOW * choice.LEAST_MS)
            came = _spread(np.stack((np.zeros_like(leaving), leaving)), _shares(known, up, expected), random)
            viewers += came
            moved = moved + came.sum(axis=(0, 2))
        gone = ~up | (known.weights <= 0)
        if gone.any():
            pool = viewers[:, gone].sum(axis=1)
            lost = viewers[:, ~up & (known.weights > 0)].sum()
            viewers[:, gone] = 0
            share = _shares(known, up, self._least)
            came = _spread(pool, share, random)
            viewers += came
            moved = moved + came.sum(axis=(0, 2))
            retries = lost * share
        self._stung += self._gain * ((latency > choice.SLOW * choice.LEAST_MS) - self._stung)
        lapsed = self._session.lapsed
        connects = viewers[0].sum(axis=1) + viewers[1].sum(axis=1) * lapsed + moved * (1 - lapsed)
        return Placement(viewers, retries, connects)

    def learn(self, viewers: Ints, known: Figures, up: Flags, random: Generator) -> Ints:
        """Who has read new figures may draw again; all do who have read their first ones."""
        again = choice.redraw_share(known.utilizations, known.weights)
        chances = np.empty((2, 1, viewers.shape[2]))
        chances[0], chances[1] = again, again * self._session.due
        chances[:, :, 0] = 1.0
        movers = random.binomial(viewers, chances)
        share = _shares(known, up, self._least)
        came = _spread(movers.sum(axis=1), share, random)
        self._moved = came.sum(axis=(0, 2)) * (1 - share) * self._session.stay
        return viewers - movers + came

    def open(self, active: Ints) -> Floats:
        """Of *active* users (place, class): connections held, by node."""
        held: Floats = active.sum(axis=1) * self._session.open
        return held

    def sockets(self, active: Ints) -> Floats:
        """Users by the node that they hold a WebSocket to, if they do."""
        users: Floats = active.sum(axis=1).astype(np.float64)
        return users


class PerRequestRouting:
    """Routing of clients that choose a node anew for each page view, by one of the other policies."""

    places = 1

    def __init__(self, policy: str, inputs: Inputs, session: Session) -> None:
        cluster = inputs.cluster
        self._policy, self._session = policy, session
        #: Page views within keep-alive.
        self._within = cluster.keep_alive_s / inputs.users.think.mean_s
        #: Shares of late, as far back as connections stay open.
        self._late = np.full(cluster.nodes, 1 / cluster.nodes)
        self._gain = min(1.0, inputs.day.step_s / cluster.keep_alive_s)
        # P(a session had so many views before, as far back as keep-alive lasts), by their number from 1 on.
        stay, most = session.stay, max(1, round(self._within))
        self._before = np.arange(1.0, most + 1)
        self._chances = stay ** (self._before - 1) * np.where(self._before < most, 1 - stay, 1.0)

    def place(
        self, viewers: Ints, known: Figures, up: Flags, latency: Floats, random: Generator
    ) -> Placement:
        """Everybody to the node that the policy says, or to the next if that one is gone."""
        first = choice_arrays.policy_shares(self._policy, known.weights, known.utilizations)
        share = np.where(up, first, 0.0)
        if not up.all():
            share[up] += (1 - share.sum()) * choice_arrays.policy_shares(
                self._policy, known.weights[up], known.utilizations[up]
            )
        placed = _spread(viewers[:, 0], share, random)
        self._late += self._gain * (share - self._late)
        unused = self._unused()
        views = placed.sum(axis=2)
        retries = viewers.sum() * (share - np.where(up, first, 0.0))
        return Placement(placed, retries, views[0] + views[1] * unused)

    def _unused(self) -> Floats:
        """P(a node was not asked by the views of the session before this one, while keep-alive lasted)."""
        result: Floats = (1 - self._late)[:, np.newaxis] ** self._before @ self._chances
        return result

    def learn(self, viewers: Ints, known: Figures, up: Flags, random: Generator) -> Ints:
        """Nothing that would last."""
        same: Ints = viewers.sum(axis=1, keepdims=True)
        return same

    def open(self, active: Ints) -> Floats:
        """Of *active* users (place, class): connections held, by node."""
        used = 1 - (1 - self._late) ** (1 + self._within)
        return float(active.sum()) * self._session.open * used

    def sockets(self, active: Ints) -> Floats:
        """Users by the node that they hold a WebSocket to, if they do."""
        return float(active.sum()) * self._late


def _shares(known: Figures, up: Flags, expected: Floats) -> Floats:
    """Where those go who draw, by the latency (ms) that they expect; none to nodes that are gone."""
    scores = choice_arrays.scores(known.weights, expected, choice.LEAST_MS, up)
    share = choice_arrays.shares(scores, expected)
    # All weights are 0: better any than none.
    return share if share.sum() > 0 else up / up.sum()


def _spread(pool: Ints, share: Floats, random: Generator) -> Ints:
    """Of *pool* (2, class), each to one of the nodes: (2, node, class)."""
    spread: Ints = random.multinomial(pool, share / share.sum()).transpose(0, 2, 1)
    return spread
