"""The interface of a fast path, for both builds: native (``native.py`` over C) and Python (``twin.py``).

A fast path owns one epoll set with the listening sockets and all resting connections.  :meth:`FastPath.run`
serves what is ready there: accept, receive, recognise, look up, send.  What it does not positively recognise
it hands off.

It shares a thread with a reactor in one of two ways: the reactor's own epoll set is a descriptor of this one
(:meth:`FastPath.watch`), and both wait in :meth:`FastPath.run`; or this set is a descriptor of the reactor's
(:meth:`FastPath.fileno`), which calls :meth:`FastPath.run` when it is readable.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from mmap import mmap
from typing import TYPE_CHECKING, NamedTuple, Protocol

from edge.networks import NOWHERE, Networks
from edge.shares import BUFFER_BYTES, NOBODY, PREFIX_BITS
from edge.sites import ALONE, SiteHosts

if TYPE_CHECKING:
    from edge.access.patterns import Patterns
    from edge.certificates import Certificates, Shown
    from edge.fastpath.opening import Audience, Opening
    from edge.tls.interface import RecordLayer
    from edge.tls.native import NativeContext, NativeTls


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one worker's fast path holds; seconds, bytes, counts."""

    #: Connections open at once in this worker (fast path and handed off together).
    connections: int = 100_000
    #: The same from one address (IPv4 address, or a part of an IPv6 one); 0 = they are not told apart.
    connections_per_address: int = 0
    #: Bits of an IPv6 address that are one address.
    ipv6_prefix: int = PREFIX_BITS
    #: Whole request head within this time of its first byte, else 408: slow-header attacks (Slowloris).
    head_seconds: int = 10
    #: Keep-alive with nothing received.
    idle_seconds: int = 75
    #: The periods in which the peer has to take an answer at :attr:`least_rate`.
    write_seconds: int = 30
    #: Bytes a second, on average over such a period; 0: a single byte will do.
    least_rate: int = 1024
    #: Handshakes of TLS under way in this worker, each of which takes about 50 kB; an address that wants more
    #: of them than its share has the connection closed.
    handshakes: int = 4096
    #: Bytes of partial requests and of answers not taken, whole worker; an address that wants more of them
    #: than its share (:mod:`edge.shares`) has the connection closed.
    pending_bytes: int = BUFFER_BYTES


@dataclass(frozen=True, slots=True)
class Logging:
    """Where requests are written down, by the fast path and by the Twisted side of the same thread."""

    #: A ring (:mod:`edge.logs.ring`).
    ring: mmap
    #: One request in this many.
    every: int = 1
    #: An eventfd that wakes who reads the ring; -1: nobody waits.
    wake: int = -1


