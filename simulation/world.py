"""Time, network and nodes of a simulated cluster.

Everything random comes from one generator, everything happens in the order of (time, number of the event):
the same seed gives the same trace.  Datagrams may be lost, doubled and delayed (so reordered); streams
deliver in the end, later for each loss (a retransmission after 0.2 s, doubled each time), and break when a
direction is blocked for :data:`BREAKS`.  A *starved* node does not receive while its timers run (Lifeguard's
case); a *stopped* one does nothing at all (SIGSTOP).

A process has a *key*, which nobody in the cluster knows, and a name, which is its key but for duplicates.
With a *folder*, change logs are files: what is not committed is lost with the process.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from edge.gossip.changes import Message, decode_message
from edge.gossip.differences import ClockDifferences
from edge.gossip.members import (
    DateSeen,
    Dial,
    GossipConfig,
    Identity,
    MemberChanged,
    NamesakeSeen,
    Send,
    UrgentSeen,
    VersionVectorSeen,
)
from edge.gossip.membership import Membership
from edge.gossip.namesakes import Address, Admission, Namesakes
from edge.gossip.packet import DEAD, LEFT, Namesake, Packet, Ping, encode
from edge.gossip.progress import Progress
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows
from edge.gossip.schema import GossipError
from edge.load.report import LoadReport
from simulation.keyring import HashKeyring

#: Seconds for which a stream survives that nothing gets through.
BREAKS = 10.0
#: Bytes around a datagram's payload: seal, UDP, IPv4.
DATAGRAM = 33 + 28
PORT = 7000
#: Seconds until changes are committed.
COMMIT = 0.05
#: Unix milliseconds at the beginning.
EPOCH_MS = 1_700_000_000_000


class Process(NamedTuple):
    """One life of a node."""

    key: str
    life: int


@dataclass
class Node:
    """One node and what is kept of it over a restart."""

    key: str
    name: str
    number: int
    generation: int = 0
    membership: Membership | None = None
    replica: Replica | None = None
    rows: Rows | None = None
    progress: Progress | None = None
    #: Name -> the process there is a stream with; there was one with last.
    streams: dict[str, Process] = field(default_factory=dict)
    sessions: dict[str, Process] = field(default_factory=dict)
    namesakes: Namesakes = field(default_factory=Namesakes)
    differences: ClockDifferences = field(default_factory=ClockDifferences)
    #: Keys of processes that it dials besides the first.
    seeds: tuple[str, ...] = ()
    #: Lives so far.
    lives: int = 0
    #: Load reports of the present life.
    loads: int = 0
    #: Whether a commit is planned.
    commits: bool = False
    starved_until: float = 0.0
    stopped_until: float = 0.0
    #: How far its clock is ahead, in milliseconds.
    ahead_ms: int = 0
    inbox: list[Callable[[], None]] = field(default_factory=list)
    tick: int = 0
    bytes_out: int = 0

    @property
    def host(self) -> str:
        """Its address."""
        return f"10.0.{self.number >> 8}.{self.number & 255}"

    @property
    def address(self) -> Address:
        """Where its gossip port is."""
        return Address(self.host, PORT)

    @property
    def life(self) -> int:
        """What tells its present process from others of its name."""
        return (self.number << 32) + self.lives

    @property
    def process(self) -> Process:
        """Its present life."""
        return Process(self.key, self.life)

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self.membership is not None


class World:
    """A cluster of *count* nodes, all of which know the first."""

    def __init__(
        self,
        seed: int,
        count: int,
        config: GossipConfig | None = None,
        loss: float = 0.0,
        tables: bool = False,
        folder: Path | None = None,
    ) -> None:
        """*tables*: nodes have a replica; *folder*: in a file there, which outlives kills."""
        self.seed = seed
        self.now = 0.0
        self.random = Random(seed)
        self.config = config or GossipConfig()
        self.tables = tables
        self.folder = folder
        #: What a node does besides, from its start on.
        self.on_start: Callable[[Node], None] = lambda node: None
        #: Probability that a datagram is lost, from one node to another.
        self.loss: Callable[[str, str], float] = lambda source, target: loss
        self.doubled = 0.01
        #: (source, target) pairs that nothing passes.
        self.blocked: set[tuple[str, str]] = set()
        self.nodes = {f"n{i}": Node(f"n{i}", f"n{i}", i) for i in range(1, count + 1)}
        #: (time, observer, whom, state before, state) of all changes.
        self.changes: list[tuple[float, str, str, int | None, int]] = []
        self._trace = blake2b(digest_size=8)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._added = count
        self._keys = {node.host: key for key, node in self.nodes.items()}
        for node in self.nodes.values():
            self.at(self.random.random() * 0.2, partial(self.start, node.name))

    def add(self, name: str) -> None:
        """Another node comes, which knows the first."""
        self.add_stopped(name, name)
        self.start(name)

    def add_stopped(self, key: str, name: str) -> Node:
        """Another process, called *name*, which is not started yet."""
        self._added += 1
        node = self.nodes[key] = Node(key, name, self._added)
        self._keys[node.host] = key
        return node

    def leave(self, name: str) -> None:
        """It says goodbye, and ends."""
        node = self.nodes[name]
        assert node.membership is not None
        node.membership.leave(self.now)
        self.drain(node)
        self.at(0.3, partial(self._gone, name))

    def _gone(self, name: str) -> None:
        self.crash(name)
        del self.nodes[name]

    @property
    def trace(self) -> str:
        """A hash of everything that happened so far."""
        return self._trace.hexdigest()

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        """*what* happens *seconds* from now."""
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, what))

    def run(self, seconds: float) -> None:
        """Until *seconds* from now."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, what = heapq.heappop(self._events)
            what()
        self.now = end

    # What can happen to nodes

    def start(self, name: str, keep: bool = True) -> None:
        """Start a node; *keep*: with the state of its last life."""
        node = self.nodes[name]
        node.generation = max(node.generation + 1 if keep else 0, self.now_ms(node))
        me = Identity(node.name, node.generation, node.host, PORT, "")
        node.membership = Membership(
            me,
            self.config,
            HashKeyring(node.name),
            Random(self.random.random()),
            self.now,
            partial(self.now_ms, node),
        )
        node.lives, node.loads = node.lives + 1, 0
        node.namesakes, node.differences = Namesakes(), ClockDifferences()
        node.starved_until = node.stopped_until = 0.0
        if self.tables:
            if self.folder is not None:
                if not keep:
                    self.forget_state(name)
                node.rows = Rows(str(self.folder / f"{name}.sqlite"), HashKeyring(node.name))
            elif node.rows is None or not keep:
                node.rows = Rows(":memory:", HashKeyring(node.name))
            node.replica = Replica(node.name, node.rows, self.now_ms(node))
            node.progress = Progress(node.name, node.replica)
            node.membership.set_version_vector(node.replica.version_vector())
        self.tell_load(node)
        self._seek(node, node.membership)
        self.drain(node)
        self.on_start(node)

    def tell_load(self, node: Node, draining: bool = False) -> None:
        """It measures its load and tells it."""
        assert node.membership is not None
        node.loads += 1
        me = node.membership.me
        load = LoadReport(
            me.name, me.generation, node.loads, 0.25, 0.75, 1234.5, 0.5, 10_000, 81_000_000, 0.4, draining
        )
        node.membership.set_load(load, self.now)

    def forget_state(self, name: str) -> None:
        """Its state directory is gone."""
        assert self.folder is not None
        for file in self.folder.glob(f"{name}.sqlite*"):
            file.unlink()

    def crash(self, name: str) -> None:
        """Its process ends; the others see their streams break."""
        node = self.nodes[name]
        node.membership = node.replica = node.progress = None
        if self.folder is not None and node.rows is not None:
            node.rows.kill()
            node.rows = None
        node.inbox.clear()
        for other in sorted(node.streams.values()):
            if (name, other.key) not in self.blocked:
                self.at(0.001, partial(self._break, other, node.process))
        node.streams.clear()
        node.sessions.clear()

    def starve(self, name: str, seconds: float) -> None:
        """It receives nothing for a while, although its timers run."""
        node = self.nodes[name]
        node.starved_until = max(node.starved_until, self.now + seconds)
        self.at(seconds, lambda: self._catch_up(node))

    def stop(self, name: str, seconds: float) -> None:
        """It does nothing for a while."""
        node = self.nodes[name]
        node.stopped_until = node.starved_until = self.now + seconds
        self.at(seconds, lambda: self._catch_up(node))

    def split(self, *groups: set[str]) -> None:
        """Nothing passes between the groups; streams between them break after a while."""
        for group in groups:
            for other in groups:
                if other is not group:
                    self.blocked |= {(a, b) for a in group for b in other}
        self.at(BREAKS, self._break_blocked)

    def heal(self) -> None:
        """Everything passes again."""
        self.blocked.clear()

    def now_ms(self, node: Node) -> int:
        """Unix milliseconds, as *node* sees them."""
        return EPOCH_MS + int(self.now * 1000) + node.ahead_ms

    def views(self) -> dict[str, frozenset[str]]:
        """Node -> who is alive in its eyes, itself included."""
        return {
            node.key: frozenset(m.name for m in node.membership.members.values() if m.is_live) | {node.name}
            for node in self.nodes.values()
            if node.membership is not None
        }

    def agrees(self) -> bool:
        """Whether all that run see all that run, and nobody else."""
        running = frozenset(node.name for node in self.nodes.values() if node.runs)
        return all(view == running for view in self.views().values())

    def tables_agree(self) -> bool:
        """Whether all running nodes have the same table."""
        roots = {n.replica.repair_round() for n in self.nodes.values() if n.replica is not None}
        return len(roots) == 1

    # Inside

    def _seek(self, node: Node, life: Membership) -> None:
        """Dial the seed for as long as it takes, as the shell does."""
        if node.membership is life:
            seed = "n1" if node.key != "n1" else "n2"
            for key in (seed, *node.seeds):
                self._dial(node, key)
            self.at(2.0, lambda: self._seek(node, life))

    def drain(self, node: Node) -> None:
        """Do what is due, and send what there is to send."""
        membership = node.membership
        if membership is None:
            return
        witnessed = node.namesakes.witnessed(self.now)
        membership.piggyback.namesakes = tuple(Namesake(name, *one, *other) for name, one, other in witnessed)
        if self.now >= node.stopped_until:
            membership.tick(self.now)
        for output in membership.outputs():
            self._put_out(node, output)
        node.tick += 1
        turn = node.tick
        when = max(membership.next_at, node.stopped_until) - self.now
        self.at(max(when, 0.001), lambda: self.drain(node) if node.tick == turn else None)

    def _put_out(self, node: Node, output: Any) -> None:
        if isinstance(output, Send):
            self._send(node, output)
        elif isinstance(output, Dial):
            self._dial(node, self._keys.get(output.host, output.name))
        elif isinstance(output, MemberChanged):
            member = output.member
            self.changes.append((self.now, node.key, member.name, output.before, member.state))
            self._trace.update(
                b"%f %s %s %d" % (self.now, node.key.encode(), member.name.encode(), member.state)
            )
            peer = node.streams.get(member.name)
            if member.state in (DEAD, LEFT):  # as edge/node/cluster/turn_loop.py does
                node.differences.forget(member.name)
            if member.state == LEFT:
                node.sessions.pop(member.name, None)
                if node.progress is not None:
                    node.progress.forget(member.name)
            if member.state in (DEAD, LEFT) and peer is not None:
                self.at(0.0, partial(self._break, node.process, peer))
                self.at(0.001, partial(self._break, peer, node.process))
        elif isinstance(output, UrgentSeen):
            self._take_urgent(node, output)
        elif isinstance(output, NamesakeSeen):
            told = output.namesake
            one, other = Address(told.host, told.port), Address(told.other_host, told.other_port)
            node.namesakes.tell(told.name, one, other, self.now, hearsay=True)
        elif isinstance(output, DateSeen):
            elapsed = int(output.elapsed * 1000) + 1
            node.differences.note(output.sender, output.date_ms, elapsed, self.now_ms(node))
        elif isinstance(output, VersionVectorSeen) and node.replica is not None and node.progress is not None:
            node.progress.note(output.sender, output.version_vector, output.whole)
            if output.sender in node.streams:
                asked = node.replica.notice(output.sender, output.version_vector, self.now_ms(node))
                self._tell(node, output.sender, asked)

    def _take_urgent(self, node: Node, seen: UrgentSeen) -> None:
        """A change that came with a datagram; whatever is none is dropped, as the shell does."""
        sender = node.streams.get(seen.sender)
        with suppress(GossipError):
            if sender is not None:
                self._take(node.key, sender, decode_message(seen.data))

    def _send(self, node: Node, send: Send) -> None:
        random, packet = self.random, send.packet
        if send.stream:
            peer = node.streams.get(send.to)
            if peer is not None:
                here = node.process
                self._deliver_late(here, peer, lambda: self._hear(peer.key, here, packet, True))
            return
        member = node.membership.members.get(send.to) if node.membership is not None else None
        target = self._keys.get(member.host, send.to) if member is not None else send.to
        node.bytes_out += len(encode(packet)) + DATAGRAM
        if (node.key, target) in self.blocked or random.random() < self.loss(node.key, target):
            return
        for _ in range(2 if random.random() < self.doubled else 1):
            delay = (
                0.0003 + random.expovariate(2000) + (random.random() * 0.05 if random.random() < 0.01 else 0)
            )
            self.at(delay, partial(self._hear, target, node.process, packet, False))

    def _deliver_late(self, source: Process, target: Process, what: Callable[[], None]) -> None:
        """As TCP does: later for each time that it is lost; a process that has ended resets the stream."""
        delay, wait = 0.0005, 0.2
        loss = self.loss(source.key, target.key)
        while self.random.random() < loss and wait < 120:
            delay += wait
            wait *= 2

        def arrive() -> None:
            if (source.key, target.key) in self.blocked:
                self.at(0.2, arrive)
            elif not self._is_there(target) or source not in self.nodes[target.key].streams.values():
                self.at(0.0005, partial(self._break, source, target))
            else:
                what()

        self.at(delay, arrive)

    def _is_there(self, process: Process) -> bool:
        node = self.nodes.get(process.key)
        return node is not None and node.runs and node.process == process

    def _hear(self, target: str, source: Process, packet: Packet, stream: bool) -> None:
        node, sender = self.nodes.get(target), self.nodes.get(source.key)
        if node is None or sender is None or not node.runs:
            return
        name = sender.name
        if node.sessions.get(name, source) != source:
            return  # sealed with other keys

        def take() -> None:
            if node.membership is not None:
                node.namesakes.heard(name, self.now)
                node.membership.receive(name, packet, self.now, stream=stream)
                self.drain(node)

        node.inbox.append(take) if self.now < node.starved_until else take()

    def _catch_up(self, node: Node) -> None:
        if self.now >= node.starved_until:
            waiting, node.inbox = node.inbox, []
            for take in waiting:
                take()
            self.drain(node)

    def _dial(self, node: Node, key: str) -> None:
        other = self.nodes.get(key)
        if other is None or not other.runs or not node.runs or key == node.key:
            return
        if any(process.key == key for process in node.streams.values()):
            return
        if {(node.key, key), (key, node.key)} & self.blocked or self.now < other.stopped_until:
            return
        loss = self.loss(node.key, key)
        if self.random.random() < 1 - (1 - loss) ** 8:  # a handshake in which too much is lost takes longer
            self.at(1.0, lambda: self._dial(node, key))
            return
        if not (self._admit(other, node) and self._admit(node, other)):
            return
        for one, peer in ((node, other), (other, node)):
            one.streams[peer.name] = one.sessions[peer.name] = peer.process
            if one.membership is not None and peer.membership is not None:
                me = peer.membership.me
                one.membership.connected(me.name, me.generation, me.host, me.port, me.url, self.now)
            if one.replica is not None:
                one.replica.contact(self.now_ms(one))
            self.at(3.0, partial(self._compare, one, peer.name))
            self.at(0.0, partial(self.drain, one))

    def _admit(self, node: Node, other: Node) -> bool:
        """Whether *node* lets *other* in, which says hello."""
        if node.name == other.name:
            for one in (node, other):
                one.namesakes.tell(one.name, node.address, other.address, self.now)
            return False
        admission = node.namesakes.admit(other.name, other.life, other.address, self.now)
        if admission is Admission.REFUSED:
            holder = node.namesakes.holder(other.name)
            assert holder is not None
            other.namesakes.tell(other.name, other.address, holder, self.now)
        elif admission is Admission.ASKED:
            self._send(node, Send(other.name, Packet(Ping(0, other.name)), True))
        elif admission is Admission.NEW and (old := node.streams.get(other.name)) is not None:
            self._break(node.process, old)
            self.at(0.001, partial(self._break, old, node.process))
        return admission in (Admission.KNOWN, Admission.NEW)

    def _compare(self, node: Node, name: str) -> None:
        """Once after they met, as the shell does."""
        if node.replica is None or node.progress is None or node.progress.behind():
            return
        if name in node.streams:
            self._tell(node, name, [node.replica.repair_round()])

    def repair(self) -> None:
        """Every node compares its table with some other, as the shell does now and then."""
        for node in self.nodes.values():
            if node.runs and node.streams:
                self._compare(node, self.random.choice(sorted(node.streams)))

    def _break(self, process: Process, other: Process) -> None:
        if not self._is_there(process):
            return
        node = self.nodes[process.key]
        name = next((name for name, there in node.streams.items() if there == other), None)
        if name is None:
            return
        del node.streams[name]
        node.namesakes.gone(name)
        if node.membership is not None:
            node.membership.disconnected(name, self.now)
            if node.replica is not None:
                node.replica.peer_gone(name)
            self.drain(node)

    def _break_blocked(self) -> None:
        for source, target in sorted(self.blocked):
            for one, other in ((source, target), (target, source)):
                node = self.nodes.get(one)
                if node is not None:
                    for there in [process for process in node.streams.values() if process.key == other]:
                        self._break(node.process, there)

    # Tables

    def publish(self, name: str, change: Callable[[Replica, int], object]) -> None:
        """*change* (its table, Unix milliseconds) at one node, and let it tell the others."""
        node = self.nodes[name]
        assert node.replica is not None
        change(node.replica, self.now_ms(node))
        self.push(node)

    def push(self, node: Node) -> None:
        """Commit, and tell the others of own changes."""
        assert node.replica is not None and node.membership is not None
        node.replica.save(self.now_ms(node))
        node.membership.set_version_vector(node.replica.version_vector())
        for other in sorted(node.streams):
            message = node.replica.push(other)
            self._tell(node, other, [message] if message is not None else [])
        self.drain(node)

    def _tell(self, node: Node, name: str, messages: list[Message]) -> None:
        for message in messages:
            target = node.streams.get(name)
            if target is not None:
                here = node.process
                self._deliver_late(here, target, partial(self._take, target.key, here, message))

    def _take(self, target: str, source: Process, message: Message) -> None:
        node, name = self.nodes[target], self.nodes[source.key].name
        if node.replica is None or node.membership is None or node.streams.get(name) != source:
            return
        node.namesakes.heard(name, self.now)
        received = node.replica.receive(name, message, self.now_ms(node))
        node.membership.set_version_vector(node.replica.version_vector())
        if not node.commits:
            node.commits = True
            self.at(COMMIT, partial(self._commit, node))
        self._tell(node, name, received.replies)

    def _commit(self, node: Node) -> None:
        node.commits = False
        if node.replica is not None:
            node.replica.save(self.now_ms(node))
