"""The connections with other nodes: streams (TLS), sealed datagrams (UDP), and who is behind them.

Datagrams are sealed with keys that a stream between the two nodes gave (:mod:`edge.gossip.sealing`); they
outlive that stream.  What is not sealed by a known session is dropped without an answer.

Both sides may dial.  When two streams lead to the same node, the one whose dialer's name comes first in the
alphabet stays; the other is closed by its dialer after :data:`SETTLE_SECONDS`, when nobody uses it.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from cryptography.x509 import load_der_x509_certificate
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from edge.errors import EdgeError
from edge.gossip.namesakes import Admission as NameAdmission
from edge.gossip.namesakes import Namesakes
from edge.gossip.sealing import Sessions
from edge.node.cluster.streams import (
    ALPN_GOSSIP,
    ALPN_HTTP,
    LANE_ENTRIES,
    LANE_GROUPS,
    LANE_PACKET,
    LANE_TABLE,
    LANE_TRUST,
    StreamFactory,
)
from edge.node.process.acceptor import Acceptor
from edge.node.process.admission import Admission, Rate
from edge.node.process.counted_log import CountedLog
from edge.shares import PREFIX_BITS

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall
    from twisted.internet.protocol import Factory

    from edge.gossip.namesakes import Address
    from edge.node.cluster.gossip_port import GossipPort
    from edge.node.cluster.streams import Hello, Stream
    from edge.trust.contexts import PeerCertificates

#: Streams accepted from one address, and from all together, where no node of the cluster is: a handshake
#: costs 2.4 ms and may take 10 s, so strangers have 5 % of a core and 250 descriptors at most.
STRANGERS = Rate(2, 10), Rate(20, 50)
#: Where nodes are, who fetch bodies as well: strangers do not keep them away.
NODES = Rate(20, 100), Rate(1000, 1000)
#: Seconds that a dial may take.
DIAL_SECONDS = 5.0
#: Seconds after which a second stream to the same node is closed.
SETTLE_SECONDS = 2.0
#: Datagrams of strangers after which they are told of.
UNSEALED = 1000


class Sink(Protocol):
    """Who gets what arrives; names are authenticated."""

    def hello(self) -> Hello:
        """Who we are."""

    def knows(self, host: str) -> bool:
        """Whether a node of the cluster has this address."""

    def misnamed(self, expected: str, name: str) -> None:
        """Where the node *expected* was dialled, there is the node *name*."""

    def packet(self, name: str, payload: bytes, stream: bool) -> None:
        """A membership message; raises :class:`EdgeError` if it is none."""

    def table_frame(self, name: str, payload: bytes) -> None:
        """A table message; raises :class:`EdgeError` if it is none."""

    def ask(self, name: str) -> None:
        """Say something to *name* that it has to answer."""

    def trust_frame(self, name: str, payload: bytes) -> None:
        """A message about certificates; raises :class:`EdgeError` if it is none."""

    def groups_frame(self, name: str, payload: bytes) -> None:
        """A message of cache groups; raises :class:`EdgeError` if it is none."""

    def entries_frame(self, name: str, payload: bytes) -> None:
        """A message of stored answers; raises :class:`EdgeError` if it is none."""

    def up(self, hello: Hello) -> None:
        """A stream to this node is open."""

    def down(self, name: str) -> None:
        """The last stream to this node has ended."""


class Peers(DatagramProtocol):
    """Streams and datagrams of authenticated peers; implements :class:`edge.node.cluster.streams.Links`."""

    noisy = False
    _log = Logger()

    def __init__(
        self,
        port: GossipPort,
        certificates: PeerCertificates,
        http: Factory,
        reactor: Any,
        ipv6_prefix: int = PREFIX_BITS,
    ) -> None:
        self.host = port.host
        self.port = port.number
        self.sessions = Sessions()
        self.streams: dict[str, list[Stream]] = {}
        #: Bytes of datagrams, sealed.
        self.datagram_bytes_in = self.datagram_bytes_out = 0
        #: Streams that ended before they were opened, and dials that reached nobody.
        self.refusals = self.unreached = 0
        self._certificates = certificates
        self._sink: Sink  # from start() on, before which nothing comes
        self._http = http
        self._reactor = reactor
        self._sockets = port
        self._acceptor: Acceptor | None = None
        self._udp: Any = None
        #: Connections that are HTTP -> the certificate of the other side.
        self._served: WeakKeyDictionary[Any, bytes] = WeakKeyDictionary()
        self._dialling: dict[tuple[str, int], Deferred[Any]] = {}
        self._settling: list[IDelayedCall] = []
        self._stopped = False
        self._strangers, self._nodes = Admission(*STRANGERS, ipv6_prefix), Admission(*NODES, ipv6_prefix)
        self._counted = CountedLog(self._log, reactor)
        self.namesakes = Namesakes()
        self._unsealed = 0

    def start(self, sink: Sink) -> None:
        """Take what comes on both sockets of the port; *sink* is told of it."""
        self._sink = sink
        server = self._certificates.server((ALPN_GOSSIP, ALPN_HTTP))
        factory = TLSMemoryBIOFactory(
            server, False, StreamFactory(self, self._http, self._reactor), self._reactor
        )
        factory.noisy = False
        self._acceptor = Acceptor(self._sockets.streams, factory, self._reactor, self._admits)
        self._acceptor.start()
        datagrams = self._sockets.datagrams
        self._udp = self._reactor.adoptDatagramPort(datagrams.fileno(), datagrams.family, self)

    def stop(self) -> None:
        """Close everything."""
        self._stopped = True
        if self._acceptor is not None:
            self._acceptor.stop()
        self._sockets.close()
        if self._udp is not None:
            self._udp.stopListening()
        for call in self._settling:
            if call.active():
                call.cancel()
        for dialling in list(self._dialling.values()):
            dialling.cancel()
        for streams in self.streams.values():
            for stream in streams:
                stream.close()

    def dial(self, host: str, port: int, expected: str | None = None) -> None:
        """Open a stream to whoever is there, unless that is being tried already."""
        key = (host, port)
        if key in self._dialling or key == (self.host, self.port) or self._stopped:
            return
        client = self._certificates.client((ALPN_GOSSIP,))
        factory = TLSMemoryBIOFactory(
            client, True, StreamFactory(self, None, self._reactor, expected, dialer=True), self._reactor
        )
        factory.noisy = False
        dialling = HostnameEndpoint(self._reactor, host, port, timeout=DIAL_SECONDS).connect(factory)
        self._dialling[key] = dialling
        dialling.addErrback(self._unreached)
        dialling.addBoth(lambda _: self._dialling.pop(key, None))

    @property
    def dialling(self) -> int:
        """Dials under way."""
        return len(self._dialling)

    def send_datagram(self, name: str, host: str, port: int, payload: bytes) -> bool:
        """Seal and send; False: there is no session with *name* yet."""
        sealed = self.sessions.seal_for(name, payload)
        if sealed is None or self.transport is None:
            return False
        self.datagram_bytes_out += len(sealed)
        try:
            self.transport.write(sealed, (host, port))
        except OSError:
            return True  # unreachable or full: lost, as datagrams may be
        return True

    def send_packet(self, name: str, payload: bytes) -> bool:
        """Send a membership message over a stream; False: there is none, or it is full."""
        return any(stream.send(LANE_PACKET, payload) for stream in self.streams.get(name, ())[:1])

    def send_table(self, name: str, payload: bytes) -> bool:
        """Send a table message; False: there is no stream."""
        return any(stream.send(LANE_TABLE, payload) for stream in self.streams.get(name, ())[:1])

    def send_trust(self, name: str, payload: bytes) -> bool:
        """Send a message about certificates; False: there is no stream."""
        return any(stream.send(LANE_TRUST, payload) for stream in self.streams.get(name, ())[:1])

    def send_groups(self, name: str, payload: bytes) -> bool:
        """Send a message of cache groups; False: there is no stream that has such."""
        return self._send_cached(name, LANE_GROUPS, payload)

    def send_entries(self, name: str, payload: bytes) -> bool:
        """Send a message of stored answers; False: there is no stream that has such."""
        return self._send_cached(name, LANE_ENTRIES, payload)

    def _send_cached(self, name: str, lane: int, payload: bytes) -> bool:
        streams = self.streams.get(name, ())[:1]
        return any(
            stream.hello is not None and stream.hello.has_cache_lanes and stream.send(lane, payload)
            for stream in streams
        )

    def revoked(self) -> list[str]:
        """Who has a stream and a certificate that is revoked."""
        since = self._certificates.revocations.since
        return [
            name
            for name, streams in self.streams.items()
            if any(since(load_der_x509_certificate(stream.chain[0])) is not None for stream in streams)
        ]

    def hang_up(self) -> None:
        """End what is served over HTTP to those whose certificate is revoked."""
        since = self._certificates.revocations.since
        for transport, certificate in list(self._served.items()):
            if since(load_der_x509_certificate(certificate)) is not None:
                transport.abortConnection()

    def expel(self, name: str) -> None:
        """Take nothing more of *name*, neither from its streams nor as datagrams."""
        self.sessions.forget(name)
        for stream in list(self.streams.get(name, ())):
            stream.expel()

    def is_full(self, name: str) -> bool:
        """Whether *name* does not take what it is sent, or is not connected."""
        streams = self.streams.get(name)
        return not streams or streams[0].paused

    def drop(self, name: str) -> None:
        """Close the streams to *name*."""
        for stream in list(self.streams.get(name, ())):
            stream.transport.abortConnection()

    # Links

    def hello(self) -> Hello:
        return self._sink.hello()

    def admit(self, hello: Hello) -> NameAdmission:
        if hello.name == self.hello().name:
            self.namesakes.tell(hello.name, self.hello().address, hello.address, self._reactor.seconds())
            return NameAdmission.REFUSED
        now = self._reactor.seconds()
        admission = self.namesakes.admit(hello.name, hello.process, hello.address, now)
        if admission is NameAdmission.ASKED:
            self._sink.ask(hello.name)
        elif admission is NameAdmission.NEW:
            self.sessions.forget(hello.name)
            self.drop(hello.name)
        return admission

    def holder(self, name: str) -> Address:
        return self.namesakes.holder(name) or self.hello().address

    def taken(self, holder: Address) -> None:
        ours = self.hello()
        self.namesakes.tell(ours.name, ours.address, holder, self._reactor.seconds())

    def serves(self, transport: Any, certificate: bytes) -> None:
        self._served[transport] = certificate

    def opened(self, stream: Stream) -> None:
        assert stream.hello is not None and stream.session is not None
        if self._stopped:
            stream.close()
            return
        streams = self.streams.setdefault(stream.name, [])
        self.sessions.add(stream.session)
        streams.insert(0, stream)
        # Both sides use the one that stays, at once: nothing is on its way in the other when it is closed.
        we_stay = self.hello().name < stream.name
        streams.sort(key=lambda one: one.dialer != we_stay)
        for one in streams[1:]:
            if one.dialer and not we_stay:
                self._settling = [call for call in self._settling if call.active()]
                self._settling.append(self._reactor.callLater(SETTLE_SECONDS, self._close_spare, one))
        self._sink.up(stream.hello)

    def _close_spare(self, stream: Stream) -> None:
        streams = self.streams.get(stream.name, [])
        if stream in streams and len(streams) > 1:
            streams.remove(stream)
            stream.close()

    def received(self, stream: Stream, lane: int, payload: bytes) -> None:
        if self._stopped:
            return  # it comes while the stream is being closed
        self.namesakes.heard(stream.name, self._reactor.seconds())
        if lane == LANE_PACKET:
            self._sink.packet(stream.name, payload, True)
        elif lane == LANE_TABLE:
            self._sink.table_frame(stream.name, payload)
        elif lane == LANE_TRUST:
            self._sink.trust_frame(stream.name, payload)
        elif lane == LANE_GROUPS:
            self._sink.groups_frame(stream.name, payload)
        elif lane == LANE_ENTRIES:
            self._sink.entries_frame(stream.name, payload)
        else:
            raise EdgeError(f"lane {lane} is unknown")

    def closed(self, stream: Stream) -> None:
        streams = self.streams.get(stream.name, [])
        if stream in streams:
            streams.remove(stream)
            if not streams:
                del self.streams[stream.name]
                self.namesakes.gone(stream.name)
                if not self._stopped:
                    self._sink.down(stream.name)

    def _count_unsealed(self, host: str) -> None:
        """A datagram from *host* does not open: after a restart some do not; of strangers there are many."""
        self._unsealed += not self._sink.knows(host)
        if self._unsealed >= UNSEALED:
            self._unsealed = 0
            told = f"{UNSEALED} datagrams that no node has sealed were dropped, the last from {host}"
            self.warn("datagrams", f"{told}: only nodes should reach the gossip port")

    def _admits(self, host: str) -> bool:
        """Whether a stream that comes from *host* may begin its handshake."""
        admission = self._nodes if self._sink.knows(host) else self._strangers
        if admission.admits(host, self._reactor.seconds()):
            return True
        self.refusals += 1
        self.warn("too many", f"too many streams, the last from {host}: refused before their handshake")
        return False

    def warn(self, kind: str, text: str) -> None:
        self._counted.warn(kind, text)

    def misnamed(self, expected: str, name: str) -> None:
        self._sink.misnamed(expected, name)

    def refused(self, why: str) -> None:
        self.refusals += 1

    def _unreached(self, failure: Any) -> None:
        """Nobody is there, now; it is tried again for ever, and not worth a line each time."""
        self.unreached += 1

    # Twisted's overrides

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.datagram_bytes_in += len(datagram)
        opened = self.sessions.open(datagram)
        if opened is None or self._stopped:
            self._count_unsealed(addr[0])
            return
        name, payload = opened
        self.namesakes.heard(name, self._reactor.seconds())
        try:
            self._sink.packet(name, payload, False)
        except EdgeError as error:
            self.warn(f"packet of {name}", f"{name} sent a packet that cannot be read: {error}")
