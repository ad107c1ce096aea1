"""The simulation of single users, event by event: what the cohorts are compared with.

Each user has a cache of pages with the time at which each was last confirmed, a node, and what it knows of
nodes that failed.  The next page view or session of everybody stands in a heap.  Nodes and figures are
those of the cohorts; each user of the sample counts for as many as there are in all, divided by those in
the sample.
"""

from __future__ import annotations

import heapq
import math

import numpy as np
from numpy.typing import NDArray

from edge.publish.client import LOOK_SECONDS
from loadgen.demand.changed import listed
from loadgen.models import choice, choice_arrays, think
from loadgen.models.draws import drawn, uniform
from loadgen.simulate.cache_age_model import CachedPages, Popularity
from loadgen.simulate.cohorts import World
from loadgen.simulate.costs import KIND, KINDS
from loadgen.simulate.inputs import own_assets
from loadgen.simulate.nodes import Figures
from loadgen.simulate.outcome import Outcome, Recorder
from loadgen.simulate.user import User

#: The stream of random numbers.
_STREAM = 4
#: One user counts for many: what nodes have to do comes as a mean over so many seconds, not in lumps.
_SMOOTH_S = 30.0

Floats = NDArray[np.float64]


class Exact:
    """A discrete-event simulation of single users under one policy."""

    def __init__(self, world: World, policy: str, count: int) -> None:
        inputs = world.inputs
        self._world, self._policy, self._count = world, policy, count
        self._users_of, self._cluster = inputs.users, inputs.cluster
        self._nodes = world.nodes()
        random = self._random = world.random(_STREAM, choice.POLICIES.index(policy))
        popularity = Popularity(inputs.users)
        self._uniform = uniform(random)
        self._page = drawn(lambda size: popularity.draw(random, size))
        self._think = drawn(lambda size: think.sample(inputs.users.think, random, size))
        self._gap = drawn(lambda size: random.exponential(1.0, size))
        self._counts = np.zeros((inputs.cluster.nodes, len(KINDS)))
        sockets = round(inputs.users.websocket_share * count)
        self._users = [User(number % inputs.cluster.nodes, number < sockets) for number in range(count)]
        self._warm(popularity)
        #: (time, number of a user, whether its session ends then); else it looks at a page.
        self._heap: list[tuple[float, int, bool]] = []
        for number in range(count):
            self._plan_session(number, 0.0)
        heapq.heapify(self._heap)

    def _warm(self, popularity: Popularity) -> None:
        """Histories of those who have been here before, back in time from the beginning."""
        world, random = self._world, self._random
        warm = np.flatnonzero(random.random(self._count) < self._users_of.warm_share)
        count, users = len(warm), self._users_of
        times = np.empty((world.cache_ages.settled, count))
        end = world.session_rate.second(-random.exponential(1.0, count))
        for view in range(len(times) - 1, -1, -1):
            times[view] = at = end - think.sample(users.think, random, count)
            gap = world.session_rate.second(
                world.session_rate.operational(at) - random.exponential(1.0, count)
            )
            end = np.where(random.random(count) < world.session.stay, at, gap)
        cached = CachedPages(users, count)
        for now in times:
            pages = popularity.draw(random, count)
            kept, where = cached.find(pages)
            clocks = np.broadcast_to(now, (3, count))
            fresh = kept & (cached.age(where, clocks)[0] < users.max_age_s)
            cached.put(pages, kept, where, clocks, ~fresh)
        for row, number in enumerate(warm.tolist()):
            user = self._users[number]
            user.learned = user.asked = float(times[-1, row])
            order = np.roll(np.arange(cached.pages.shape[1]), -int(cached.slot[row]))
            for place in order.tolist():
                page = int(cached.pages[row, place])
                if page >= 0:
                    user.cached[page] = float(cached.seen[0, row, place])

    def run(self) -> Outcome:
        """Simulate from the beginning to the end."""
        day = self._world.inputs.day
        steps = self._world.steps
        recorder = Recorder(self._world.inputs, steps)
        scale = self._users_of.users / self._count
        push = day.step_s / self._cluster.push_period_s
        smooth, gain = np.zeros_like(self._counts), -math.expm1(-day.step_s / _SMOOTH_S)
        self._sockets = np.zeros(self._cluster.nodes)
        self._active = np.zeros(self._cluster.nodes)
        for step in range(steps):
            now = step * day.step_s
            self._known, self._up = self._nodes.figures, self._nodes.up(now)
            self._latency = choice.LEAST_MS + 1000 * self._nodes.backlog
            self._counts[:] = 0
            while self._heap and self._heap[0][0] < now + day.step_s:
                at, number, ends = heapq.heappop(self._heap)
                if ends:
                    self._leave(number, at)
                else:
                    self._view(number, at)
            self._counts[:, KIND["push"]] = np.where(self._up, self._sockets, 0.0) * push
            counts = self._counts * scale
            connections = (
                np.where(self._up, self._active * self._world.session.open + self._sockets, 0) * scale
            )
            smooth += gain * (counts - smooth)
            load = self._nodes.step(now + day.step_s, smooth, connections)
            recorder.note(now, counts, load, connections, self._up, float(self._active.sum()) * scale)
        return recorder.outcome()

    def _plan_session(self, number: int, at: float) -> None:
        """The next session of a user who is away."""
        rate = self._world.session_rate
        begin = float(rate.second(rate.operational(at) + self._gap()))
        if begin < math.inf:
            heapq.heappush(self._heap, (max(at, begin), number, False))

    def _view(self, number: int, at: float) -> None:
        """A user looks at a page."""
        user = self._users[number]
        if not self._up.any():
            self._counts[:, KIND["failed"]] += 1 / len(self._up)
            self._go_on(number, at)
            return
        node = self._ask(user, at)
        row = self._counts[node]
        row[KIND["view"]] += 1
        begun = not user.active
        if begun:
            row[KIND["session"]] += 1
            self._enter(user, node, 1)
        if self._users_of.client_files and at - user.looked >= LOOK_SECONDS:
            row[KIND["look"]] += bool(user.cached)
            user.looked = at
        opened = user.socket * (1.0 if begun else self._users_of.websocket_per_view)
        row[KIND["upgrade"]] += opened
        row[KIND["connect"]] += opened
        if at - user.connections.get(node, -math.inf) > self._cluster.keep_alive_s:
            row[KIND["connect"]] += 1
        user.connections[node] = at
        self._look(user, int(self._page()), at, row, begun)
        if self._policy not in ("random", "one") and at - user.learned >= self._cluster.ttl_s:
            first = user.learned == -math.inf
            if first or self._users_of.confirm != "state":
                row[KIND["load"]] += not user.socket
            user.learned = at
            if self._policy == "smart" and (first or self._uniform() < self._again()):
                self._move(user, self._drawn(user, at, ()))
        self._go_on(number, at)

    def _go_on(self, number: int, at: float) -> None:
        """The page is looked at; then comes the next one, or the session is over."""
        ends = self._uniform() >= self._world.session.stay
        heapq.heappush(self._heap, (at + float(self._think()), number, ends))

    def _leave(self, number: int, at: float) -> None:
        """The session is over; the next one is planned."""
        user = self._users[number]
        if user.active:
            self._enter(user, user.node, -1)
        user.connections.clear()
        user.looked = -math.inf
        self._plan_session(number, at)

    def _enter(self, user: User, node: int, sign: int) -> None:
        """A session begins (1) or ends (-1)."""
        user.active = sign > 0
        if sign > 0:
            user.node = node
        self._active[user.node] += sign
        self._sockets[user.node] += sign * user.socket

    def _move(self, user: User, node: int) -> None:
        if user.active:
            for sign, one in ((-1, user.node), (1, node)):
                self._active[one] += sign
                self._sockets[one] += sign * user.socket
        user.node = node

    def _again(self) -> float:
        return choice.redraw_share(self._known.utilizations, self._known.weights)

    def _look(self, user: User, page: int, at: float, row: Floats, begun: bool) -> None:
        """What the page view asks a node for; *begun*: the first one of its session."""
        users, cached = self._users_of, user.cached
        if page in cached:
            if self._confirm(cached[page], at, row, 1 + users.assets_per_page, page):
                cached[page] = at
                self._question(user, at, row, begun)
            return
        row[KIND["page"]] += 1
        if cached:
            row[KIND["asset"]] += own_assets(users)
            if self._confirm(max(cached.values()), at, row, users.shared_assets, None):
                self._question(user, at, row, begun)
        else:
            row[KIND["asset"]] += users.assets_per_page
            row[KIND["client"]] += users.client_files
            user.asked = at
        if len(cached) >= users.kept_pages:
            del cached[next(iter(cached))]
        cached[page] = at

    def _confirm(self, confirmed: float, at: float, row: Floats, parts: int, page: int | None) -> bool:
        """Ask for *parts* of a page, or of what all pages share; False: they are fresh."""
        users = self._users_of
        if not parts:
            return False
        if at - confirmed < users.max_age_s:
            row[KIND["fresh"]] += parts
            return False
        newer = 0
        for change in self._world.changes:
            if confirmed < change.at_s < at:
                pages = 0 if page is None else int(change.pages[page])
                assets = change.shared if page is None else int(change.assets[page])
                newer += pages + assets
                row[KIND["page_byte"]] += pages * users.page_bytes + assets * users.asset_bytes
        newer = min(newer, parts)
        row[KIND["newer"]] += newer
        row[KIND["not_modified"]] += parts - newer
        if users.confirm == "state":
            return True
        if parts > 1:
            row[KIND["batch"]] += 1
            row[KIND["validator"]] += parts
        else:
            row[KIND["lone"]] += 1 - newer
        return True

    def _question(self, user: User, at: float, row: Floats, begun: bool) -> None:
        """One for everything that is kept, if that is how it is confirmed."""
        users = self._users_of
        if users.confirm != "state":
            return
        row[KIND["question" if user.socket and not begun else "changes"]] += 1
        for change in self._world.changes:
            if not user.asked < change.at_s < at:
                continue
            if change.count > listed(users.path_bytes):
                row[KIND["batch"]] += 1
                row[KIND["validator"]] += 1 + users.assets_per_page
            else:
                row[KIND["list"]] += 1
                row[KIND["listed"]] += change.count
        user.asked = at

    # ---- which node ----

    def _ask(self, user: User, at: float) -> int:
        """The node that answers; those that are gone are tried before it."""
        tried: list[int] = []
        while True:
            node = self._pick(user, at, tried)
            if self._up[node]:
                if tried:
                    self._counts[node, KIND["retry"]] += len(tried)
                user.answered(node, float(self._latency[node]), at)
                return node
            user.failed(node, at, self._uniform)
            tried.append(node)

    def _pick(self, user: User, at: float, tried: list[int]) -> int:
        known = self._known
        if self._policy != "smart":
            left = np.array([node for node in range(self._cluster.nodes) if node not in tried])
            share = choice_arrays.policy_shares(self._policy, known.weights[left], known.utilizations[left])
            return int(left[choice.draw(share.tolist(), self._uniform())])
        node = user.node
        slow = choice.is_slow(user.expected(node, at), choice.LEAST_MS)
        if node not in tried and known.weights[node] > 0 and not slow and user.trust(node, at) > 0:
            return node
        drawn = self._drawn(user, at, tried)
        if not tried:
            self._move(user, drawn)
        return drawn

    def _drawn(self, user: User, at: float, tried: list[int] | tuple[()]) -> int:
        known: Figures = self._known
        trust = [0.0 if n in tried else user.trust(n, at) for n in range(self._cluster.nodes)]
        expected = [user.expected(n, at) for n in range(self._cluster.nodes)]
        scores = choice.scores(known.weights.tolist(), expected, choice.LEAST_MS, trust)
        if not any(scores):
            left = [n for n in range(self._cluster.nodes) if n not in tried]
            return left[int(self._uniform() * len(left))]
        return choice.better_of_two(scores, expected, self._uniform(), self._uniform())
