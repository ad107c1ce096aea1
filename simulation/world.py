"""Time, network and nodes of a simulated cluster.

Everything random comes from one generator, everything happens in the order of (time, number of the event):
the same seed gives the same trace.  Datagrams may be lost, doubled and delayed (so reordered); streams
deliver in the end, later for each loss (a retransmission after 0.2 s, doubled each time), and break when a
direction is blocked for :data:`BREAKS`.  A *starved* node does not receive while its timers run (Lifeguard's
case); a *stopped* one does nothing at all (SIGSTOP).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from random import Random
from typing import Any

from edge.gossip.changes import Message, decode_message
from edge.gossip.members import (
    Dial,
    GossipConfig,
    Identity,
    MemberChanged,
    Send,
    UrgentSeen,
    VersionVectorSeen,
)
from edge.gossip.membership import Membership
from edge.gossip.packet import DEAD, LEFT, Packet, encode
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows
from edge.gossip.schema import GossipError
from edge.load.report import LoadReport
from simulation.keyring import HashKeyring

#: Seconds for which a stream survives that nothing gets through.
BREAKS = 10.0
#: Bytes around a datagram's payload: seal, UDP, IPv4.
DATAGRAM = 33 + 28
#: Unix milliseconds at the beginning.
EPOCH_MS = 1_700_000_000_000


@dataclass
class Node:
    """One node and what is kept of it over a restart."""

    name: str
    number: int
    generation: int = 0
    membership: Membership | None = None
    replica: Replica | None = None
    rows: Rows | None = None
    streams: set[str] = field(default_factory=set)
    starved_until: float = 0.0
    stopped_until: float = 0.0
    #: How far its clock is ahead, in milliseconds.
    ahead_ms: int = 0
    inbox: list[Callable[[], None]] = field(default_factory=list)
    tick: int = 0
    bytes_out: int = 0

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
    ) -> None:
        self.seed = seed
        self.now = 0.0
        self.random = Random(seed)
        self.config = config or GossipConfig()
        self.tables = tables
        #: Probability that a datagram is lost, from one node to another.
        self.loss: Callable[[str, str], float] = lambda source, target: loss
        self.doubled = 0.01
        #: (source, target) pairs that nothing passes.
        self.blocked: set[tuple[str, str]] = set()
        self.nodes = {f"n{i}": Node(f"n{i}", i) for i in range(1, count + 1)}
        #: (time, observer, whom, state before, state) of all changes.
        self.changes: list[tuple[float, str, str, int | None, int]] = []
        self._trace = blake2b(digest_size=8)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._added = count
        for node in self.nodes.values():
            self.at(self.random.random() * 0.2, partial(self.start, node.name))

    def add(self, name: str) -> None:
        """Another node comes, which knows the first."""
        self._added += 1
        self.nodes[name] = Node(name, self._added)
        self.start(name)

    def leave(self, name: str) -> None:
        """It says goodbye, and ends."""
        node = self.nodes[name]
        assert node.membership is not None
        node.membership.leave(self.now)
        self._drain(node)
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
        me = Identity(name, node.generation, f"10.0.{node.number >> 8}.{node.number & 255}", 7000, "")
        node.membership = Membership(
            me, self.config, HashKeyring(name), Random(self.random.random()), self.now
        )
        node.starved_until = node.stopped_until = 0.0
        if self.tables:
            if node.rows is None or not keep:
                node.rows = Rows(":memory:", HashKeyring(name))
            node.replica = Replica(name, node.rows, self.now_ms(node))
            node.membership.set_version_vector(node.replica.version_vector())
        load = LoadReport(name, node.generation, 1, 0.25, 0.75, 1234.5, 0.5, 10_000, 81_000_000, 0.4, False)
        node.membership.set_load(load, self.now)
        self._seek(node, node.membership)
        self._drain(node)

    def crash(self, name: str) -> None:
        """Its process ends; the others see their streams break."""
        node = self.nodes[name]
        node.membership = node.replica = None
        node.inbox.clear()
        for other in sorted(node.streams):
            if (name, other) not in self.blocked:
                self.at(0.001, partial(self._break, other, name))
            node.streams.discard(other)

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
            node.name: frozenset(m.name for m in node.membership.members.values() if m.is_live) | {node.name}
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
            seed = "n1" if node.name != "n1" else "n2"
            if seed in self.nodes and seed not in node.streams:
                self._dial(node, seed)
            self.at(2.0, lambda: self._seek(node, life))

    def _drain(self, node: Node) -> None:
        membership = node.membership
        if membership is None:
            return
        if self.now >= node.stopped_until:
            membership.tick(self.now)
        for output in membership.outputs():
            self._put_out(node, output)
        node.tick += 1
        turn = node.tick
        when = max(membership.next_at, node.stopped_until) - self.now
        self.at(max(when, 0.001), lambda: self._drain(node) if node.tick == turn else None)

    def _put_out(self, node: Node, output: Any) -> None:
        if isinstance(output, Send):
            self._send(node, output)
        elif isinstance(output, Dial):
            self._dial(node, output.name)
        elif isinstance(output, MemberChanged):
            member = output.member
            self.changes.append((self.now, node.name, member.name, output.before, member.state))
            self._trace.update(
                b"%f %s %s %d" % (self.now, node.name.encode(), member.name.encode(), member.state)
            )
            if member.state in (DEAD, LEFT) and member.name in node.streams:
                self.at(0.0, lambda: self._break(node.name, member.name))
                self.at(0.001, lambda: self._break(member.name, node.name))
        elif isinstance(output, UrgentSeen):
            self._take_urgent(node, output)
        elif (
            isinstance(output, VersionVectorSeen)
            and node.replica is not None
            and output.sender in node.streams
        ):
            asked = node.replica.notice(output.sender, output.version_vector, self.now_ms(node))
            self._tell(node, output.sender, asked)

    def _take_urgent(self, node: Node, seen: UrgentSeen) -> None:
        """A change that came with a datagram; whatever is none is dropped, as the shell does."""
        with suppress(GossipError):
            self._take(node.name, seen.sender, decode_message(seen.data))

    def _send(self, node: Node, send: Send) -> None:
        source, target, packet = node.name, send.to, send.packet
        random = self.random
        if send.stream:
            if target in node.streams:
                self._deliver_late(source, target, lambda: self._hear(target, source, packet, True))
            return
        node.bytes_out += len(encode(packet)) + DATAGRAM
        if (source, target) in self.blocked or random.random() < self.loss(source, target):
            return
        for _ in range(2 if random.random() < self.doubled else 1):
            delay = (
                0.0003 + random.expovariate(2000) + (random.random() * 0.05 if random.random() < 0.01 else 0)
            )
            self.at(delay, lambda: self._hear(target, source, packet, False))

    def _deliver_late(self, source: str, target: str, what: Callable[[], None]) -> None:
        """As TCP does: later for each time that it is lost."""
        delay, wait = 0.0005, 0.2
        loss = self.loss(source, target)
        while self.random.random() < loss and wait < 120:
            delay += wait
            wait *= 2

        def arrive() -> None:
            if (source, target) in self.blocked:
                self.at(0.2, arrive)
            elif target in self.nodes[source].streams:
                what()

        self.at(delay, arrive)

    def _hear(self, target: str, source: str, packet: Packet, stream: bool) -> None:
        node = self.nodes.get(target)
        if node is None or not node.runs:
            return

        def take() -> None:
            if node.membership is not None:
                node.membership.receive(source, packet, self.now, stream=stream)
                self._drain(node)

        node.inbox.append(take) if self.now < node.starved_until else take()

    def _catch_up(self, node: Node) -> None:
        if self.now >= node.starved_until:
            waiting, node.inbox = node.inbox, []
            for take in waiting:
                take()
            self._drain(node)

    def _dial(self, node: Node, name: str) -> None:
        other = self.nodes.get(name)
        if other is None or not other.runs or name in node.streams or name == node.name:
            return
        if {(node.name, name), (name, node.name)} & self.blocked or self.now < other.stopped_until:
            return
        loss = self.loss(node.name, name)
        if self.random.random() < 1 - (1 - loss) ** 8:  # a handshake in which too much is lost takes longer
            self.at(1.0, lambda: self._dial(node, name))
            return
        node.streams.add(name)
        other.streams.add(node.name)
        for one, peer in ((node, other), (other, node)):
            if one.membership is not None and peer.membership is not None:
                me = peer.membership.me
                one.membership.connected(me.name, me.generation, me.host, me.port, me.url, self.now)
            self.at(3.0, partial(self._compare, one, peer.name))
            self.at(0.0, partial(self._drain, one))

    def _compare(self, node: Node, name: str) -> None:
        """Once after they met, as the shell does."""
        if node.replica is not None and name in node.streams:
            self._tell(node, name, [node.replica.repair_round()])

    def _break(self, name: str, other: str) -> None:
        node = self.nodes[name]
        if other in node.streams:
            node.streams.discard(other)
            if node.membership is not None:
                node.membership.disconnected(other, self.now)
                if node.replica is not None:
                    node.replica.peer_gone(other)
                self._drain(node)

    def _break_blocked(self) -> None:
        for source, target in sorted(self.blocked):
            self._break(source, target)
            self._break(target, source)

    # Tables

    def publish(self, name: str, change: Callable[[Replica, int], object]) -> None:
        """*change* (its table, Unix milliseconds) at one node, and let it tell the others."""
        node = self.nodes[name]
        assert node.replica is not None and node.membership is not None
        change(node.replica, self.now_ms(node))
        node.membership.set_version_vector(node.replica.version_vector())
        for other in sorted(node.streams):
            message = node.replica.push(other)
            self._tell(node, other, [message] if message is not None else [])
        self._drain(node)

    def _tell(self, node: Node, target: str, messages: list[Message]) -> None:
        for message in messages:
            if target in node.streams:
                self._deliver_late(node.name, target, partial(self._take, target, node.name, message))

    def _take(self, target: str, source: str, message: Message) -> None:
        node = self.nodes[target]
        if node.replica is None or node.membership is None:
            return
        received = node.replica.receive(source, message, self.now_ms(node))
        node.membership.set_version_vector(node.replica.version_vector())
        self._tell(node, source, received.replies)
