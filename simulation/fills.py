"""Histories of fills and changes: a few nodes, one database, and everything that can come between.

Each history is made of a seed: readers and writers at random nodes, applications that read at once and answer
late, or fail; messages that take long, come twice, come in another order; nodes that are cut off, stopped,
killed, started anew.  The nodes are the real cores: :class:`~edge.gossip.invalidation.Invalidation`,
:class:`~edge.gossip.coalescing.Coalescing`, :class:`~edge.cache.groups.Groups`; what
:mod:`edge.node.applications` does with them is done here by :class:`Node`, in the same steps.

A value is what the database had when an application read it: a version for each group.  So every rule can be
checked in every answer:

* **stale stored**: a node keeps a value that is older than a change which is in force there;
* **old answer**: a reader who asks a node after a change was settled there, as its writer was told, gets a
  value from before it;
* **older than a lease**: whatever was cut off, nobody gets a value older than a change that was told to its
  writer a lease ago (but for the writers of a node that left, and came back where nobody else is);
* **asked again**: when everything has healed, what was answered once is answered from the table.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from edge.cache.group_changes import Change, Stamp
from edge.cache.groups import Groups
from edge.gossip.coalescing import Coalescing, FillHere, NotShared, Offer, TakeEntry
from edge.gossip.entries import AGAIN, FAILED, STORED, Bodies, Entry, EntryMessage
from edge.gossip.group_messages import GroupMessage
from edge.gossip.invalidation import ChangeSettled, Invalidation, Tell
from edge.gossip.packet import LogPosition

APPLICATIONS = ("shop", "blog")
#: Seconds for which an answer is fresh.
FRESH = 60.0
#: Seconds after that for which it may be given while it is asked for anew.
STALE = 60.0
#: Key -> its application, and its groups: those of one application have one in common.
KEYS = {b"/a": ("shop", ("a", "all")), b"/b": ("shop", ("b", "all")), b"/c": ("blog", ("c",))}
#: Group -> its application.
GROUPS = {"a": "shop", "b": "shop", "all": "shop", "c": "blog"}
#: What is written: of which application, in which groups.
WRITES = (
    ("shop", ("a",)),
    ("shop", ("b",)),
    ("shop", ("all",)),
    ("shop", ("a", "all")),
    ("blog", ("c",)),
)
#: Own changes that a node keeps for who connects later: few, so that some are missed for good.
KEPT = 3

#: What nodes send each other; hot entries as they are taken.
Message = GroupMessage | EntryMessage | TakeEntry
#: Group -> version: what an application read.
Value = dict[str, int]


class Trouble(NamedTuple):
    """What a history must not have: a rule, and what broke it."""

    rule: str
    text: str


@dataclass
class Stored:
    """A kept answer."""

    value: Value
    #: When the question was asked that it answers; until when it is fresh.
    asked_at: float
    fresh_until: float
    #: Until when the Twisted side gives it while it is asked for anew.
    stale_until: float
    number: int
    doubtful: bool = False


class Taken(NamedTuple):
    """An answer of another node that is being taken over."""

    entry: Entry
    value: Value
    #: When it was heard of, as of which no change may have come since.
    token: int
    asked_at: float
    fresh_until: float
    wanted: bool


@dataclass
class Waiter:
    """A reader that waits, and what it may not be given less than."""

    floor: Value
    asked_at: float


@dataclass
class History:
    """What happened, and what came of it."""

    seed: int
    troubles: list[Trouble] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    reads: int = 0
    hits: int = 0
    calls: int = 0
    changes: int = 0


class Node:
    """A node: its table, its fills, its readers."""

    def __init__(self, world: World, name: str, generation: int) -> None:
        self.world = world
        self.name = name
        self.generation = generation
        self.groups = Groups(key=b"0123456789abcdef")
        self.table: dict[bytes, Stored] = {}
        self.waiters: dict[bytes, list[Waiter]] = {}
        #: Key -> (token, when it was asked) of the fill that runs here.
        self.fills: dict[bytes, tuple[int, float]] = {}
        #: Bodies of other nodes that wait for their place: one is pulled at a time.
        self.pulls: deque[Callable[[], None]] = deque()
        #: Key -> what is on its way here, when that was told, and the token then.
        self.coming: dict[bytes, tuple[TakeEntry, float, int]] = {}
        self.numbers: dict[int, bytes] = {}
        self.number = 0
        former = generation - 1
        self.invalidation = Invalidation(name, generation, former, self.apply, world.lease, world.now, KEPT)
        self.invalidation.expects = True
        self.coalescing = Coalescing(name, self.have, fill_seconds=2.0)
        self.coalescing.set_applications(APPLICATIONS)
        #: As the fast path has it: until when entries may be answered.
        self.sure_until: float | None = None
        #: What is in force here, by group: what no value may be older than.
        self.in_force: Value = dict.fromkeys(GROUPS, 0)
        self.runs = True
        self.paused_until = 0.0

    # Changes

    def apply(self, change: Change, origin: str, stamp: Stamp) -> None:
        """A change is put in force here."""
        entries = self.groups.apply(change, origin, stamp)
        if entries is None:
            self.world.doubt(self, change.application)
        else:
            for number in entries:
                self.remove(self.numbers[number])
        for group, version in self.world.versions_of(origin, stamp).items():
            if change.application in (None, GROUPS[group]):
                self.in_force[group] = max(self.in_force[group], version)
        for key, stored in self.table.items():
            if not stored.doubtful:
                self.world.check_stored(self, key)

    def remove(self, key: bytes) -> None:
        """The answer for *key* goes."""
        stored = self.table.pop(key, None)
        if stored is not None:
            del self.numbers[stored.number]
            self.groups.drop(stored.number)

    # Readers

    def read(self, waiter: Waiter, key: bytes) -> None:
        """Somebody asks for *key*: at the fast path, which answers also while this process is stopped."""
        world, stored = self.world, self.table.get(key)
        if stored is not None and self.may_answer(stored):
            world.history.hits += 1
            world.answer(self, key, stored.value, waiter, "hit")
            return
        world.when_awake(self, partial(self.miss, waiter, key))

    def may_answer(self, stored: Stored) -> bool:
        """Whether the fast path may give it."""
        return self.is_certain(stored) and self.world.now < stored.fresh_until

    def is_certain(self, stored: Stored) -> bool:
        """Whether no change that it may be older than has been missed."""
        return not stored.doubtful and self.world.is_sure(self)

    def miss(self, waiter: Waiter, key: bytes) -> None:
        """The reader waits; somebody in the cluster fills."""
        world, stored = self.world, self.table.get(key)
        if stored is not None and self.is_certain(stored) and world.now < stored.stale_until:
            world.answer(self, key, stored.value, waiter, "stale")
            self.coalescing.want(KEYS[key][0], key, world.now)
            self.put_out()
            return
        self.waiters.setdefault(key, []).append(waiter)
        if len(self.waiters[key]) == 1 and key not in self.fills:
            self.coalescing.want(KEYS[key][0], key, self.world.now)
            self.put_out()

    def fill(self, key: bytes) -> None:
        """Take a token; a worker is told of it, and asks the application."""
        world, fill = self.world, (self.groups.begin(), self.world.now)
        self.fills[key] = fill
        world.at(world.delay() / 10, partial(world.when_awake, self, partial(self.ask, key, fill)))

    def ask(self, key: bytes, fill: tuple[int, float]) -> None:
        """Ask the application; who waits by now is given its answer whatever changes meanwhile."""
        early = list(self.waiters.get(key, ()))
        self.world.ask(self, key, partial(self.filled, key, fill, self.world.now, early))

    def filled(
        self, key: bytes, fill: tuple[int, float], asked_at: float, early: list[Waiter], value: Value | None
    ) -> None:
        """The application has answered; None: it failed."""
        if self.fills.get(key) != fill:
            return
        del self.fills[key]
        now, outcome = self.world.now, FAILED
        told: tuple[Entry, tuple[LogPosition, ...], Bodies] | tuple[()] = ()
        if value is not None:
            outcome = AGAIN
            if not self.world.spoils(self, *KEYS[key], fill[0]):
                self.store(key, value, asked_at, asked_at + FRESH)
                outcome, told = STORED, (self.entry(key), self.vector(), self.riding(self.table[key]))
        self.coalescing.done(key, outcome, now, *told)
        self.give(key, value, outcome == STORED, early)
        self.put_out()

    def give(self, key: bytes, value: Value | None, stored: bool, early: list[Waiter]) -> None:
        """To each who waits what it may have; the others ask again."""
        waiting = self.waiters.pop(key, [])
        for waiter in waiting:
            if value is None:
                self.world.fail(waiter)
            elif stored or self.world.is_early(waiter, early):
                self.world.answer(self, key, value, waiter, "fill")
            else:
                self.world.when_awake(self, partial(self.read, waiter, key))

    def store(self, key: bytes, value: Value, asked_at: float, fresh_until: float) -> None:
        """Keep a value."""
        self.remove(key)
        self.number += 1
        world = self.world
        fresh_until = min(fresh_until, asked_at + world.longest(self))
        stale_until = min(fresh_until + STALE, asked_at + world.longest_stale(self))
        self.table[key] = Stored(value, asked_at, fresh_until, stale_until, self.number)
        self.numbers[self.number] = key
        self.groups.put(self.number, *KEYS[key])
        self.world.check_stored(self, key)

    # The other nodes

    def vector(self) -> tuple[LogPosition, ...]:
        """As of which changes this node vouches for what it has."""
        return tuple(
            LogPosition(name, stamp.generation, stamp.sequence)
            for name, stamp in self.invalidation.vector().items()
            if stamp.generation
        )

    def entry(self, key: bytes) -> Entry:
        """What is told of a stored answer; the value stands in for its validator."""
        stored = self.table[key]
        age = int((self.world.now - stored.asked_at) * 1000)
        fresh = int((stored.fresh_until - stored.asked_at) * 1000)
        etag = ",".join(f"{stored.value[group]}" for group in GROUPS).encode()
        records = ((0, bytes(32), 0, b"", b""),)
        return Entry(key, *KEYS[key], 200, age, fresh, 0, 0, 0, etag, b"", records)

    def have(self, key: bytes) -> Offer | None:
        """The entry of a key, if it may be answered, or is on its way here; and who has it."""
        stored, coming = self.table.get(key), self.coming.get(key)
        if stored is not None and self.may_answer(stored):
            return Offer(self.entry(key), self.vector(), self.name, self.riding(stored))
        if coming is None or not self.world.is_sure(self):
            return None
        told, told_at, token = coming
        if self.world.spoils(self, told.entry.application, told.entry.groups, token):
            return None
        age = told.entry.age_ms + int((self.world.now - told_at) * 1000)
        return Offer(replace(told.entry, age_ms=age), self.vector(), told.holder)

    def riding(self, stored: Stored) -> Bodies:
        """Every second body is small enough to ride along."""
        return (b"",) if stored.number % 2 else ()

    def take(self, told: TakeEntry) -> None:
        """Another node has an answer: is it older than a change that is known here?"""
        entry, world = told.entry, self.world
        vector = {one.origin: Stamp(one.generation, one.sequence) for one in told.vector}
        if world.spoils_from(self, entry.application, entry.groups, vector):
            if told.wanted:
                self.fill(entry.name)
            return
        versions = dict(zip(GROUPS, map(int, entry.etag.split(b",")), strict=True))
        token, asked_at = self.groups.begin(), world.now - entry.age_ms / 1000 - 0.001
        taken = Taken(entry, versions, token, asked_at, asked_at + entry.fresh_ms / 1000, told.wanted)
        if told.wanted:
            self.fills[entry.name] = token, asked_at
        elif entry.name in self.fills:
            return
        if told.bodies:
            self.come(taken, token)
            return
        self.coming[entry.name] = told, world.now, token
        self.pulls.append(partial(self.pull, taken))
        if len(self.pulls) == 1:
            self.pulls[0]()

    def pull(self, taken: Taken) -> None:
        """Its place is free."""
        checked = self.world.pull_token(self, taken.token)
        self.world.pull(self, partial(self.pulled, taken, checked))

    def pulled(self, taken: Taken, checked: int) -> None:
        """The body is here, after its trip; *checked*: as of when no change may have come between."""
        self.coming.pop(taken.entry.name, None)
        self.pulls.popleft()
        if self.pulls:
            self.pulls[0]()
        self.come(taken, checked)

    def come(self, taken: Taken, checked: int) -> None:
        """The body is here: keep it, if nothing has changed since."""
        entry, value, token, asked_at, fresh_until, wanted = taken
        key = entry.name
        if wanted and self.fills.get(key) != (token, asked_at):
            return
        spoiled = self.world.spoils(self, entry.application, entry.groups, checked)
        if not spoiled and (wanted or key not in self.fills):
            known = self.table.get(key)
            if known is None or not self.may_answer(known) or known.asked_at < asked_at:
                self.store(key, value, asked_at, fresh_until)
        if wanted:
            del self.fills[key]
            if spoiled:
                self.fill(key)
            else:
                self.give(key, value, True, [])
        self.put_out()

    def tell_hot(self) -> None:
        """Announce everything that may be answered."""
        for key, stored in list(self.table.items()):
            if self.may_answer(stored):
                entry, vector = self.entry(key), self.vector()
                for other in self.world.links(self.name):
                    self.world.send(self, other, TakeEntry(entry, self.name, vector, False))

    def receive(self, sender: str, message: Message) -> None:
        """A message of another node."""
        now = self.world.now
        if isinstance(message, TakeEntry):
            self.take(message)
        elif isinstance(message, GroupMessage):
            self.invalidation.receive(sender, message, now)
        else:
            self.coalescing.receive(sender, message, now)
        self.put_out()

    def tick(self) -> None:
        """The timers of the cores."""
        self.invalidation.tick(self.world.now)
        self.coalescing.tick(self.world.now)
        self.put_out()

    def put_out(self) -> None:
        """Whatever the cores want done; then the lease, as the fast path has it."""
        world = self.world
        for output in self.invalidation.outputs():
            if isinstance(output, ChangeSettled):
                world.settled(self, output)
            elif isinstance(output, Tell):
                world.send(self, output.to, output.message)
            else:
                self.groups.forget(output.name)
        for one in self.coalescing.outputs():
            if isinstance(one, FillHere):
                self.fill(one.name)
            elif isinstance(one, TakeEntry):
                self.take(one)
            elif isinstance(one, NotShared):
                if one.name in self.waiters:
                    self.fill(one.name)
            else:
                world.send(self, one.to, one.message)
        for key, waiting in self.waiters.items():
            if waiting and key not in self.fills:
                self.coalescing.want(KEYS[key][0], key, world.now)
        self.sure_until = self.invalidation.sure_until()


class World:
    """One history: time, network, database, and the judgement."""

    lease = 2.0

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.history = History(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self.database: Value = dict.fromkeys(GROUPS, 0)
        #: What of it some node has said to be changed: a node that ends first says nothing.
        self.changed: Value = dict.fromkeys(GROUPS, 0)
        #: Node -> group -> what readers who ask it from now on must not be given less than.
        self.floors: dict[str, Value] = {}
        #: (when its writer was told, group, version, by which node), for the lease.
        self.returned: list[tuple[float, str, int, str]] = []
        #: Change -> the versions that it brought, and which nodes were connected to its own.
        self._writes: dict[tuple[str, Stamp], tuple[Value, set[str]]] = {}
        self.cut: set[frozenset[str]] = set()
        #: Pairs with a stream, and the number of that stream.
        self.streams: dict[frozenset[str], int] = {}
        self._stream = 0
        self._arrivals: dict[tuple[str, str], float] = {}
        self.slow = self.random.choice((0.001, 0.01, 0.08))
        count = self.random.choice((2, 2, 3, 3, 4))
        self.names = [f"n{number}" for number in range(1, count + 1)]
        self.nodes: dict[str, Node] = {}
        for name in self.names:
            self.floors[name] = dict.fromkeys(GROUPS, 0)
            self.nodes[name] = Node(self, name, 1)
        for at, one in enumerate(self.names):
            for other in self.names[at + 1 :]:
                self.connect(one, other)

    # Time

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        """*what* happens in so many seconds."""
        self._order += 1
        heapq.heappush(self._events, (self.now + seconds, self._order, what))

    def run(self, until: float) -> None:
        """Everything up to then."""
        events = self._events
        while events and events[0][0] <= until:
            self.now, _, what = heapq.heappop(events)
            what()
        self.now = until

    def when_awake(self, node: Node, what: Callable[[], None]) -> None:
        """*what*, unless *node* has ended by then; later, if it is stopped."""
        if not node.runs:
            return
        if self.now < node.paused_until:
            self.at(node.paused_until - self.now, partial(self.when_awake, node, what))
        else:
            what()

    def tick(self, node: Node, every: float) -> None:
        """The timers of a node."""
        if node.runs:
            self.when_awake(node, node.tick)
            self.at(every, partial(self.tick, node, every))

    def delay(self) -> float:
        """Seconds that something takes."""
        return self.random.expovariate(1 / self.slow)

    # Network

    def links(self, name: str) -> list[str]:
        """Who has a stream with a node."""
        return [other for other in self.names if frozenset((name, other)) in self.streams]

    def connect(self, one: str, other: str) -> None:
        """A stream opens, if anything passes between the two."""
        pair = frozenset((one, other))
        if pair in self.streams or pair in self.cut or not (self.nodes[one].runs and self.nodes[other].runs):
            return
        self._stream += 1
        self.streams[pair] = self._stream
        for name, peer in ((one, other), (other, one)):
            node = self.nodes[name]

            def meet(node: Node = node, peer: str = peer) -> None:
                node.invalidation.joined(peer, self.now)
                node.invalidation.connected(peer, self.now)
                self.introduce(node, self.nodes[peer])
                node.coalescing.connected(peer, self.now)
                node.put_out()

            self.when_awake(node, meet)

    def introduce(self, node: Node, peer: Node) -> None:
        """*node* hears from *peer* who else is there; whom it then cannot reach it declares dead."""
        for name, known in peer.invalidation.neighbours.items():
            if known.required and name != node.name and name not in node.invalidation.neighbours:
                node.invalidation.joined(name, self.now)
                self.suspect(node, self.nodes[name])

    def suspect(self, node: Node, peer: Node) -> None:
        """In a while *node* declares *peer* dead, unless it has come back by then."""

        def bury() -> None:
            pair = frozenset((node.name, peer.name))
            if self.nodes[peer.name] is peer and (not peer.runs or pair in self.cut):
                self.disconnect(node.name, peer.name)
                node.invalidation.died(peer.name, self.now)
                node.put_out()

        self.at(self.random.uniform(0.5, 4.0), partial(self.when_awake, node, bury))

    def disconnect(self, one: str, other: str, stream: int | None = None) -> None:
        """The stream breaks, if it is *stream* or none is named; both see it."""
        pair = frozenset((one, other))
        if pair not in self.streams or stream not in (None, self.streams[pair]):
            return
        del self.streams[pair]
        for name, peer in ((one, other), (other, one)):
            node = self.nodes[name]

            def part(node: Node = node, peer: str = peer) -> None:
                if frozenset((node.name, peer)) not in self.streams:
                    node.invalidation.disconnected(peer, self.now)
                    node.coalescing.disconnected(peer, self.now)
                    node.put_out()

            self.when_awake(node, part)

    def send(self, node: Node, to: str, message: Message) -> None:
        """In order, as a stream delivers; now and then as two of them do, or twice."""
        stream = self.streams.get(frozenset((node.name, to)))
        if stream is None:
            return
        random, pair = self.random, (node.name, to)
        arrives = self.now + self.delay()
        if random.random() > 0.03:
            arrives = max(arrives, self._arrivals.get(pair, 0.0))
            self._arrivals[pair] = arrives
        self.at(arrives - self.now, partial(self._arrive, node, self.nodes[to], stream, message))
        if random.random() < 0.02:
            self.at(
                arrives - self.now + self.delay(),
                partial(self._arrive, node, self.nodes[to], stream, message),
            )

    def _arrive(self, source: Node, target: Node, stream: int, message: Message) -> None:
        pair = frozenset((source.name, target.name))
        if pair in self.cut or self.nodes[target.name] is not target:
            return
        if self.streams.get(pair) != stream and self.random.random() < 0.5:
            return  # of a stream that has ended: what was read of it may still be taken
        self.when_awake(target, partial(target.receive, source.name, message))

    # The application and its database

    def ask(self, node: Node, key: bytes, done: Callable[[Value | None], None]) -> None:
        """The application reads when it comes to it, and answers later."""
        self.history.calls += 1

        def read() -> None:
            value = dict(self.database)
            failed = self.random.random() < 0.05
            self.at(self.delay() * 3, lambda: self.when_awake(node, lambda: done(None if failed else value)))

        self.at(self.delay(), read)

    def pull(self, node: Node, done: Callable[[], None]) -> None:
        """A body is fetched from another node."""
        self.at(self.delay(), lambda: self.when_awake(node, done))

    def write(self, name: str, application: str, groups: tuple[str, ...]) -> None:
        """A writer: the application commits, its answer with the invalidation reaches the node later."""
        node = self.nodes[name]
        if not node.runs:
            return
        for group in groups:
            self.database[group] += 1
        versions = {group: self.database[group] for group in groups}

        def answered() -> None:
            self.history.changes += 1
            for group, version in versions.items():
                self.changed[group] = max(self.changed[group], version)
            stamp = Stamp(node.generation, node.invalidation.sequence + 1)
            neighbours = node.invalidation.neighbours
            self._writes[name, stamp] = versions, {one for one in neighbours if neighbours[one].connected}
            node.invalidation.changed(Change(application, frozenset(groups)), self.now)
            node.put_out()

        self.at(self.delay(), lambda: self.when_awake(node, answered))

    def settled(self, node: Node, output: ChangeSettled) -> None:
        """The writer is answered: from now on this is what readers of the settled nodes are owed."""
        versions, connected = self._writes[node.name, Stamp(node.generation, output.sequence)]
        for name in (node.name, *(connected - output.unsettled)):
            for group, version in versions.items():
                self.floors[name][group] = max(self.floors[name][group], version)
        self.returned += [(self.now, group, version, node.name) for group, version in versions.items()]

    def versions_of(self, origin: str, stamp: Stamp) -> Value:
        """What the change *stamp* of *origin* brought; nothing, if that is no change."""
        return self._writes.get((origin, stamp), ({}, set()))[0]

    # Readers and the judgement

    def read(self, name: str, key: bytes) -> None:
        """A reader asks a node for a key."""
        node = self.nodes[name]
        if node.runs:
            self.history.reads += 1
            node.read(Waiter(dict(self.floors[name]), self.now), key)

    def answer(self, node: Node, key: bytes, value: Value, waiter: Waiter, how: str) -> None:
        """A reader is given a value: is it one that it may have?"""
        for group in KEYS[key][1]:
            if value[group] < waiter.floor[group]:
                self.trouble(
                    "old answer", f"{node.name} {key!r} {group} {value} by {how}, owed {waiter.floor}"
                )
            for told_at, changed, version, writer in self.returned:
                late = changed == group and value[group] < version and told_at + self.lease < waiter.asked_at
                if late and not self.has_left(node, writer):
                    self.trouble("older than a lease", f"{node.name} {key!r} {group} {value} by {how}")

    def has_left(self, node: Node, writer: str) -> bool:
        """Whether *writer* has said goodbye to *node*, and its next life has not been heard of there."""
        found = node.invalidation.neighbours.get(writer)
        return found is not None and (found.left or not (found.required or found.dead))

    def fail(self, waiter: Waiter) -> None:
        """The application failed: its reader is told."""

    def check_stored(self, node: Node, key: bytes) -> None:
        """Is what is stored as new as what is in force there?"""
        for group in KEYS[key][1]:
            if node.table[key].value[group] < node.in_force[group]:
                self.trouble("stale stored", f"{node.name} {key!r} {node.table[key].value}")

    def trouble(self, rule: str, text: str) -> None:
        """A rule is broken."""
        self.history.troubles.append(Trouble(rule, f"{self.now:.4f}: {text}"))

    # The rules, each of which a test breaks

    def spoils(self, node: Node, application: str, groups: Iterable[str], token: int) -> bool:
        """May this node not keep what was asked for with *token*?"""
        return node.groups.spoils(application, groups, token)

    def is_early(self, waiter: Waiter, early: list[Waiter]) -> bool:
        """May a reader have what is not kept: did it wait before the application was asked?"""
        return any(one is waiter for one in early)

    def spoils_from(
        self, node: Node, application: str, groups: Iterable[str], vector: dict[str, Stamp]
    ) -> bool:
        """May this node not keep what another vouches for?"""
        return node.groups.spoils_from(application, groups, vector)

    def pull_token(self, node: Node, told: int) -> int:
        """Which changes spoil a body that is pulled now: those since the position *told* of its entry."""
        return told

    def doubt(self, node: Node, application: str | None) -> None:
        """Everything that is kept of *application*, None: of all, has to be asked for anew."""
        for key, stored in node.table.items():
            stored.doubtful |= application in (None, KEYS[key][0])

    def is_sure(self, node: Node) -> bool:
        """Whether this node may answer from its table."""
        return node.sure_until is None or self.now < node.sure_until

    def longest(self, node: Node) -> float:
        """Seconds for which an answer may be fresh."""
        return self.lease if node.invalidation.apart else FRESH

    def longest_stale(self, node: Node) -> float:
        """Seconds for which it may be given, fresh or not."""
        return self.longest(node) if node.invalidation.apart else FRESH + STALE


class Driver:
    """What happens to a :class:`World` by its seed: readers, writers, faults; then everything heals."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random

    def run(self, faults: bool | None = None) -> History:
        """The whole history; *faults*: nodes are cut off, stopped, killed; None: in a tenth of them."""
        world, random = self.world, self.random
        faults = random.random() < 0.1 if faults is None else faults
        horizon = random.choice((3.0, 8.0)) if faults else random.choice((0.05, 0.3, 1.0))
        for name in world.names:
            world.tick(world.nodes[name], 0.1)
        world.run(5 * world.slow)
        for _ in range(random.randint(20, 80) if faults else random.randint(8, 30)):
            world.at(random.random() * horizon, self.act)
        for _ in range(random.randint(1, 4) if faults else 0):
            world.at(random.random() * horizon, random.choice(
                (self.cut, self.cut, self.pause, self.kill, self.kill, self.leave, self.break_stream)
            ))  # fmt: skip
        world.run(world.now + horizon)
        self.settle(faults)
        return world.history

    def act(self) -> None:
        """A reader, mostly."""
        world, random = self.world, self.random
        name = random.choice(world.names)
        kind = random.random()
        if kind < 0.6:
            world.read(name, random.choice(list(KEYS)))
        elif kind < 0.9:
            world.write(name, *random.choice(WRITES))
        elif world.nodes[name].runs:
            world.when_awake(world.nodes[name], world.nodes[name].tell_hot)

    def settle(self, faults: bool) -> None:
        """Everything heals, and everybody is asked for everything: all are owed what has changed."""
        world = self.world
        world.cut.clear()
        for name in world.names:
            world.nodes[name].paused_until = min(world.nodes[name].paused_until, world.now)
            self.start(name)
        for at, one in enumerate(world.names):
            for other in world.names[at + 1 :]:
                world.connect(one, other)
        world.run(world.now + (4.0 if faults else 0.2) + 20 * world.slow)
        for name in world.names:
            world.floors[name] = dict(world.changed)
        for _ in range(5 if faults else 1):  # an application may fail
            self.read_all()
        if not faults:
            return
        hits = world.history.hits
        self.read_all()
        if world.history.hits - hits < len(world.names) * len(KEYS):
            world.trouble("asked again", "what has just been answered is not answered from the table")

    def read_all(self) -> None:
        """Everybody is asked for everything, and has answered."""
        for name in self.world.names:
            for key in KEYS:
                self.world.read(name, key)
        self.world.run(self.world.now + 0.2 + 20 * self.world.slow)

    # Faults

    def pair(self) -> tuple[str, str]:
        """Two nodes."""
        one, other = self.random.sample(self.world.names, 2)
        return one, other

    def break_stream(self) -> None:
        """A stream ends, and is opened again."""
        one, other = self.pair()
        self.world.disconnect(one, other)
        self.world.at(self.random.random() * 0.2, partial(self.world.connect, one, other))

    def cut(self) -> None:
        """Nothing passes between two nodes, or around one, for a while."""
        world, random = self.world, self.random
        one, other = self.pair()
        others = [other] if random.random() < 0.5 else [name for name in world.names if name != one]
        cut = {frozenset((one, name)) for name in others}
        world.cut |= cut
        for pair in cut:
            self.part(*sorted(pair))
        world.at(random.uniform(0.1, 6.0), partial(self.heal, cut))

    def heal(self, cut: set[frozenset[str]]) -> None:
        """It passes again; streams that have broken are opened in time."""
        self.world.cut -= cut
        for pair in cut:
            self.world.at(self.random.random() * 0.3, partial(self.world.connect, *sorted(pair)))

    def part(self, one: str, other: str) -> None:
        """Who is cut off from another sees its stream end at some time, and declares it dead at another."""
        random, world = self.random, self.world
        world.at(random.choice((0.001, random.random() * 4)), partial(self._break, one, other))
        for name, peer in ((one, other), (other, one)):
            world.suspect(world.nodes[name], world.nodes[peer])

    def _break(self, one: str, other: str) -> None:
        if frozenset((one, other)) in self.world.cut:
            self.world.disconnect(one, other)

    def pause(self) -> None:
        """A supervisor is stopped; its workers go on answering."""
        node = self.world.nodes[self.random.choice(self.world.names)]
        node.paused_until = self.world.now + self.random.choice((0.05, 0.5, 3.0))

    def kill(self) -> None:
        """A process ends; some see it at once, some when they declare it dead; it comes back with nothing."""
        world, random = self.world, self.random
        node = world.nodes[random.choice(world.names)]
        if not node.runs:
            return
        node.runs = False
        silent = random.random() < 0.3
        for other in world.links(node.name):
            if not silent:
                stream = world.streams[frozenset((node.name, other))]
                world.at(random.random() * 0.01, partial(world.disconnect, node.name, other, stream))
            world.suspect(world.nodes[other], node)
        world.at(random.uniform(0.02, 5.0), partial(self.start, node.name))

    def leave(self) -> None:
        """A node says goodbye, and comes back later."""
        world = self.world
        node = world.nodes[self.random.choice(world.names)]
        if not node.runs or world.now < node.paused_until:
            return
        node.invalidation.leave(world.now)
        node.put_out()
        node.runs = False
        for other in world.links(node.name):
            peer = world.nodes[other]

            def gone(peer: Node = peer) -> None:
                if world.nodes[node.name] is not node:
                    return  # it is back
                world.disconnect(node.name, peer.name)
                peer.invalidation.left(node.name, world.now)
                peer.put_out()

            world.at(self.random.random() * 0.3, partial(world.when_awake, peer, gone))
        world.at(self.random.uniform(0.4, 3.0), partial(self.start, node.name))

    def start(self, name: str) -> None:
        """A new life of the node, if it has none."""
        world, old = self.world, self.world.nodes[name]
        if old.runs:
            return
        for other in world.links(name):
            world.disconnect(name, other)
        world.nodes[name] = Node(world, name, old.generation + 1)
        world.tick(world.nodes[name], 0.1)
        for other in world.names:
            if other != name:
                world.connect(name, other)


def run(seed: int, world: type[World] = World, faults: bool | None = None) -> History:
    """The history with this seed; see :meth:`Driver.run`."""
    return Driver(world(seed)).run(faults)


def troubles(seed: int, count: int) -> tuple[int, float]:
    """(histories in which something was wrong, histories): *count* of them, which *seed* alone gives."""
    seeds = range(seed * count, (seed + 1) * count)
    return sum(bool(run(one).troubles) for one in seeds), float(count)