@dataclass(frozen=True, slots=True)
class Guarding:
    """Who may what."""

    #: By number of the site.
    patterns: Sequence[Patterns]
    #: Token buckets (:mod:`edge.access.buckets`), and their descriptor.
    buckets: mmap
    fd: int = -1


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a fast path needs besides the table."""

    limits: Limits = field(default_factory=Limits)
    #: Serialized origins that get Access-Control-Allow-Origin of site 0; (b"*",) = all.
    allow_origins: tuple[bytes, ...] = ()
    #: The access log; None: there is none.
    log: Logging | None = None
    #: None: everybody may everything.
    guarding: Guarding | None = None
    #: What :meth:`FastPath.secure` needs; None: TLS is Twisted's.
    tls: NativeTls | None = None
    #: The line Strict-Transport-Security of answers over TLS, with its CRLF; b"": none.
    hsts: bytes = b""
    #: Of an answerer alone: what it answers comes over TLS.
    secure: bool = False
    #: Which hosts are of which site.
    sites: tuple[SiteHosts, ...] = ALONE
    #: Who says first, by the PROXY protocol, whom it has accepted.
    proxies: Networks = NOWHERE
    #: Whose X-Forwarded-For is believed.
    trusted: Networks = NOWHERE


class SocketState(NamedTuple):
    """A WebSocket of the push service between two frames, on its way from or to the fast path."""

    #: The number of its site.
    site: int
    #: Bits of topics by number: what it gets, and what it may ask for.
    topics: int
    choice: int
    #: The edition that it has got, by topic.
    seen: tuple[int, ...]
    #: Frames of the peer in the present second.
    frames: int = 0


class Met(Enum):
    """What has become of a request that was passed on to an application, before it is handed off."""

    #: It was asked once, and not answered.
    NO_ANSWER = auto()
    #: What was answered was no answer.
    GARBAGE = auto()
    #: It was not answered in time.
    SILENCE = auto()


class Handoff(NamedTuple):
    """A connection that moves to Twisted.  The receiver owns *fd* until it calls release or adopt."""

    fd: int
    #: As given to :meth:`FastPath.listen`.
    listener: int
    #: What was read and not answered; of a TLS connection let go before its handshake, the hello.
    data: bytes
    #: Of a TLS connection whose handshake is over: its record layer, which moves along; *data* is plaintext.
    layer: RecordLayer | None = None
    #: Its peer speaks the PROXY protocol, and nothing has been read: :meth:`FastPath.introduce` goes on.
    unnamed: bool = False
    #: Whom it is with, as its proxy has said: 16 bytes (:mod:`edge.networks`); None: with its peer.
    client: bytes | None = None
    #: It is a WebSocket of the push service, and *data* begins with a frame; None: it is none.
    socket: SocketState | None = None
    #: For which hosts it may be asked; None: for all.
    shown: Shown | None = None
    #: Of the request that *data* begins with; None: it was passed on to nobody.
    met: Met | None = None
    #: The same, of one that was held (:meth:`Relay.held`); 0: it was not.
    ticket: int = 0
    #: Seconds for which that request has waited already; 0 where no access log is written.
    waited: float = 0.0


class NewsKind(Enum):
    """What the relay tells of a member, or of a carrier of it."""

    #: The carrier, which speaks edge-app/1, is gone; *status* 1: the application has broken the rules.
    LOST = auto()
    #: On the carrier something is said that is for Python: *data* is the array.
    FRAME = auto()
    #: A request has failed; *status*: of the answer, or below 100: there was none, or no whole one; why is in
    #: *data*.
    FAILED = auto()
    #: Before a failure: others were answered since the last one.
    ANSWERED = auto()
    #: Its application has answered one, while questions of Python wait (:meth:`Relay.others`).
    ROOM = auto()


class News(NamedTuple):
    """Something that the relay tells."""

    kind: NewsKind
    member: int
    carrier: int = 0
    status: int = 0
    data: bytes = b""


class Held(NamedTuple):
    """A GET that waits for what is to be stored: nothing is published or stored under its address."""

    #: Names it; no other one has that.
    ticket: int
    #: The number of its site.
    site: int
    path: bytes
    #: With the query.
    target: bytes
    #: What the address of its client counts as (:func:`edge.shares.network_of`).
    network: bytes = NOBODY


class Waited(Enum):
    """What the answer to a request is that was held."""

    #: One from the table like any other.
    HIT = auto()
    #: Stored on its account, or on that of another one.
    FILLED = auto()
    COLLAPSED = auto()


class HeldEnd(Enum):
    """What has become of a request that was held."""

    #: Its client had gone, or goes.
    GONE = auto()
    #: Answered from the table.
    ANSWERED = auto()
    #: It is among the next handoffs, with its ticket.
    HANDED = auto()
    #: Nothing yet: there is no room among the handoffs before the next :meth:`FastPath.run`.
    LATER = auto()


class Relay(Protocol):
    """Requests passed on to applications without Python.

    An application has *members*: processes that speak edge-app/1, or servers that speak HTTP/1.1.  A
    *carrier* is a connection to one, with a number that no other one has: one to a process, which carries
    many requests at once; to a server as many as are wanted, each with one request at a time.  Those have
    answered Python before, so no server is kept waiting for a question on a connection that it cannot rest.
    """

    def application(self, host: bytes, at: bytes, timeout: float, queue: int) -> int:
        """The number of an application at the path *at* (b"" is the root), told *host* (b"": the visitor's).

        *timeout*: seconds until its answers begin; *queue*: questions that may be unanswered, with
        :meth:`others`.  :exc:`OSError`: there are too many.
        """

    def member(self, speaks_http: bool, at_once: int) -> int:
        """The number of a member of the last application, with *at_once* unanswered questions at most.

        With :meth:`others_of`.  :exc:`OSError`: there are too many.
        """

    def others(self, application: int, unanswered: int, waiting: int) -> None:
        """How many questions Python has not had answered, and how many of these nobody was asked yet."""

    def unanswered(self, application: int) -> int:
        """How many the relay has not had answered."""

    def others_from(self, application: int, network: bytes, unanswered: int) -> None:
        """How many questions of *network* (:func:`edge.shares.network_of`) Python has not had answered."""

    def unanswered_from(self, application: int, network: bytes) -> int:
        """How many of *network* the relay has not had answered."""

    def others_of(self, member: int, unanswered: int) -> None:
        """How many questions to *member* Python has not had answered."""

    def unanswered_of(self, member: int) -> int:
        """How many questions to *member* the relay has not had answered."""

    def pass_on(self, application: int, name: bytes, sequence: int, seconds: float, secure: bool) -> None:
        """For so many *seconds* who asks for the address with this *name* (of an entry) is passed on.

        As long as the table is at this *sequence*, at which nothing is published there, and has no answer.
        *secure*: who asks over TLS; else who does not.
        """

    def carry(self, member: int, fd: int, seconds: float = 0.0) -> int:
        """A new carrier on the connection *fd*, which belongs to the relay.  :exc:`OSError`: it does not.

        *seconds*: for which it may rest, if it speaks HTTP/1.1.
        """

    def wants(self, member: int) -> bool:
        """Whether a request found no carrier of *member* free, which speaks HTTP/1.1: one more is wanted."""

    def use(self, member: int, used: bool) -> None:
        """Ask it, or not for now."""

    def retire(self, carrier: int) -> None:
        """Ask on it no more, and close it when all is answered."""

    def retire_all(self, member: int) -> None:
        """The same of all carriers of *member*."""

    def say(self, carrier: int, frame: bytes) -> None:
        """Send a *frame* on it, if it is there."""

    def hold(self, holds: bool) -> None:
        """From now on who asks for what is nowhere waits for :meth:`look` or :meth:`let_go`, or does not."""

    def held(self) -> list[Held]:
        """Those who wait since the last call; to be asked for after each :meth:`FastPath.run`."""

    def is_held(self, ticket: int) -> bool:
        """Whether it waits still."""

    def head_of(self, ticket: int) -> bytes:
        """Its head as it was received; b"": it waits no more."""

    def look(self, ticket: int, waited: Waited) -> HeldEnd:
        """Answer it from the table; what is not there is handed off."""

    def let_go(self, ticket: int) -> HeldEnd:
        """Hand it off."""

    def news(self) -> list[News]:
        """What is new since the last call; to be asked for after each :meth:`FastPath.run`."""


class Next(Enum):
    """What is done with a connection once the output of an answerer is sent."""

    #: All is answered but an incomplete request: wait for more bytes.
    RECEIVE = auto()
    #: The output was full: ask again with the rest.
    ANSWER = auto()
    #: The rest is not for the fast path.
    HAND_OFF = auto()
    CLOSE = auto()
    #: With the output, which is that answer alone, it is a WebSocket; what follows are frames.
    OPEN = auto()


class FastPath(Protocol):
    """The fast path of one worker: its epoll set, its listeners, its connections.  Not thread-safe."""

    #: "native" or "python".
    kind: str

    def fileno(self) -> int:
        """The epoll descriptor: readable when :meth:`run` has something to serve."""

    def listen(self, fd: int, listener: int, recognise: bool, shared: bool = False) -> None:
        """Accept on the listening socket *fd* (not owned).

        *listener* (0..65535) comes back in handoffs.  Not *recognise*: hand off each connection at
        once.  *shared*: other workers accept on the same socket (EPOLLEXCLUSIVE), instead of each on
        one of its own (SO_REUSEPORT).
        """

    def secure(self, listener: int, context: NativeContext, certificates: Certificates) -> None:
        """From now on, new connections of *listener* are TLS, with the certificates of *context*.

        *certificates*: what these are for: requests that are misdirected are handed off.

        A ClientHello that is not recognised is handed off with no answer.  :exc:`OSError`: this fast path
        has no TLS of its own (:attr:`Settings.tls`), or no such listener.
        """

    def watch(self, fd: int) -> None:
        """Let :meth:`run` wait for *fd* (not owned), too, until it is closed.  :exc:`OSError`: it cannot."""

    def run(self, timeout: float | None = 0.0) -> list[Handoff]:
        """Serve what is ready, and wait for more up to *timeout* seconds (None: for ever).

        It ends early when *fd* of :meth:`watch` is readable, when a signal has come, when there are
        connections for Twisted (which it returns), and after 2,048 events.  :exc:`OSError`: it cannot wait
        any more.
        """

    def tick(self) -> None:
        """To be called about every second: closes what is past its deadline."""

    def adopt(self, fd: int, layer: RecordLayer | None = None, socket: SocketState | None = None) -> None:
        """Take back a connection handed off before, now between two requests (fd owned again).

        *socket*: it has become a WebSocket of the push service, between two frames.  *layer* moves back with
        it, with the bytes of a record that is not whole.  :exc:`OSError`: not handed off, no memory to watch
        it, or this is closed; then both are the caller's as before.
        """

    def introduce(self, fd: int, client: bytes | None) -> None:
        """The connection handed off as *fd*, unnamed, is with *client*, and begins (fd owned again).

        None: it is with its peer.  :exc:`PermissionError`: *client* has too many connections; :exc:`OSError`:
        not handed off, or this is closed.  Then it is the caller's as before.
        """

    def release(self, fd: int) -> None:
        """The connection handed off as *fd* has ended; call before or right after closing it.

        After :meth:`close`, too, which leaves connections that were handed off to those who have them.
        """

    def allow_origins(self, origins: Collection[bytes], site: int = 0) -> None:
        """From now on these get Access-Control-Allow-Origin of a site; see :class:`Settings`.

        :exc:`ValueError`: more than 1,024 of all sites, or one over 256 bytes.
        """

    def speculate(self, line: bytes) -> None:
        """From now on pages (200, HTML) carry *line*, see :func:`edge.http.answer.speculation_line`."""

    def drain(self) -> None:
        """Stop accepting; close idle connections; answers from now on carry Connection: close."""

    def publish(self, topic: int, frames: bytes, edition: int, site: int | None = None) -> None:
        """From now on *frames* are the message of *topic* for WebSockets of *site* (None: of all).

        Editions ascend, from 1; who has got this one or a later one does not get it.  :exc:`OSError`: there
        is no such topic or site, or no memory.
        """

    def push_round(self, turns: int, topics: int, rare: int, rounds: int) -> None:
        """Have the next *turns* WebSockets get what is new of *topics* (bits).

        They take turns; of the *rare* topics each gets what is new only in one of so many *rounds*.  Who
        still has bytes waiting gets nothing, and what is new then in its next turn.
        """

    def push_all(self, topics: int, turns: int) -> int:
        """Have all WebSockets get what is new of *topics*, *turns* of them at once: how many are left.

        *topics* 0: go on with those who were left.
        """

    def welcome(self, most: int, audience: Audience) -> None:
        """From now on answer opening handshakes here while fewer than *most* WebSockets rest here.

        Who opens one gets at once what was published last of its topics.  0: all are handed off.
        """

    def sockets(self) -> int:
        """How many WebSockets rest here."""

    def relay(
        self, names: Collection[bytes], prefixes: Collection[bytes], suffixes: Collection[bytes]
    ) -> Relay | None:
        """What passes requests on, once; None: this fast path hands them off.

        What visitors may not say to applications: fields with these *names*, and with names that begin and
        end so, in lower case.
        """

    def connections(self) -> int:
        """How many are open: resting, being served and handed off."""

    def close(self) -> None:
        """Close everything owned; only :meth:`adopt` and :meth:`release` may follow."""


class Answerer(Protocol):
    """A fast path without sockets (sans-IO): request bytes in, answer bytes out."""

    def allow_origins(self, origins: Collection[bytes], site: int = 0) -> None:
        """From now on these get Access-Control-Allow-Origin, as of :class:`FastPath`."""

    def speculate(self, line: bytes) -> None:
        """From now on pages (200, HTML) carry *line*, as of :class:`FastPath`."""

    def welcome(self, opens: bool, audience: Audience) -> None:
        """Whether opening handshakes are answered from now on."""

    @property
    def opened(self) -> Opening | None:
        """What the last :meth:`answer` has opened: that was its last answer (:attr:`Next.OPEN`)."""

    def drain(self) -> None:
        """From now on every answer closes."""

    def show(self, shown: Shown | None) -> None:
        """What was shown on the connection of the next requests; None: they may be for all hosts."""

    def receive_from(self, client: bytes, unix_us: int) -> None:
        """Whom the next requests are from, as :mod:`edge.logs.record` has it, and when, Unix microseconds."""

    def answer(self, data: bytes, date: bytes) -> tuple[bytes, int, Next]:
        """Answer as many requests at the front of *data* as are recognised and found, up to a full output.

        *date* is the 29-byte IMF-fixdate.  Returns (bytes to send, bytes consumed, what is next).
        """
