"""A node among others: drives the sans-IO cores of :mod:`edge.gossip` with sockets and time.

What happens to what arrives::

    datagram --opened--> Packet --> Membership --> updates, load figures, probes
                                        |-- version vector, urgent changes --> AntiEntropy --> Replica
    stream frame, lane 1 -> Packet      |
    stream frame, lane 2 ---------------------------> AntiEntropy --> Replica --> ReplicatedTable --> Writer

``gossip.json`` in the state directory keeps the generation and the addresses met; ``replica.sqlite`` the
change log.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.web.resource import Resource

from edge.config.values import split_address
from edge.gossip.members import Dial, MemberChanged, Send, UrgentSeen, VersionVectorSeen
from edge.gossip.packet import ALIVE, DEAD, LEFT, STATES, Packet, decode, encode
from edge.node.cluster.anti_entropy import REPAIR_SECONDS, AntiEntropy
from edge.node.cluster.bodyserver import BodyResource
from edge.node.cluster.change_log import CHECKPOINT_SECONDS, COMMIT_SECONDS
from edge.node.cluster.leases import RENEW_SECONDS, LeaseRenewal
from edge.node.cluster.peers import Peers
from edge.node.cluster.replication_progress import ReplicationProgress
from edge.node.cluster.streams import VERSIONS, Hello
from edge.node.connection.site import ChannelFactory, EdgeSite
from edge.node.process.channel_limits import ChannelLimits
from edge.node.process.lag import LagMeter

if TYPE_CHECKING:
    from random import Random

    from edge.config import Config
    from edge.gossip.membership import Membership
    from edge.load.report import LoadReport
    from edge.node.bodies.fetcher import BodyFetcher
    from edge.node.bodies.store import BodyStore
    from edge.node.cluster.change_log import ChangeLog
    from edge.node.cluster.gossip_port import GossipPort
    from edge.node.cluster.known_peers import KnownPeers
    from edge.node.cluster.missing_bodies import MissingBodies
    from edge.node.cluster.replicated_table import ReplicatedTable
    from edge.trust.contexts import PeerCertificates

#: Seconds between two dials of seeds and of addresses once met.
SEED_SECONDS = 2.0
#: Seconds for which a starting node waits for others to tell it what it missed.
JOIN_PATIENCE = 3.0
#: Seconds for the last words of a node that leaves.
LEAVE_SECONDS = 0.3


class Cluster:
    """This node as a member of its cluster; implements :class:`edge.node.cluster.peers.Sink`.

    :func:`edge.node.cluster.assembly.make_cluster` makes it.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        certificates: PeerCertificates,
        port: GossipPort,
        known: KnownPeers,
        membership: Membership,
        log: ChangeLog,
        table: ReplicatedTable,
        bodies: BodyStore,
        missing: MissingBodies,
        fetcher: BodyFetcher,
        random: Random,
        reactor: Any,
    ) -> None:
        self.certificates = certificates
        #: Of this life of the process, as it began.
        self.generation = membership.me.generation
        self.membership = membership
        self.replica = log.replica
        self.table = table
        self.bodies = bodies
        self.missing = missing
        self.fetcher = fetcher
        self._body_site = _body_site(bodies, reactor)
        http = ChannelFactory(self._body_site, secure=True)
        self.peers = Peers(port, certificates, self, http, reactor)
        self.progress = ReplicationProgress(config.node, log.replica)
        self.lag = LagMeter(reactor, lambda lag_us: membership.note_lag(lag_us / 1000))
        self._config = config
        self._known = known
        self._change_log = log
        self._anti_entropy = AntiEntropy(log, table, membership, self.progress, self.peers, random, reactor)
        self._renewal = LeaseRenewal(table.leases, membership, self.progress, config.lease_seconds)
        self._reactor = reactor
        self._calls: list[LoopingCall] = []
        self._pushing: Deferred[None] | None = None
        self._timer: Any = None

    # Life

    def start(self) -> None:
        """Take what comes, and look for the others."""
        me = self.membership.me
        self.peers.start()
        self._known.save(self.generation)
        self._log.info("gossip on {host}:{port}, generation {generation}",
                       host=me.host, port=me.port, generation=self.generation)  # fmt: skip
        for work, seconds in (
            (self._dial_seeds, SEED_SECONDS),
            (self._change_log.commit, COMMIT_SECONDS),
            (self._change_log.checkpoint, CHECKPOINT_SECONDS),
            (self._renewal.renew, RENEW_SECONDS),
            (self._anti_entropy.repair, REPAIR_SECONDS),
        ):
            call = LoopingCall(work)
            call.clock = self._reactor
            call.start(seconds, now=work == self._dial_seeds)
            self._calls.append(call)
        self.lag.start()
        self._anti_entropy.tell()
        self._pushing = Deferred.fromCoroutine(self._push_own_changes())
        self._turn()

    async def join(self) -> None:
        """Return when what the cluster has is here, or nobody answers; loads the table first."""
        count = await self.table.load()
        if count:
            self._log.info("{n} paths from the change log of the last run", n=count)
        until = self.now() + JOIN_PATIENCE
        empty = self._config.webroot is None and not count
        while not self._is_caught_up() or (empty and not self.replica.paths(b"", 1)):
            late = self.now() > until
            if late and not self.peers.streams and not empty:
                break
            if not self._config.peer and not self._known.addresses:
                break
            await deferLater(self._reactor, 0.05)
        self.table.joined()

    def _is_caught_up(self) -> bool:
        """Whether somebody told us what there is, and it is here."""
        return self.progress.has_heard and not self.progress.behind() and not self.table.queue

    async def leave(self) -> None:
        """Say goodbye."""
        self.membership.leave(self.now())
        self._turn()
        await deferLater(self._reactor, LEAVE_SECONDS)

    def stop(self) -> None:
        """Close everything."""
        for call in self._calls:
            if call.running:
                call.stop()
        if self._pushing is not None:
            self._pushing.cancel()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.lag.stop()
        self._anti_entropy.stop()
        self.table.stop()
        self.fetcher.stop()
        self._body_site.abort()
        self.peers.stop()
        self._change_log.close()

    def reload(self) -> list[str]:
        """SIGHUP: the certificates; sentences about what stayed as it was."""
        return [problem] if (problem := self.certificates.reload()) else []

    def now(self) -> float:
        """Seconds of a clock that does not jump: what membership goes by."""
        return time.monotonic()

    # Load

    def set_load(self, report: LoadReport) -> None:
        """This node's load, for all."""
        self.membership.set_load(report, self.now())

    # Sink

    def hello(self) -> Hello:
        me = self.membership.me
        return Hello(VERSIONS, self._config.cluster, me.name, self.generation, me.host, me.port, me.url)

    def packet(self, name: str, payload: bytes, stream: bool) -> None:
        self.membership.receive(name, decode(payload), self.now(), stream=stream)
        self._turn()

    def table_frame(self, name: str, payload: bytes) -> None:
        self._anti_entropy.receive(name, payload)

    def up(self, hello: Hello) -> None:
        if len(self.peers.streams[hello.name]) == 1:
            self._log.info(
                "connected to {name} at {host}:{port}", name=hello.name, host=hello.host, port=hello.port
            )
        self.membership.connected(hello.name, hello.generation, hello.host, hello.port, hello.url, self.now())
        if self.membership.members[hello.name].state != LEFT:  # a stream may open just after the goodbye
            self._known.add(hello.host, hello.port)
        self._anti_entropy.up(hello.name)
        self._turn()

    def down(self, name: str) -> None:
        self.membership.disconnected(name, self.now())
        self._anti_entropy.down(name)
        self._turn()

    # Turning

    def _turn(self) -> None:
        """Do what is due, send what there is to send, and come back in time."""
        now = self.now()
        membership = self.membership
        membership.tick(now)
        for output in membership.outputs():
            self._put_out(output)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._reactor.callLater(max(0.001, membership.next_at - now), self._turn)

    def _put_out(self, output: Any) -> None:
        if isinstance(output, Send):
            self._send(output.to, output.packet, output.stream)
        elif isinstance(output, Dial):
            self.peers.dial(output.host, output.port, output.name or None)
        elif isinstance(output, VersionVectorSeen):
            self._anti_entropy.see_version_vector(output.sender, output.version_vector)
        elif isinstance(output, UrgentSeen):
            self._anti_entropy.see_urgent(output.sender, output.data)
        elif isinstance(output, MemberChanged):
            self._see_change(output)

    def _send(self, name: str, packet: Packet, stream: bool) -> None:
        payload = encode(packet)
        if stream:
            self.peers.send_packet(name, payload)
            return
        member = self.membership.members.get(name)
        if member is not None and not self.peers.send_datagram(name, member.host, member.port, payload):
            self.peers.dial(member.host, member.port, name)

    def _see_change(self, change: MemberChanged) -> None:
        member = change.member
        self._log.info("{name} is {state}", name=member.name, state=STATES[member.state])
        if member.state in (DEAD, LEFT):
            self.peers.drop(member.name)
        if member.state == LEFT:
            self._known.remove(member.host, member.port)
            self.progress.forget(member.name)

    def _dial_seeds(self) -> None:
        """Seeds and addresses once met, for ever: a name may resolve to other addresses each time."""
        alive = {(m.host, m.port) for m in self.membership.members.values() if m.state == ALIVE}
        for text in dict.fromkeys((*self._config.peer, *self._known.addresses)):
            address = split_address(text)
            if address not in alive:
                self.peers.dial(*address)

    async def _push_own_changes(self) -> None:
        """Tell everybody of own changes, as long as this node runs."""
        try:
            while True:
                await self.table.own_changes()
                self._anti_entropy.push()
                self._turn()
        except CancelledError:
            return  # stop() was called


def _body_site(bodies: BodyStore, reactor: Any) -> EdgeSite:
    """Answers peers who ask for bodies, over the cluster's TLS."""
    root, edge = Resource(), Resource()
    root.putChild(b".edge", edge)
    edge.putChild(b"body", BodyResource(bodies))
    return EdgeSite(root, reactor, limits=ChannelLimits(body_bytes=0))
