"""A node among others: joins the sans-IO cores of :mod:`edge.gossip` to sockets, table and load figures.

What happens to what arrives::

    datagram --opened--> Packet --> Membership --> updates, figures, probes    (lane 1, 2)
                                        |-- version_vector, urgent changes --> Replica  (lane 3)
    stream frame, lane 2 ---------------------------> Replica --> ReplicatedTable --> Writer

What a node published is confirmed by this node while its *lease* runs: ``--lease-seconds`` from the last
figures of that node that arrived, directly or through others, provided that everything it is known to have
published is here.  A node that has left has said that it publishes nothing more: its lease does not end.

``gossip.json`` in the state directory keeps the generation and the addresses met; ``replica.sqlite`` the
change log.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import time
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.web.resource import Resource

from edge.config.values import split_address
from edge.errors import EdgeError
from edge.gossip import changes as table_messages
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
from edge.gossip.packet import ALIVE, DEAD, LEFT, STATES, Packet, decode, encode
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows
from edge.node.bodies.fetcher import BodyFetcher
from edge.node.cluster.bodyserver import BodyResource
from edge.node.cluster.known_peers import KnownPeers
from edge.node.cluster.peer_endpoints import PeerEndpoints, body_agent, treq_getter
from edge.node.cluster.peers import Peers
from edge.node.cluster.replicated_table import ReplicatedTable
from edge.node.cluster.replication_progress import ReplicationProgress
from edge.node.cluster.streams import VERSIONS, Hello
from edge.node.connection.site import ChannelFactory, EdgeSite
from edge.node.process.channel_limits import ChannelLimits
from edge.node.process.lag import LagMeter
from edge.trust.contexts import PeerCertificates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config import Config
    from edge.gossip.packet import LogPosition
    from edge.load.report import LoadReport
    from edge.publish.store import Store
    from edge.table.writer import Writer

#: Seconds between two writes of the change log to its file, leases pushed on, and seeds looked at.
COMMIT_SECONDS = 0.05
LEASE_SECONDS = 0.25
SEED_SECONDS = 2.0
#: Seconds between two checkpoints of the change log, in a thread; between two repairs with some node.
CHECKPOINT_SECONDS = 10.0
REPAIR_SECONDS = 30.0
#: Seconds after which two nodes that have met compare their tables: one may have lost its state.
REPAIR_AFTER = 3.0
#: Seconds for which a starting node waits for others to tell it what it missed.
JOIN_PATIENCE = 3.0
#: Changes that may wait to be applied while more are asked for.
AHEAD = 500
#: Seconds for the last words of a node that leaves.
LEAVE_SECONDS = 0.3


class Cluster:
    """See the module's docstring; implements :class:`edge.node.cluster.peers.Sink`."""

    _log = Logger()

    def __init__(
        self, config: Config, url: str, store: Store, writer: Writer, find_body: Any, reactor: Any
    ) -> None:
        """Raises :class:`EdgeError` for what a user can mend: certificates, a port, a damaged file.

        *find_body*: (etag, digest, path, variant) -> the body, its file, or None; see
        :class:`~edge.node.cluster.bodyserver.BodyResource`.
        """
        assert config.gossip is not None
        self._config = config
        self._url = url
        self._reactor = reactor
        self._random = SystemRandom()
        self.certificates = PeerCertificates(
            config.node, config.cluster_cert, config.cluster_key, config.cluster_ca
        )
        self.certificates.load()
        self._kept = KnownPeers(config.state_dir / "gossip.json")
        self.generation = max(self._kept.generation + 1, self._now_ms())
        host, port = split_address(config.gossip)
        root, edge = Resource(), Resource()
        root.putChild(b".edge", edge)
        edge.putChild(b"body", BodyResource(find_body))
        body_site = EdgeSite(root, reactor, limits=ChannelLimits(body_bytes=0))
        self.peers = Peers(
            host, port, self.certificates, self, ChannelFactory(body_site, secure=True), reactor
        )
        self._database = config.state_dir / "replica.sqlite"
        rows = Rows.open(str(self._database))
        if rows.problem:
            self._log.warn("{problem}", problem=rows.problem)
        self.rows = rows
        self.replica = Replica(config.node, rows, self._now_ms())
        if self.replica.too_old(self._now_ms()):
            self._log.warn("away for longer than deletions are remembered: joining afresh")
            self.replica.drop(self._now_ms())
        body_limit = config.body_limit_kib * 1024
        self.table = ReplicatedTable(
            writer, self.replica, config.node, store.blobs, body_limit, self._announce, reactor
        )
        self.table.holders = self._holders
        self._blobs = store.blobs
        self.membership: Membership
        self._calls: list[LoopingCall] = []
        self._timer: Any = None
        self._announcing = False
        self.progress = ReplicationProgress(config.node, self.replica)

    # Life

    def start(self) -> None:
        """Open the ports and look for the others."""
        self.peers.listen()
        host, port = self.peers.host, self.peers.port
        self._kept.save(self.generation)
        me = Identity(self._config.node, self.generation, host, port, self._url)
        self.membership = Membership(me, GossipConfig(), self._random, self.now())
        agent = body_agent(self._reactor, PeerEndpoints(self.certificates, self._address_of, self._reactor))
        self.table.fetcher = BodyFetcher(self._blobs, treq_getter(agent), self._reactor)
        for work, seconds in (
            (self._commit, COMMIT_SECONDS),
            (self._renew_leases, LEASE_SECONDS),
            (self._dial_seeds, SEED_SECONDS),
            (self._checkpoint, CHECKPOINT_SECONDS),
            (self._repair, REPAIR_SECONDS),
        ):
            call = LoopingCall(work)
            call.clock = self._reactor
            call.start(seconds, now=work == self._dial_seeds)
            self._calls.append(call)
        self._log.info("gossip on {host}:{port}, generation {generation}",
                       host=host, port=port, generation=self.generation)  # fmt: skip
        self.lag = LagMeter(self._reactor, lambda lag_us: self.membership.note_lag(lag_us / 1000))
        self.lag.start()
        self._tell_version_vector()
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
            if not self._config.peer and not self._kept.addresses:
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
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.lag.stop()
        self.table.stop()
        self.peers.stop()
        self.replica.save(self._now_ms())
        self.rows.close()

    def reload(self) -> list[str]:
        """SIGHUP: the certificates; sentences about what stayed as it was."""
        return [problem] if (problem := self.certificates.reload()) else []

    # Load

    def set_load(self, report: LoadReport) -> None:
        """This node's load, for all."""
        self.membership.set_figures(report, self.now())

    # Sink

    def hello(self) -> Hello:
        """See :class:`edge.node.cluster.peers.Sink`."""
        return Hello(VERSIONS, self._config.cluster, self._config.node, self.generation, self.peers.host,
                     self.peers.port, self._url)  # fmt: skip

    def packet(self, name: str, payload: bytes, stream: bool) -> None:
        """See :class:`edge.node.cluster.peers.Sink`."""
        self.membership.receive(name, decode(payload), self.now(), stream=stream)
        self._turn()

    def table_frame(self, name: str, payload: bytes) -> None:
        """See :class:`edge.node.cluster.peers.Sink`."""
        received = self.replica.receive(name, table_messages.decode_message(payload), self._now_ms())

        def answer() -> None:
            for message in received.replies:
                self.peers.send_table(name, table_messages.encode_message(message))

        if self.table.queue < AHEAD:
            answer()  # the next chunk comes while this one is applied
            self.table.apply(received.applied)
        else:
            self.table.apply(received.applied, answer)
        self._tell_version_vector()

    def up(self, hello: Hello) -> None:
        """See :class:`edge.node.cluster.peers.Sink`."""
        if len(self.peers.streams[hello.name]) == 1:
            self._log.info(
                "connected to {name} at {host}:{port}", name=hello.name, host=hello.host, port=hello.port
            )
        self._kept.add(hello.host, hello.port)
        self.membership.connected(hello.name, hello.generation, hello.host, hello.port, hello.url, self.now())
        self.replica.contact(self._now_ms())
        self._reactor.callLater(REPAIR_AFTER, self._repair_with, hello.name)
        self._turn()

    def down(self, name: str) -> None:
        """See :class:`edge.node.cluster.peers.Sink`."""
        self.membership.disconnected(name, self.now())
        self.replica.peer_gone(name)
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
            self._see_version_vector(output.sender, output.version_vector)
        elif isinstance(output, UrgentSeen):
            self._see_urgent(output.sender, output.data)
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
            self._kept.remove(member.host, member.port)
            self.progress.forget(member.name)

    def _dial_seeds(self) -> None:
        """Seeds and addresses once met, for ever: a name may resolve to other addresses each time."""
        known = {(m.host, m.port) for m in self.membership.members.values() if m.state == ALIVE}
        for text in dict.fromkeys((*self._config.peer, *self._kept.addresses)):
            address = split_address(text)
            if address not in known:
                self.peers.dial(*address)

    # The table

    def _announce(self) -> None:
        """Own changes: tell everybody, once for all that happen in this turn of the reactor."""
        if not self._announcing:
            self._announcing = True
            self._reactor.callLater(0, self._push)

    def _push(self) -> None:
        self._announcing = False
        self.replica.save(self._now_ms())  # first: nobody may know more of our log than we do
        self._tell_version_vector()
        for name in list(self.peers.streams):
            message = None if self.peers.is_full(name) else self.replica.push(name)
            if message is not None:
                self.peers.send_table(name, table_messages.encode_message(message))
        for data in self.replica.urgent():
            self.membership.urgent(data)
        self._turn()

    def _tell_version_vector(self) -> None:
        self.membership.set_version_vector(self.replica.version_vector())

    def _see_version_vector(self, sender: str, version_vector: Sequence[LogPosition]) -> None:
        self.progress.note(sender, version_vector)
        if sender not in self.peers.streams:
            return  # there is nothing to ask it over; membership dials
        for message in self.replica.notice(sender, version_vector, self._now_ms()):
            self.peers.send_table(sender, table_messages.encode_message(message))

    def _see_urgent(self, sender: str, data: bytes) -> None:
        received = self.replica.receive(sender, table_messages.decode_message(data), self._now_ms())
        if received.applied:
            self.table.apply(received.applied)
            self._tell_version_vector()
        for message in received.replies:
            self.peers.send_table(sender, table_messages.encode_message(message))

    def now(self) -> float:
        """Seconds of a clock that does not jump: what membership goes by."""
        return time.monotonic()

    def _renew_leases(self) -> None:
        behind = self.progress.behind()
        for origin in self.table.leases.origins():
            member = self.membership.members.get(origin)
            if origin in behind:
                continue
            if member is not None and member.state == LEFT:
                self.table.leases.renew(origin, self._config.lease_seconds)
                continue
            found = self.membership.figures_of(origin)
            if found is not None:
                self.table.leases.renew(origin, self._config.lease_seconds - found[1])

    def _commit(self) -> None:
        self.replica.save(self._now_ms())

    def _checkpoint(self) -> Any:
        return deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), Rows.checkpoint, str(self._database)
        ).addErrback(lambda failure: self._log.failure("the change log could not be written back", failure))

    def _repair(self) -> None:
        names = list(self.peers.streams)
        if names:
            self._repair_with(self._random.choice(names))

    def _repair_with(self, name: str) -> None:
        """Only who has all logs can tell a difference from what is still on its way."""
        if name in self.peers.streams and not self.progress.behind():
            self.peers.send_table(name, table_messages.encode_message(self.replica.repair_round()))

    # Bodies

    def _holders(self, origin: str) -> list[str]:
        """Who may have a body: its publisher first, then the others that are alive."""
        alive = [m.name for m in self.membership.members.values() if m.state == ALIVE]
        others = [name for name in alive if name not in (origin, self._config.node)]
        self._random.shuffle(others)
        return ([origin] if origin in alive and origin != self._config.node else []) + others

    def _address_of(self, name: str) -> tuple[str, int]:
        member = self.membership.members.get(name)
        if member is None:
            raise EdgeError(f"{name} is not a member of the cluster")
        return member.host, member.port

    def _now_ms(self) -> int:
        return int(self._reactor.seconds() * 1000)
