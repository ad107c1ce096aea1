"""A small published site in a real table, and connections to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from edge.node.connection.holding import Holding
from edge.node.connection.request import EdgeRequest
from edge.node.connection.site import RootResource
from edge.node.connection.upgraded import UpgradedChannel
from edge.node.process.life import Life, NodeEvent, NodeState
from edge.node.process.lookup import pack, unpack
from edge.node.resources.addresses import Addresses
from edge.node.resources.edge_resources import EdgeResources
from edge.node.resources.published import NodeStartingError, PublishedResource, Source
from edge.node.resources.pushing import DEFAULT_TOPICS, TOPICS, Pushing
from edge.node.resources.pushsocket import PushSocket
from edge.resource import Representation, Resource, etag_of
from edge.shares import NOBODY
from edge.sites import ALONE, SiteHosts
from edge.table.reader import Entry, Reader
from edge.table.segment import Segment
from edge.table.writer import Writer
from tests.node.serving import NOW, Connection
from tests.node.transports import PeerTransport

BODIES = {0: b"hello, plain world\n", 1: b"(gzip)", 2: b"(br)"}
MODIFIED = NOW - 1000


def representation(variant: int, body: bytes, in_memory: bool = True, lines: bytes = b"") -> Representation:
    """One with believable lines."""
    digest = sha256(body).digest()
    coding = {1: b"Content-Encoding: gzip\r\n", 2: b"Content-Encoding: br\r\n"}.get(variant, b"")
    common = b"Vary: Accept-Encoding\r\nCache-Control: no-cache\r\n"
    lines_200 = b"Content-Type: text/plain\r\n" + coding + common + lines
    kept = body if in_memory else None
    return Representation(variant, etag_of(digest), digest, len(body), lines_200, common, kept)


def tag(body: bytes) -> str:
    """The ETag of a body, with quotes."""
    return f'"{etag_of(sha256(body).digest()).decode()}"'


class Site:
    """Publishes ``/a.txt`` in three codings, ``/dir/`` and ``/big`` (a blob), in a table of its own."""

    def __init__(self, directory: str, complete: bool = True) -> None:
        self.segment = Segment.create(capacity=64, arena_bytes=1 << 16, workers=1)
        self.writer = Writer(self.segment)
        self.blobs = Path(directory)
        self.elsewhere: dict[bytes, Resource] = {}
        #: Answers what nothing is published for.
        self.beyond: Callable[[EdgeRequest], bool] = lambda request: False
        self.life = Life()
        self.life.happens(NodeEvent.PUBLISHED)
        self.put(b"/a.txt", *(representation(variant, body) for variant, body in BODIES.items()))
        self.put(b"/dir/", representation(0, b"index"))
        self.big = bytes(range(256)) * 1024
        self.put(b"/big", self.blob(self.big))
        self.writer.set_complete(complete)

    def put(self, path: bytes, *representations: Representation) -> None:
        """Publish."""
        assert self.writer.put(Resource(path, MODIFIED, representations))

    def blob(self, body: bytes) -> Representation:
        """A representation whose body is a file."""
        one = representation(0, body, in_memory=False)
        name = one.etag.decode()
        (self.blobs / name[:2]).mkdir(exist_ok=True)
        (self.blobs / name[:2] / name).write_bytes(body)
        return one

    async def look_up(self, path: bytes) -> dict[int, Entry]:
        """What the supervisor would say."""
        if self.life.state is NodeState.STARTING:
            raise NodeStartingError
        return unpack(pack(self.elsewhere.get(path)))

    def connect(
        self,
        allow: frozenset[bytes] = frozenset(),
        look_up: Any = None,
        secure: bool = False,
        audience: str = "public",
        link_bps: float = 0.0,
        with_rules: bool = False,
        sites: Sequence[SiteHosts] = ALONE,
    ) -> Connection:
        """A connection to the site; *with_rules*: those that are in the table count; *sites*: all of them."""
        reader = Reader(self.segment, 0)
        source = Source(reader, str(self.blobs), look_up or self.look_up, [allow] * len(sites))
        published = PublishedResource(
            source, [Addresses(reader, one.prefix) for one in sites] if with_rules else ()
        )
        published.beyond = self.beyond
        clock = Clock()
        clock.rightNow = float(NOW)
        self.pushing = Pushing(
            reader, [allow] * len(sites), clock, 10_000, audience=audience, link_bps=link_bps, sites=sites
        )
        own = EdgeResources(reader, published, self.life, self.pushing, audience)
        return Connection(RootResource(own, published), clock=clock, secure=secure, sites=sites)

    def join(self, connection: Connection) -> PeerTransport:
        """One more WebSocket beside *connection*'s, already open; what it is sent."""
        transport = PeerTransport(connection.clock)
        socket = PushSocket(self.pushing, DEFAULT_TOPICS, TOPICS)
        holding = Holding(connection.site, NOBODY)
        socket.connected(transport, UpgradedChannel(connection.site, transport, socket, holding))
        return transport

    def close(self) -> None:
        """Free the table."""
        self.segment.close()
