"""The simulation of all users at once, step by step.

Users are counted by place and class (of the length of their history), apart by whether they are in a
session.  In one step, of those who are away some begin a session; of those who are in one, some have looked
at their page for long enough: they look at the next one, or end their session.  Nobody is lost on the way:
the sum is the number of users.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from loadgen.constants import Constants
from loadgen.demand.changed import listed
from loadgen.demand.sessions import Session
from loadgen.models import choice
from loadgen.models.think import survival
from loadgen.simulate.cache_age_model import CacheAgeModel
from loadgen.simulate.changes import Change
from loadgen.simulate.costs import KIND, KINDS, matrix
from loadgen.simulate.inputs import Inputs
from loadgen.simulate.nodes import Nodes
from loadgen.simulate.outcome import Outcome, Recorder
from loadgen.simulate.routing import PerRequestRouting, StickyRouting
from loadgen.simulate.session_rate import SessionRate
from loadgen.simulate.views import Views

Ints = NDArray[np.int64]

#: Streams of random numbers, told apart by a number beside the seed; those of policies come after.
_CACHE_AGES, _CHANGES, _POLICIES = 0, 1, 3
#: Between two words of how far it is.
_TOLD_STEPS = 1000


class World:
    """What is the same under all policies."""

    def __init__(self, inputs: Inputs, constants: Constants) -> None:
        self.inputs = inputs
        self.session_rate = SessionRate(inputs)
        self.changes = [
            Change(deploy, inputs.users, self.random(_CHANGES, number))
            for number, deploy in enumerate(inputs.deploys)
        ]
        self.cache_ages = CacheAgeModel(inputs.users, self.random(_CACHE_AGES), self.changes)
        users, cluster = inputs.users, inputs.cluster
        self.session = Session.of(users.think, users.session_pages, cluster.ttl_s, cluster.keep_alive_s)
        self.views = Views(inputs.users, self.cache_ages, self.session_rate)
        self.costs = matrix(constants, inputs.users, inputs.cluster)

    def random(self, *stream: int) -> Generator:
        """Numbers of their own for each *stream*."""
        return np.random.default_rng((self.inputs.day.seed, *stream))

    @property
    def steps(self) -> int:
        """Steps from the beginning to the end."""
        day = self.inputs.day
        return max(1, round(day.hours * 3600 / day.step_s))

    def looking(self, seconds: float) -> float:
        """P(a user within a session has looked at a page for longer than so many *seconds*)."""
        return survival(self.inputs.users.think)(seconds)

    def unseen(self, then: float, now: float) -> float:
        """P(a user whose session begins *now* had none since *then*)."""
        return float(np.exp(self.session_rate.operational(then) - self.session_rate.operational(now)))

    def nodes(self) -> Nodes:
        """Nodes that have not done anything yet."""
        return Nodes(self.inputs.cluster, self.costs, self.inputs.failures, self.inputs.day.step_s)


class Cohorts:
    """All users in cohorts under one policy, moved by random numbers in steps of time."""

    def __init__(self, world: World, policy: str) -> None:
        inputs = world.inputs
        self._world = world
        self._random = world.random(_POLICIES, choice.POLICIES.index(policy))
        self._nodes = world.nodes()
        self._reads = policy not in ("random", "one")
        self._home: StickyRouting | PerRequestRouting
        if policy == "smart":
            self._home = StickyRouting(inputs, world.session)
        else:
            self._home = PerRequestRouting(policy, inputs, world.session)
        #: Users by place and class.
        self.away = np.zeros((self._home.places, len(world.cache_ages.begins)), dtype=np.int64)
        self.active = np.zeros_like(self.away)
        warm = self._random.binomial(inputs.users.users, inputs.users.warm_share)
        even = np.full(self._home.places, 1 / self._home.places)
        self.away[:, -1] = self._random.multinomial(warm, even)
        self.away[:, 0] = self._random.multinomial(inputs.users.users - warm, even)

    def run(self, told: Callable[[float], None] | None = None) -> Outcome:
        """Simulate from the beginning to the end; *told* the share that is done, now and then."""
        world, day = self._world, self._world.inputs.day
        steps = world.steps
        recorder = Recorder(world.inputs, steps)
        begins = -np.expm1(-world.session_rate.rates((np.arange(steps) + 0.5) * day.step_s) * day.step_s)
        for step in range(steps):
            self.step(step * day.step_s, float(begins[step]), recorder)
            if told is not None and step % _TOLD_STEPS == 0:
                told(step / steps)
        return recorder.outcome()

    def step(self, now: float, begins: float, recorder: Recorder) -> None:
        """From *now* on for one step; *begins*: P(a user who is away begins a session)."""
        world, random, home, nodes = self._world, self._random, self._home, self._nodes
        step_s, users = world.inputs.day.step_s, world.inputs.users
        up, known = nodes.up(now), nodes.figures
        viewers = self._viewers(begins, step_s / users.think.mean_s)
        if up.any():
            latency = choice.LEAST_MS + 1000 * nodes.backlog
            placed = home.place(viewers, known, up, latency, random)
            counts = world.views.work(now, placed.viewers[0] + placed.viewers[1], random)
            self._more(counts, placed.viewers)
            self._questions(now, counts, placed.viewers)
            counts[:, KIND["retry"]] = placed.retries
            counts[:, KIND["connect"]] += placed.connects
            viewers = home.learn(placed.viewers, known, up, random)
        else:
            counts = np.zeros((len(up), len(KINDS)))
            counts[:, KIND["failed"]] = viewers.sum() / len(up)
        self._keep(viewers)
        sockets = home.sockets(self.active) * users.websocket_share
        connections = np.where(up, home.open(self.active) + sockets, 0.0)
        counts[:, KIND["push"]] = np.where(up, sockets, 0.0) * (step_s / world.inputs.cluster.push_period_s)
        load = nodes.step(now + step_s, counts, connections)
        recorder.note(now, counts, load, connections, up, float(self.active.sum()))

    def _more(self, counts: NDArray[np.float64], viewers: Ints) -> None:
        """What depends on whether a session begins."""
        world = self._world
        first, going = viewers[0].sum(axis=1), viewers[1].sum(axis=1)
        sockets = world.inputs.users.websocket_share
        counts[:, KIND["session"]] = first
        if world.inputs.users.client_files:
            # Of a first visit the script comes with the client.
            back = first - viewers[0, :, 0]
            counts[:, KIND["look"]] = back + self._random.binomial(going, world.session.looked)
        # A WebSocket has a connection of its own, and brings the load document.
        opened = first + going * world.inputs.users.websocket_per_view
        counts[:, KIND["upgrade"]] = counts[:, KIND["connect"]] = opened * sockets
        if world.inputs.users.confirm == "state":
            # Figures ride on what is answered; who comes for the first time asks for them.
            counts[:, KIND["load"]] = viewers[0, :, 0] * (1 - sockets)
        elif self._reads:
            reads = first + self._random.binomial(going, world.session.due)
            counts[:, KIND["load"]] = reads * (1 - sockets)

    def _questions(self, now: float, counts: NDArray[np.float64], viewers: Ints) -> None:
        """Which of the questions go over a WebSocket, and which are answered by a list of what has changed.

        The first one of a session finds no WebSocket yet.  All views are taken to ask equally often: where
        copies may be used for a while without a question, later ones of a session do so more rarely, and some
        lists are missed.
        """
        world, users = self._world, self._world.inputs.users
        asked = counts[:, KIND["changes"]].copy()
        if not asked.any():
            return
        first = viewers[0, :, 1:].sum(axis=1)
        going = viewers[1].sum(axis=1)
        begins = first / np.maximum(1, first + going)
        for change in world.changes:
            if change.at_s >= now:
                continue
            old = begins * world.unseen(change.at_s, now)
            old += (1 - begins) * world.looking(now - change.at_s)
            if change.count > listed(users.path_bytes):
                counts[:, KIND["batch"]] += asked * old
                counts[:, KIND["validator"]] += asked * old * (1 + users.assets_per_page)
            else:
                counts[:, KIND["list"]] += asked * old
                counts[:, KIND["listed"]] += asked * old * change.count
        counts[:, KIND["question"]] = asked * (1 - begins) * users.websocket_share
        counts[:, KIND["changes"]] -= counts[:, KIND["question"]]

    def _viewers(self, begins: float, over: float) -> Ints:
        """(2, place, class): whose session begins, who looks at the next page; others end their session.

        *over*: P(a user who looks at a page has done so).
        """
        random = self._random
        first, done = random.binomial(self.away, begins), random.binomial(self.active, over)
        ended = random.binomial(done, 1 - self._world.session.stay)
        self.away += ended - first
        self.active -= done
        viewers = np.empty((2, *first.shape), dtype=np.int64)
        viewers[0], viewers[1] = first, done - ended
        return viewers

    def _keep(self, viewers: Ints) -> None:
        """They look at a page, one more in their histories."""
        looked = viewers[0] + viewers[1]
        older = self._random.binomial(looked, self._world.cache_ages.advance)
        looked -= older
        looked[:, 1:] += older[:, :-1]
        self.active += looked
