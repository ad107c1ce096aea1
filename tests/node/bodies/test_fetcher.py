# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

from edge.node.bodies.fetcher import EXPLANATION_BYTES, BodyFetcher, FetchLimits
from edge.node.bodies.store import NoHolderError, Wanted
from edge.publish.blobs import Blobs
from edge.resource import etag_of

BODY = bytes(range(256)) * 40


class Response:
    """A response whose bytes the test sends."""

    def __init__(self, holder: str, start: int) -> None:
        self.holder, self.start = holder, start
        self.code = 206 if start else 200
        self.headers = Headers()
        self.paused = self.cut = False
        self.asked: Deferred[Response] = Deferred()
        self.protocol: Any = None
        if start:
            value = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
            self.headers.setRawHeaders("Content-Range", [value])

    def deliverBody(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.makeConnection(self)

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def loseConnection(self) -> None:
        self.cut = True

    def send(self, data: bytes, end: Exception | None = None) -> None:
        """The head if it has not come yet, *data*, and the end."""
        if self.protocol is None:
            self.asked.callback(self)
        if data:
            self.protocol.dataReceived(data)
        if end is not None:
            self.protocol.connectionLost(Failure(end))

    def finish(self) -> None:
        self.send(BODY[self.start :], ResponseDone())


class FetchingTests(SynchronousTestCase):
    """What is asked of whom, and what is believed."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.blobs = Blobs(self.mktemp())
        self.addCleanup(self.blobs.close)
        self.asked: list[Response] = []
        self.gone = ""
        self.fetcher = self.make()

    def make(self, **limits: Any) -> BodyFetcher:
        return BodyFetcher(self.blobs, self, self.holders, self.clock, FetchLimits(**limits))

    def holders(self, origin: str) -> list[str]:
        """Here the name of a body's origin is the names of all holders, a letter each."""
        return [holder for holder in origin if holder not in self.gone]

    def get(self, holder: str, target: str, headers: Mapping[str, str]) -> Deferred[Response]:
        start = int(headers.get("Range", "bytes=0-")[6:-1])
        self.asked.append(Response(holder, start))
        self.targets = target
        return self.asked[-1].asked

    def close(self) -> None:
        """Nothing is kept."""

    def fetch(self, body: bytes = BODY, holders: str = "ab", urgent: bool = True) -> Deferred[None]:
        wanted = Wanted(sha256(body).digest(), len(body), b"/a%20b+c", 1, holders)
        return Deferred.fromCoroutine(self.fetcher.fetch(wanted, urgent))

    def test_one_fetch_serves_all_callers(self) -> None:
        """And one who comes later is served from the disk."""
        first, second = self.fetch(), self.fetch()
        self.asked[0].finish()
        self.assertEqual(len(self.asked), 1)
        self.assertIn("?path=%2Fa%2520b%2Bc&variant=1", self.targets)
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(self.fetch())
        digest = sha256(BODY).digest()
        self.assertEqual(self.blobs.read(etag_of(digest), digest), BODY)
        self.assertEqual((self.fetcher.fetched, self.fetcher.running), (1, 0))

    def test_the_next_holder_resumes(self) -> None:
        """A holder breaks off twice; the other goes on at the byte reached."""
        done = self.fetch()
        self.asked[0].send(BODY[:1000], ConnectionLost())
        self.asked[1].send(BODY[1000:2000], ConnectionLost())
        self.assertEqual([(r.holder, r.start) for r in self.asked], [("a", 0), ("a", 1000), ("b", 2000)])
        self.asked[2].finish()
        self.successResultOf(done)
        self.assertEqual((self.fetcher.resumed, self.fetcher.failures), (2, 2))

    def test_wrong_bytes_are_refused(self) -> None:
        """Other bytes, too many, too few."""
        for number, wrong in enumerate((BODY[::-1], BODY + b"x", BODY[:-1]), 1):
            done = self.fetch()
            self.asked[-1].send(wrong, ResponseDone())
            self.assertEqual(self.asked[-1].holder, "b")
            self.asked[-1].send(b"", ResponseDone())
            self.failureResultOf(done, NoHolderError)
            self.assertEqual(self.fetcher.wrong_hash, 2 * number)

    def test_a_wrong_whole_of_two_is_fetched_again_from_one(self) -> None:
        """Nobody knows whose bytes were wrong."""
        done = self.fetch()
        self.asked[0].send(b"x" * 1000, ConnectionLost())
        self.asked[1].send(b"", ConnectionLost())
        self.asked[2].finish()
        self.assertEqual(self.asked[3].start, 0)
        self.asked[3].send(b"", ConnectionLost())
        self.assertEqual((self.asked[4].holder, self.asked[4].start), ("b", 0))
        self.asked[4].finish()
        self.successResultOf(done)

    def test_the_connection_of_a_holder_that_lacks_the_body_is_kept(self) -> None:
        """Its explanation is read; only one that is long, or does not end, cuts it off."""
        done = self.fetch(holders="abc")
        for number, said in enumerate((b"404 Not Found\n", b"x" * (EXPLANATION_BYTES + 1), b"404 No")):
            self.asked[number].code = 404
            self.asked[number].send(said)
            self.assertEqual(self.asked[number].cut, number == 1)
        self.asked[0].protocol.connectionLost(Failure(ResponseDone()))
        self.failureResultOf(done, NoHolderError)
        self.clock.advance(FetchLimits().patience_s)
        self.assertEqual([response.cut for response in self.asked], [False, True, True])

    def test_a_silent_holder_is_left(self) -> None:
        """Before its head, and in the middle of the body."""
        done = self.fetch()
        self.clock.advance(10)
        self.asked[1].send(BODY[:10])
        self.clock.advance(9)
        self.asked[1].send(BODY[10:20])
        self.clock.advance(9)
        self.assertTrue(self.asked[1].cut)  # it trickles
        self.asked[2].finish()
        self.successResultOf(done)

    def test_a_slow_holder_that_goes_on_is_not_left(self) -> None:
        body = bytes(100_000)
        done = self.fetch(body)
        for begin in range(0, len(body), 20_000):
            self.asked[0].send(body[begin : begin + 20_000])
            self.clock.advance(9)
        self.assertFalse(self.asked[0].cut)
        self.asked[0].send(b"", ResponseDone())
        self.successResultOf(done)

    def test_places_are_kept_for_urgent_fetches(self) -> None:
        """And an urgent caller takes a waiting background fetch along."""
        self.fetcher = self.make(parallel=4, per_holder=4)
        bodies = [b"%d" % n for n in range(6)]
        for body in bodies:
            self.fetch(body, "abcd", urgent=False)
        self.assertEqual((self.fetcher.running, self.fetcher.waiting), (3, 3))
        self.fetch(bodies[5], "abcd")
        self.assertEqual((self.fetcher.running, self.fetcher.waiting), (4, 2))
        self.assertIn(sha256(bodies[5]).hexdigest(), self.targets)

    def test_one_holder_is_not_asked_for_too_much(self) -> None:
        """What waits for its place gets it when another ends."""
        self.fetcher = self.make(per_holder=1)
        done = self.fetch(holders="a")
        self.fetch(b"other", holders="a")
        self.assertEqual(len(self.asked), 1)
        self.asked[0].finish()
        self.successResultOf(done)
        self.assertEqual(len(self.asked), 2)

    def test_background_fetches_are_slowed_until_somebody_waits(self) -> None:
        """The pause is no silence."""
        self.fetcher = self.make(bytes_per_second=100)
        self.fetch(urgent=False)
        self.asked[0].send(BODY[:2000])
        self.assertTrue(self.asked[0].paused)
        self.clock.advance(19.9)
        self.assertTrue(self.asked[0].paused)
        self.clock.advance(0.2)
        self.assertFalse(self.asked[0].paused)
        self.asked[0].send(BODY[2000:3000])
        self.assertTrue(self.asked[0].paused)
        self.fetch()
        self.assertFalse(self.asked[0].paused)
        self.assertFalse(self.asked[0].cut)

    def test_many_that_nobody_has_end_without_depth(self) -> None:
        """A long queue whose holders vanish."""
        waiting = [
            Deferred.fromCoroutine(
                self.fetcher.fetch(Wanted(sha256(b"%d" % n).digest(), 1, b"/", 0, "a"), False)
            )
            for n in range(3000)
        ]
        self.gone = "a"
        for response in self.asked[:]:
            response.asked.errback(ConnectionLost())
        for done in waiting:
            self.failureResultOf(done, NoHolderError)
        self.assertEqual((self.fetcher.running, self.fetcher.waiting), (0, 0))
