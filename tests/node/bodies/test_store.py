"""The body store: a body is found wherever it is."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from edge.node.bodies.store import BodyStore, NoHolderError, Wanted
from edge.publish.blobs import Blobs
from edge.publish.catalogue import PublishedFile
from edge.publish.site import Site
from edge.resource import Representation, Resource, etag_of


def representation(body: bytes, in_memory: bool = True, variant: int = 0) -> Representation:
    """Of these bytes."""
    digest = sha256(body).digest()
    kept = body if in_memory else None
    return Representation(variant, etag_of(digest), digest, len(body), b"", b"", kept)


def site(*representations: Representation) -> Site:
    """One resource, ``/x``."""
    made = Site()
    made.put("x", PublishedFile((), True, (Resource(b"/x", 1, representations),), ()))
    return made


class Peer:
    """A fetcher whose bodies come from the test."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs
        self.asked: list[tuple[Wanted, bool]] = []

    async def fetch(self, wanted: Wanted, urgent: bool) -> None:
        self.asked.append((wanted, urgent))
        self.blobs.put(b"theirs")


class BodyStoreTests(SynchronousTestCase):
    """:class:`edge.node.bodies.store.BodyStore`."""

    def setUp(self) -> None:
        self.blobs = Blobs(self.mktemp())
        self.addCleanup(self.blobs.close)
        self.peer = Peer(self.blobs)
        self.store = BodyStore(self.blobs, self.peer)

    def test_a_damaged_blob_is_not_read_and_goes_so_that_it_is_fetched_again(self) -> None:
        theirs = representation(b"theirs")
        self.blobs.put(b"theirs")
        with open(self.blobs.path(theirs.etag), "wb") as file:
            file.write(b"THEIRS")
        self.assertIsNone(self.store.read(theirs.etag, 6))
        self.assertFalse(self.store.has(theirs.etag))

    def test_a_body_in_memory_is_found_by_the_entry_that_has_it(self) -> None:
        small, coded = representation(b"small"), representation(b"coded", variant=2)
        self.assertIsNone(self.store.find(small.digest, b"/x", 0))
        self.store.hold(site(small, coded))
        self.assertEqual(self.store.find(small.digest, b"/x", 0), b"small")
        self.assertEqual(self.store.find(coded.digest, b"/x", 2), b"coded")
        self.assertIsNone(self.store.find(small.digest, b"/x", 2))
        self.assertIsNone(self.store.find(small.digest, b"/y", 0))
        self.store.hold(Site())
        self.assertIsNone(self.store.find(small.digest, b"/x", 0))

    def test_a_blob_is_found_by_its_digest_whatever_the_entry(self) -> None:
        self.blobs.put(b"large")
        large = representation(b"large", in_memory=False)
        found = self.store.find(large.digest, b"/anything", 5)
        assert isinstance(found, str)
        self.assertEqual(Path(found).read_bytes(), b"large")

    def test_blobs_of_the_wrong_length_are_not_here(self) -> None:
        self.blobs.put(b"body")
        etag = representation(b"body").etag
        self.assertTrue(self.store.has(etag))
        self.assertTrue(self.store.has(etag, 4))
        self.assertFalse(self.store.has(etag, 5))
        self.assertEqual(self.store.read(etag, 4), b"body")
        for length in (3, 5):
            self.assertIsNone(self.store.read(etag, length))
        self.assertIsNone(self.store.read(representation(b"other").etag, 5))

    def test_a_spilled_body_stays_as_long_as_the_site_has_it(self) -> None:
        one = representation(b"spilled")
        self.store.hold(site(one))
        self.store.spill(one)
        for _ in range(3):
            self.store.collect(self.store.needed())
        self.assertTrue(self.store.has(one.etag, one.length))

    def test_a_spilled_body_that_the_site_has_no_more_goes(self) -> None:
        """A table without room, and pages that change: each version would stay until the restart."""
        one = representation(b"spilled")
        self.store.hold(site(one))
        self.store.spill(one)
        self.store.collect(self.store.needed())
        self.store.hold(site(representation(b"another")))
        for _ in range(2):
            self.store.collect(self.store.needed())
        self.assertFalse(self.store.has(one.etag))
        self.store.hold(site(one))
        self.store.spill(one)
        self.assertTrue(self.store.has(one.etag, one.length))

    def test_what_nothing_refers_to_is_collected_a_call_later(self) -> None:
        ours, theirs = representation(b"ours", in_memory=False), representation(b"theirs", in_memory=False)
        self.blobs.put(b"ours")
        self.blobs.put(b"theirs")
        self.store.hold(site(ours))
        for _ in range(2):
            self.store.collect(self.store.needed() | {theirs.etag})
            self.assertTrue(self.store.has(ours.etag) and self.store.has(theirs.etag))
        self.store.hold(Site())
        self.store.collect(self.store.needed())
        self.assertTrue(self.store.has(ours.etag) and self.store.has(theirs.etag))
        self.store.collect(set())
        self.assertFalse(self.store.has(ours.etag) or self.store.has(theirs.etag))

    def test_a_body_that_is_not_here_comes_from_the_peers(self) -> None:
        one = representation(b"theirs")
        wanted = Wanted(one.digest, one.length, b"/x", 0, "n2")
        self.successResultOf(Deferred.fromCoroutine(self.store.fetch(wanted, urgent=True)))
        self.assertEqual(self.peer.asked, [(wanted, True)])
        self.assertEqual(self.store.read(one.etag, one.length), b"theirs")

    def test_a_node_without_peers_says_so(self) -> None:
        alone = BodyStore(self.blobs)
        wanted = Wanted(bytes(32), 1, b"/x", 0, "n2")
        self.failureResultOf(Deferred.fromCoroutine(alone.fetch(wanted, urgent=True)), NoHolderError)
