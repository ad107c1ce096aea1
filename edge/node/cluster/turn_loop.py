"""The turns of a node among others: what comes goes into membership, what membership wants goes out.

What happens to what arrives::

    datagram --opened--> Packet --> Membership --> updates, load figures, probes
                                        |-- version vector, urgent changes --> AntiEntropy --> Replica
    stream frame, lane 1 -> Packet      |
    stream frame, lane 2 ---------------------------> AntiEntropy --> Replica --> ReplicatedTable --> Writer
    stream frame, lane 5 ---------------------------> GroupLane --> Invalidation --> stored answers
    stream frame, lane 6 ---------------------------> EntryLane --> Coalescing --> stored answers
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from random import SystemRandom
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from edge.config.values import split_address
from edge.gossip.members import (
    DateSeen,
    Dial,
    MemberChanged,
    NamesakeSeen,
    Send,
    UrgentSeen,
    VersionVectorSeen,
)
from edge.gossip.namesakes import Address
from edge.gossip.packet import ALIVE, DEAD, LEFT, STATES, Namesake, Packet, Ping, decode, encode
from edge.node.cluster.streams import VERSIONS, Hello
from edge.node.process.clocks import date_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.gossip.differences import ClockDifferences
    from edge.gossip.members import Member
    from edge.gossip.membership import Membership
    from edge.node.cluster.anti_entropy import AntiEntropy
    from edge.node.cluster.entry_lane import EntryLane
    from edge.node.cluster.group_lane import GroupLane
    from edge.node.cluster.known_peers import KnownPeers
    from edge.node.cluster.peers import Peers
    from edge.node.cluster.replication_progress import ReplicationProgress
    from edge.node.cluster.revoking import Revoking


class TurnLoop:
    """Drives *membership* with sockets and time; implements :class:`edge.node.cluster.peers.Sink`.

    *cluster*: the name that peers have to say, too.  *seeds*: addresses to dial for ever.  *meet* is
    called with the name of who has a stream now.  *clock*: seconds of a clock that does not jump, by which
    membership goes.
    """

    _log = Logger()

    def __init__(
        self,
        cluster: str,
        seeds: Sequence[str],
        membership: Membership,
        peers: Peers,
        known: KnownPeers,
        anti_entropy: AntiEntropy,
        progress: ReplicationProgress,
        differences: ClockDifferences,
        revoking: Revoking,
        groups: GroupLane,
        entries: EntryLane,
        meet: Callable[[str], None],
        clock: Callable[[], float],
        reactor: Any,
        sites: str = "",
    ) -> None:
        """*sites*: a digest of this node's."""
        self._sites = sites
        #: Of those with whom there are streams, or were.
        self._sites_of: dict[str, str] = {}
        self._cluster = cluster
        self._seeds = seeds
        self._seed_hosts = frozenset(split_address(text)[0] for text in seeds)
        self._membership = membership
        self._peers = peers
        self._known = known
        self._anti_entropy = anti_entropy
        self._progress = progress
        self._differences = differences
        self._revoking = revoking
        self._groups = groups
        self._entries = entries
        self._meet = meet
        self._clock = clock
        self._reactor = reactor
        self._timer: Any = None
        #: Tells this process from another one of the same name.
        self._life = SystemRandom().getrandbits(62) | 1

    def start(self) -> None:
        """Take what comes; the first :meth:`turn` is the caller's."""
        me = self._membership.me
        self._peers.start(self)
        self._revoking.start()
        self._groups.start()
        self._entries.start()
        self._known.save(me.generation)
        self._log.info("gossip on {host}:{port}, generation {generation}",
                       host=me.host, port=me.port, generation=me.generation)  # fmt: skip

    def stop(self) -> None:
        """Take nothing more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._groups.stop()
        self._entries.stop()
        self._peers.stop()

    def change_nothing_more(self) -> None:
        """Tell all where the changes of cache groups of this node end."""
        self._groups.leave()

    def leave(self) -> None:
        """Say goodbye to all."""
        self._membership.leave(self._clock())
        self.turn()

    @property
    def is_connected(self) -> bool:
        """Whether there is a stream to anybody."""
        return bool(self._peers.streams)

    @property
    def has_addresses(self) -> bool:
        """Whether there is anybody to dial."""
        return bool(self._seeds or self._known.addresses)

    def dial_seeds(self) -> None:
        """Seeds and addresses once met, for ever: a name may resolve to other addresses each time."""
        alive = {(m.host, m.port) for m in self._membership.members.values() if m.state == ALIVE}
        for text in dict.fromkeys((*self._seeds, *self._known.addresses)):
            address = split_address(text)
            if address not in alive:
                self._peers.dial(*address)

    def other_sites(self) -> dict[str, str]:
        """Nodes that tell other sites apart than this one -> a sentence."""
        return {
            name: f"{name} has other sites than this node: what one publishes for a site the other does not "
            "know, or answers under other hosts; give all nodes of a cluster the same [[site]] tables"
            for name, sites in self._sites_of.items()
            if sites != self._sites
            and name in self._membership.members
            and self._membership.members[name].is_live
        }

    def forget(self) -> None:
        """Who is no member any more is none for cache groups, either, and has no sites."""
        members = self._membership.members
        self._groups.keep(members)
        for name in self._sites_of.keys() - members.keys():
            del self._sites_of[name]

    # What peers send: edge.node.cluster.peers.Sink

    def hello(self) -> Hello:
        me = self._membership.me
        return Hello(
            VERSIONS, self._cluster, me.name, me.generation, me.host, me.port, me.url, self._life, self._sites
        )

    def knows(self, host: str) -> bool:
        """Also who was dialled and has not said who it is: its first datagram may overtake its hello."""
        dialled = host in self._seed_hosts or host in self._known.hosts
        return dialled or any(one.latest.host == host for one in self._membership.members.values())

    def misnamed(self, expected: str, name: str) -> None:
        member = self._membership.members.get(expected)
        if self._membership.renamed(expected, self._clock()) and member is not None:
            self._log.warn(
                "{old} is not at {host}:{port} any more, {new} is: the old name is forgotten",
                old=expected,
                host=member.host,
                port=member.port,
                new=name,
            )
            self.turn()
        else:
            self._peers.warn(f"misnamed {expected}", f"dialled {expected}, and {name} answered")

    def packet(self, name: str, payload: bytes, stream: bool) -> None:
        self._membership.receive(name, decode(payload), self._clock(), stream=stream)
        self.turn()

    def table_frame(self, name: str, payload: bytes) -> None:
        self._anti_entropy.receive(name, payload)

    def ask(self, name: str) -> None:
        self._peers.send_packet(name, encode(Packet(Ping(0, name))))

    def trust_frame(self, name: str, payload: bytes) -> None:
        self._revoking.receive(name, payload)

    def groups_frame(self, name: str, payload: bytes) -> None:
        self._groups.receive(name, payload)

    def entries_frame(self, name: str, payload: bytes) -> None:
        self._entries.receive(name, payload)

    def up(self, hello: Hello) -> None:
        self._revoking.up(hello.name)
        self._sites_of[hello.name] = hello.sites
        if len(self._peers.streams[hello.name]) == 1:
            self._log.info(
                "connected to {name} at {host}:{port}", name=hello.name, host=hello.host, port=hello.port
            )
        self._membership.connected(
            hello.name, hello.generation, hello.host, hello.port, hello.url, self._clock()
        )
        if self._membership.members[hello.name].state != LEFT:  # a stream may open just after the goodbye
            self._known.add(hello.name, hello.host, hello.port)
        self._anti_entropy.up(hello.name)
        self._groups.up(hello.name, hello.has_cache_lanes)
        self._entries.up(hello.name, hello.has_cache_lanes)
        self._meet(hello.name)
        self.turn()

    def down(self, name: str) -> None:
        self._membership.disconnected(name, self._clock())
        self._anti_entropy.down(name)
        self._groups.down(name)
        self._entries.down(name)
        self.turn()

    # Turning

    def turn(self) -> None:
        """Do what is due, send what there is to send, and come back in time."""
        now = self._clock()
        membership = self._membership
        witnessed = self._peers.namesakes.witnessed(self._reactor.seconds())
        membership.piggyback.namesakes = tuple(Namesake(name, *one, *other) for name, one, other in witnessed)
        membership.tick(now)
        for output in membership.outputs():
            self._put_out(output)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._reactor.callLater(max(0.001, membership.next_at - now), self.turn)

    def _put_out(self, output: Any) -> None:
        if isinstance(output, Send):
            self._send(output.to, output.packet, output.stream)
        elif isinstance(output, Dial):
            self._peers.dial(output.host, output.port, output.name or None)
        elif isinstance(output, VersionVectorSeen):
            self._anti_entropy.see_version_vector(output.sender, output.version_vector, output.whole)
        elif isinstance(output, UrgentSeen):
            self._anti_entropy.see_urgent(output.sender, output.data)
        elif isinstance(output, NamesakeSeen):
            self._hear_of_namesakes(output.namesake)
        elif isinstance(output, DateSeen):
            now_ms = int(date_of(self._reactor) * 1000)
            self._differences.note(output.sender, output.date_ms, int(output.elapsed * 1000) + 1, now_ms)
        elif isinstance(output, MemberChanged):
            self._see_change(output)

    def _hear_of_namesakes(self, told: Namesake) -> None:
        if told.name not in self._membership.members and told.name != self._membership.me.name:
            return  # of whom we know nothing
        one, other = Address(told.host, told.port), Address(told.other_host, told.other_port)
        self._peers.namesakes.tell(told.name, one, other, self._reactor.seconds(), hearsay=True)

    def _send(self, name: str, packet: Packet, stream: bool) -> None:
        payload = encode(packet)
        if stream:
            self._peers.send_packet(name, payload)
            return
        member = self._membership.members.get(name)
        if member is not None and not self._peers.send_datagram(name, member.host, member.port, payload):
            self._peers.dial(member.host, member.port, name)

    def _see_change(self, change: MemberChanged) -> None:
        member = change.member
        self._log.info("{name} is {state}", name=member.name, state=STATES[member.state])
        self._groups.see(member.name, member.state)
        if member.state == ALIVE and change.before == LEFT:  # others said that it had left
            self._known.add(member.name, member.host, member.port)
        if member.state in (DEAD, LEFT):
            self._peers.drop(member.name)
            self._differences.forget(member.name)
        if member.state == LEFT:
            if not self._is_used(member):
                self._known.remove(member.host, member.port)
            self._progress.forget(member.name)

    def _is_used(self, gone: Member) -> bool:
        """Whether another node has the address of one that is gone: it was renamed."""
        return any(
            (member.host, member.port) == (gone.host, gone.port) and member.is_live
            for member in self._membership.members.values()
        )
