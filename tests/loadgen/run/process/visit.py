"""Users on a wire in memory, and a cluster that answers them: what the tests of page views are about."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from edge.load.document import encode as encode_load
from loadgen.models.calendar import TICKS
from loadgen.models.draws import uniform
from loadgen.models.users import Users
from loadgen.run.client.choosing import Choosing
from loadgen.run.client.clock import Clock
from loadgen.run.client.heads import Heads
from loadgen.run.client.sender import LogicalRequest, Sender
from loadgen.run.client.site import Site
from loadgen.run.messages.scenario import Mutations
from loadgen.run.messages.sitemap import SiteMap
from loadgen.run.process.sessions import SessionParts
from loadgen.run.process.virtual_users import VirtualUsers
from loadgen.wire.interface import OK, Answer
from tests.loadgen.run.memory_wire import MemoryWire, Sent
from tests.loadgen.run.samples import URLS, Published, etag, load

START = 5_000_000_000_000
HOME, ABOUT = 0, 1


class Plan:
    """A calendar that a test can look into, and in which users act when the test says so."""

    def __init__(self) -> None:
        self.due: dict[int, int] = {}

    def add(self, user: int, tick: int) -> None:
        self.due[user] = tick

    def pop(self, until: int) -> list[tuple[int, int]]:
        """(tick, user) of those who are due before *until*."""
        found = sorted((tick, user) for user, tick in self.due.items() if tick < until)
        for _, user in found:
            del self.due[user]
        return found


class Visit:
    """Users, the cluster that answers them, and what is recorded."""

    def __init__(
        self,
        policy: str = "one",
        pages: Iterable[int] = (),
        lengths: int = 10**4,
        thinking: float = 1.0,
        mutations: Mutations | None = None,
        informed: int = 0,
        users: int = 4,
        nodes: int = 4,
        stale_ticks: int = TICKS,
        site: SiteMap | None = None,
    ) -> None:
        """*pages*: what is looked at, one after the other; the home page then."""
        self.published = Published()
        self.site = Site(site or self.published.site())
        self.clock = Clock(START)
        self.wire = MemoryWire(self.clock)
        self.counts: Counter[str] = Counter()
        self.users = Users(users, nodes)
        self.plan = Plan()
        random = uniform(np.random.default_rng(1))
        choosing = Choosing(self.users, policy, URLS[:nodes], random)
        looked = iter(pages)
        draws: dict[str, Callable[[], float]] = {
            "think": lambda: thinking,
            "pages": lambda: lengths,
            "page": lambda: next(looked, HOME),
            "uniform": random,
        }
        self.sender = Sender(
            self.wire, self.clock, self.users, choosing, Heads(URLS[:nodes]), random, self.counts
        )
        self.recorded: list[tuple[LogicalRequest, Answer | None, str, int]] = []
        self.virtual_users = VirtualUsers(
            self.site, choosing,
            SessionParts(
                self.users, self.plan, self.sender, self.clock, self.wire, self.counts, draws,
                lambda *ended: self.recorded.append(ended), mutations,
            ),
            stale_ticks, informed,
        )  # fmt: skip
        self.load = encode_load(load())

    @property
    def tick(self) -> int:
        return self.clock.tick(self.clock.now)

    def pass_time(self, seconds: float) -> None:
        """Nobody does anything meanwhile."""
        self.clock.now += round(seconds * 1e9)

    def publish(self, path: str, body: bytes) -> None:
        """A new version."""
        self.published.bodies[path] = body

    def view(self, user: int = 0) -> list[str]:
        """What *user* asks for at once, when looking at the next page."""
        before = len(self.wire.sent)
        if not self.users.active[user]:
            self.virtual_users.arrive(user, self.tick)
        self.virtual_users.view(user, self.tick)
        return [sent.line for sent in self.wire.sent[before:]]

    def respond(self, sent: Sent) -> None:
        """As the cluster would."""
        method, _, target = sent.line.partition(" ")
        tag = re.search(rb'(?:If-None-Match: "|[?&]~etag=)([\w-]+)', sent.request)
        path = re.sub(r"[?&]~etag=.*", "", target)
        if path == "/.edge/load":
            self.answer(sent, 200, self.load, etag(self.load).encode())
        elif path == "/.edge/revalidate":
            pairs = [line.split() for line in sent.body.decode().splitlines()]
            stale = [place for place, (one, at) in enumerate(pairs) if one != self.published.etag(at)]
            body = json.dumps({"v": 1, "seq": 7, "stale": stale}, separators=(",", ":")).encode()
            self.answer(sent, 200, body)
        elif method == "POST":
            self.answer(sent, 201)
        else:
            current = self.published.etag(path).encode()
            same = tag is not None and tag[1] == current
            self.answer(sent, 304 if same else 200, b"" if same else self.published.bodies[path], current)

    def answer(
        self, sent: Sent, status: int = 200, body: bytes = b"", tag: bytes = b"", error: int = OK
    ) -> None:
        """Something of a test's own."""
        self.sender.answered(self.wire.answer(sent, status, body, tag, error))

    def respond_to_all(self) -> list[str]:
        """Until nothing is on its way; the lines of what followed from the answers."""
        before = len(self.wire.sent)
        while self.wire.waiting():
            self.respond(self.wire.waiting()[0])
        return [sent.line for sent in self.wire.sent[before:]]

    def load_page(self, user: int = 0) -> None:
        """One page view from its beginning to its end."""
        self.view(user)
        self.respond_to_all()
