"""Streams between two nodes: mutual TLS 1.3 over TCP, framed.

The port of ``--gossip`` speaks two protocols, chosen by ALPN (RFC 7301): ``http/1.1`` for bodies (see
:mod:`edge.node.cluster.bodyserver`) and ``edge-gossip/1``, in frames::

    0  4  length of what follows, big-endian, at most FRAME_BYTES
    4  1  lane: 0 hello, 1 membership (edge.gossip.packet), 2 table (edge.gossip.changes),
          3 certificates (edge.gossip.trust), 4 the name is taken, 5 cache groups
          (edge.gossip.group_messages), 6 stored answers (edge.gossip.entries)
    5  -  MessagePack

The first frame of each side is its :class:`Hello`, the dialer's first.  The name in it has to be the one in
the certificate, the cluster has to be ours: otherwise the stream ends, unanswered.  A process whose name
another one has (:mod:`edge.gossip.namesakes`) is told so (:class:`Taken`), and the stream ends.  From the TLS
session come the keys of the datagrams between the two (:mod:`edge.gossip.sealing`).

Flow control: a side whose answers are not taken stops reading (:meth:`Stream.pauseProducing`); changes of
the table are only sent when asked for, a chunk at a time, and membership messages are left out meanwhile,
since the next ones say the same.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from OpenSSL import SSL
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from zope.interface import implementer

from edge.errors import EdgeError
from edge.gossip.fields import URL, Host, MaybeHex, Port, Version
from edge.gossip.namesakes import Address, Admission
from edge.gossip.schema import Decoder
from edge.gossip.sealing import EXPORTER_BYTES, EXPORTER_LABEL, Session
from edge.load.wire import Generation, Name, Word
from edge.node.process.slices import SLICE_SECONDS
from edge.trust.contexts import REVOKED_ALERT, TrustError, peer_chain, peer_name

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure

ALPN_GOSSIP = b"edge-gossip/1"
ALPN_HTTP = b"http/1.1"
#: Protocol versions that this program speaks.  Of version 1, in which changes were not signed, nothing can be
#: believed: whoever spoke it could say anything.
#: Version 3 has the lanes of cache groups and of stored answers.
VERSIONS = (2, 3)
#: The first version that has them.
CACHE_VERSION = 3
#: The largest frame: 4,096 hashes or a chunk of changes are far below.
FRAME_BYTES = 1 << 20
LANE_HELLO, LANE_PACKET, LANE_TABLE, LANE_TRUST, LANE_TAKEN, LANE_GROUPS, LANE_ENTRIES = range(7)
#: Seconds for the handshake and the hello, and for a peer that takes nothing.
PATIENCE = 10.0


class Hello(msgspec.Struct, array_like=True, frozen=True):
    """Who one side is: the first frame in each direction."""

    #: (lowest, highest) protocol version spoken.
    versions: tuple[Version, Version]
    cluster: Name
    name: Name
    generation: Generation
    #: Where its gossip port is.
    host: Host
    port: Port
    #: How browsers reach it.
    url: URL
    #: A random number of this process.
    life: Word = 0
    #: A digest of which hosts are of which site; "": one site for all.
    sites: MaybeHex = ""

    @property
    def process(self) -> int:
        """What tells it from another process of the same name."""
        return self.life or self.generation

    @property
    def has_cache_lanes(self) -> bool:
        """Whether it speaks of cache groups and of stored answers."""
        return self.versions[1] >= CACHE_VERSION

    @property
    def address(self) -> Address:
        """Where its gossip port is."""
        return Address(self.host, self.port)


class Taken(msgspec.Struct, array_like=True, frozen=True):
    """In place of a hello, or after it: another process has your name, and is there."""

    name: Name
    host: Host
    port: Port


#: Bytes of the first frame.
HELLO_BYTES = 4096
_HELLO: Decoder[Hello] = Decoder(Hello, "hello", HELLO_BYTES)
_TAKEN: Decoder[Taken] = Decoder(Taken, "taken name", HELLO_BYTES)


class Links(Protocol):
    """What a stream asks of the cluster."""

    def hello(self) -> Hello:
        """Who we are."""

    def admit(self, hello: Hello) -> Admission:
        """Whether who says *hello*, whose certificate has that name, is let in."""

    def holder(self, name: str) -> Address:
        """Where the process is that has *name*."""

    def taken(self, holder: Address) -> None:
        """The other side knows another process with the name of this node, at *holder*."""

    def opened(self, stream: Stream) -> None:
        """The other side is who it says."""

    def serves(self, transport: Any, certificate: bytes) -> None:
        """*transport* is HTTP from now on, for whoever has *certificate* (DER)."""

    def received(self, stream: Stream, lane: int, payload: bytes) -> None:
        """A frame after the hello; raises :class:`edge.errors.EdgeError` if it is none of ours."""

    def closed(self, stream: Stream) -> None:
        """After :meth:`opened`: it has ended."""

    def refused(self, why: str) -> None:
        """A stream ended before it was opened."""

    def misnamed(self, expected: str, name: str) -> None:
        """Where the node *expected* was dialled, there is the node *name*."""

    def warn(self, kind: str, text: str) -> None:
        """Log *text*, unless something of its *kind* was logged just now."""


@implementer(IHandshakeListener, IPushProducer)
class Stream(TwistedProtocol):
    """One side of one stream; *expected*: the name that we dialled, None if it was not known."""

    _log = Logger()

    transport: Any

    def __init__(
        self, links: Links, dialer: bool, expected: str | None, http: Factory | None, clock: Any
    ) -> None:
        self.dialer = dialer
        #: Of the other side; None until it is known.
        self.hello: Hello | None = None
        self.session: Session | None = None
        #: The other side does not take what is sent to it.
        self.paused = False
        self.bytes_in = self.bytes_out = 0
        self._links = links
        self._expected = expected
        self._http = http
        self._clock = clock
        self._buffer = bytearray()
        self._name = ""
        #: Its certificate and those above it, DER.
        self.chain: tuple[bytes, ...] = ()
        self._deadline: Any = None
        self._closing = self._ended = self._deaf = False
        #: Frames wait for the reactor's next turn.
        self._waiting = False

    @property
    def name(self) -> str:
        """The name of the other side, as its certificate says."""
        return self._name

    def send(self, lane: int, payload: bytes) -> bool:
        """Send one frame; False: not now, the other side takes nothing."""
        if self._ended or self._closing or (self.paused and lane == LANE_PACKET):
            return False
        self.bytes_out += 5 + len(payload)
        self.transport.write((len(payload) + 1).to_bytes(4, "big") + bytes((lane,)) + payload)
        return True

    def close(self) -> None:
        """End it, after what has been sent; what still comes is taken."""
        self._closing = True
        self.transport.unregisterProducer()  # TLS waits for a producer to finish before it closes
        self.transport.loseConnection()
        self._wait(PATIENCE)

    def expel(self) -> None:
        """End it, after what has been sent; nothing that still comes is taken."""
        self._deaf = True
        self.close()

    # Twisted's overrides

    def connectionMade(self) -> None:
        no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if no_delay is not None:  # else a message behind another one waits for that one's ACK: 40 ms
            no_delay(True)
        self._wait(PATIENCE)

    def handshakeCompleted(self) -> None:
        transport = self.transport
        if transport.negotiatedProtocol == ALPN_HTTP and self._http is not None:
            self._deadline.cancel()
            channel: Any = self._http.buildProtocol(transport.getPeer())
            transport.wrappedProtocol = channel
            self._links.serves(transport, peer_chain(transport.getHandle())[0])
            channel.makeConnection(transport)
            channel.handshakeCompleted()  # which only we were told
            return
        try:
            if transport.negotiatedProtocol != ALPN_GOSSIP:
                raise TrustError("it does not speak edge-gossip/1")
            self._name = peer_name(transport.getHandle())
            self.chain = peer_chain(transport.getHandle())
            if self._expected not in (None, self._name):
                self._end()
                self._links.misnamed(self._expected or "", self._name)
                return
        except TrustError as error:
            self._refuse(str(error))
            return
        transport.registerProducer(self, True)
        if self.dialer:
            self._say_hello()

    def dataReceived(self, data: bytes) -> None:
        self.bytes_in += len(data)
        if self._deaf:
            return
        self._buffer += data
        if not self._waiting:
            self._read()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ended = True
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        if self.hello is not None:
            self._links.closed(self)
        else:
            why = reason.getErrorMessage()
            if REVOKED_ALERT in why:
                self._links.warn("revoked", f"{self._who()} refuses the certificate of this node, which is "
                                 "revoked: edgectl cluster cert makes a new one")  # fmt: skip
            elif reason.check(SSL.Error):
                told = (
                    f"the handshake with {self._who()} failed ({why}): a node has a certificate of another "
                    "authority (edgectl cluster cert) or a wrong date; who is no node should not come here"
                )
                self._links.warn("handshake", told)
            self._links.refused(why)

    def pauseProducing(self) -> None:
        self.paused = True
        self.transport.pauseProducing()
        self._wait(PATIENCE)

    def resumeProducing(self) -> None:
        self.paused = False
        if self._deadline.active():
            self._deadline.cancel()
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.paused = True

    # Inside

    def _read(self) -> None:
        """Take frames, for one slice at most: what many changes cost stalls nobody else."""
        self._waiting = False
        buffer = self._buffer
        until = self._clock.seconds() + SLICE_SECONDS
        while len(buffer) >= 5 and not self._ended and not self._deaf:
            length = int.from_bytes(buffer[:4], "big")
            if not 1 <= length <= FRAME_BYTES or (self.hello is None and length > HELLO_BYTES):
                self._refuse(f"a frame of {length} bytes")
                return
            if len(buffer) < 4 + length:
                return
            lane, payload = buffer[4], bytes(buffer[5 : 4 + length])
            del buffer[: 4 + length]
            self._frame(lane, payload)
            if self._clock.seconds() >= until and len(buffer) >= 5:
                self._waiting = True
                self._clock.callLater(0, self._read)
                return

    def _wait(self, seconds: float) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = self._clock.callLater(seconds, self._refuse, f"nothing for {seconds:g} s")

    def _frame(self, lane: int, payload: bytes) -> None:
        try:
            if lane == LANE_TAKEN:
                taken = _TAKEN.decode(payload)
                self._links.taken(Address(taken.host, taken.port))
                self.close()
            elif self.hello is not None:
                self._links.received(self, lane, payload)
            elif self._closing:
                pass  # not let in: what was on its way does not count
            elif lane == LANE_HELLO:
                self._greet(_HELLO.decode(payload))
            else:
                raise TrustError("it does not begin with a hello")
        except EdgeError as error:
            self._refuse(str(error))

    def _say_hello(self) -> None:
        self.send(LANE_HELLO, msgspec.msgpack.encode(self._links.hello()))

    def _greet(self, hello: Hello) -> None:
        ours = self._links.hello()
        if hello.cluster != ours.cluster:
            raise TrustError(f"it belongs to the cluster {hello.cluster}")
        if hello.name != self._name:
            raise TrustError(f"it calls itself {hello.name}, its certificate says {self._name}")
        if hello.versions[0] > ours.versions[1] or hello.versions[1] < ours.versions[0]:
            raise TrustError(f"it speaks versions {hello.versions}, we speak {ours.versions}")
        if hello.name == ours.name and hello.process == ours.process:
            self.close()  # our own address is among the peers: nothing to say to ourselves
            return
        admission = self._links.admit(hello)
        if admission is Admission.REFUSED:
            holder = self._links.holder(hello.name)
            self.send(LANE_TAKEN, msgspec.msgpack.encode(Taken(hello.name, *holder)))
        if admission in (Admission.REFUSED, Admission.ASKED):
            self.close()
            return
        if not self.dialer:
            self._say_hello()
        transport = self.transport
        secret = transport.getHandle().export_keying_material(
            EXPORTER_LABEL, EXPORTER_BYTES, ours.cluster.encode()
        )
        self.session = Session.derive(secret, ours.cluster, self.dialer, ours.name, hello.name)
        self.hello = hello
        self._deadline.cancel()
        self._links.opened(self)

    def _refuse(self, why: str) -> None:
        if self._ended:
            return
        self._end()
        self._links.warn(self._name or "a stranger", f"the stream with {self._who()} ends: {why}")

    def _who(self) -> str:
        peer = self.transport.getPeer()
        return self._name or f"{peer.host}:{peer.port}"

    def _end(self) -> None:
        self._ended = True
        self.transport.abortConnection()


class StreamFactory(Factory):
    """Makes the streams that others dial; *http* makes the channels of those who want bodies."""

    noisy = False

    def __init__(self, links: Links, http: Factory | None, clock: Any, expected: str | None = None,
                 dialer: bool = False) -> None:  # fmt: skip
        self._links = links
        self._http = http
        self._clock = clock
        self._expected = expected
        self._dialer = dialer

    # Twisted's overrides

    def buildProtocol(self, addr: IAddress | None) -> Stream:
        return Stream(self._links, self._dialer, self._expected, self._http, self._clock)
