"""A replicated table on a reactor of the test's, with another node's replica beside it."""

from __future__ import annotations

from hashlib import sha256

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.changes import Change, Record
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows
from edge.node.bodies.store import BodyStore, Wanted
from edge.node.cluster.leases import Leases
from edge.node.cluster.missing_bodies import MissingBodies
from edge.node.cluster.replicated_table import ReplicatedTable
from edge.node.process.slices import Slices
from edge.publish.blobs import Blobs
from edge.resource import Representation, Resource, etag_of
from edge.table.reader import Reader
from edge.table.segment import Segment
from edge.table.writer import Writer
from simulation.keyring import HashKeyring
from tests.node.turns import Turns

LINES = b"Content-Type: text/html\r\n"
BODY_LIMIT = 100


def resource(path: bytes, body: bytes, modified: int = 1_700_000_000) -> Resource:
    """One representation."""
    digest = sha256(body).digest()
    one = Representation(0, etag_of(digest), digest, len(body), LINES, b"", body)
    return Resource(path, modified, (one,))


def record(body: bytes) -> Record:
    """What another node says of it."""
    return Record(0, sha256(body).digest(), len(body), LINES, b"")


class Peers:
    """A fetcher: the test says when, and whether, a body comes."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs
        self.asked: list[tuple[Wanted, bool]] = []
        self.answers: list[Deferred[bytes]] = []

    async def fetch(self, wanted: Wanted, urgent: bool) -> None:
        answer: Deferred[bytes] = Deferred()
        self.asked.append((wanted, urgent))
        self.answers.append(answer)
        self.blobs.put(await answer)


class TableTestCase(SynchronousTestCase):
    """The node ``me``, and the node ``other`` as a replica of its own."""

    def setUp(self) -> None:
        self.reactor = Turns()
        segment = Segment.create(capacity=64, arena_bytes=1 << 18, workers=1)
        self.addCleanup(segment.close)
        self.reader = Reader(segment, 0)
        self.blobs = Blobs(self.mktemp())
        self.addCleanup(self.blobs.close)
        self.peers = Peers(self.blobs)
        self.segment = segment
        self.writer, self.slices = writer, slices = Writer(segment), Slices(self.reactor)
        self.bodies = bodies = BodyStore(self.blobs, self.peers)
        self.rows = Rows(":memory:", HashKeyring("me"))
        self.replica = Replica("me", self.rows, self.now_ms())
        self.other = Replica("other", Rows(":memory:", HashKeyring("other")), self.now_ms())
        self.missing = MissingBodies(self.replica, bodies, writer, BODY_LIMIT, slices, self.reactor)
        self.table = self.new_table()
        self.spilled: list[bytes] = []

    def new_table(self) -> ReplicatedTable:
        """A table over the replica as it is."""
        return ReplicatedTable(
            self.replica,
            self.writer,
            self.bodies,
            self.missing,
            Leases(self.segment, "me"),
            BODY_LIMIT,
            self.slices,
            self.reactor,
        )

    def now_ms(self) -> int:
        return int(self.reactor.now * 1000)

    def put(self, one: Resource) -> bool:
        return self.table.put(one, lambda representation: self.spilled.append(representation.etag))

    def published_there(self, path: bytes, *bodies: bytes) -> list[Change]:
        """What *other* has published, merged into this node's replica: what is to be applied."""
        records = tuple(record(body) for body in bodies)
        self.other.put(path, 1_700_000_000, records, self.now_ms())
        push = self.other.push("me")
        assert push is not None
        return self.replica.receive("other", push, self.now_ms()).applied
