"""Bodies that entries of other nodes lack: fetched in the background, and for clients that wait."""

from __future__ import annotations

from hashlib import sha256

from twisted.internet.defer import Deferred

from edge.node.bodies.store import NoHolderError
from edge.node.cluster import missing_bodies as module
from edge.node.cluster.missing_bodies import LIMIT, RETRY_SECONDS
from edge.resource import etag_of
from tests.node.cluster.table import TableTestCase


class MissingBodiesTests(TableTestCase):
    """Background and urgent fetches."""

    def test_a_client_that_waits_is_served_first_and_learns_of_failure(self) -> None:
        self.published_there(b"/x", b"theirs")
        etag = etag_of(sha256(b"theirs").digest())
        found = Deferred.fromCoroutine(self.missing.fetch(b"/x", etag))
        self.assertTrue(self.peers.asked[0][1])
        self.peers.answers[0].callback(b"theirs")
        self.assertTrue(self.successResultOf(found))
        unknown = Deferred.fromCoroutine(self.missing.fetch(b"/x", b"another etag...."))
        self.assertFalse(self.successResultOf(unknown))
        self.assertEqual(len(self.peers.asked), 1)

    def test_what_nobody_had_is_tried_again(self) -> None:
        self.table.apply(self.published_there(b"/x", b"theirs"))
        self.reactor.settle()
        self.peers.answers[0].errback(NoHolderError("nobody"))
        self.reactor.settle()
        self.assertEqual((len(self.peers.asked), len(self.missing)), (1, 0))
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual((len(self.peers.asked), len(self.missing)), (2, 1))

    def test_however_many_nobody_had_one_call_tries_them_all_again(self) -> None:
        for number in range(30):
            self.table.apply(self.published_there(b"/%d" % number, b"%d" % number))
        self.reactor.settle()
        answered = 0
        while answered < len(self.peers.answers):
            self.peers.answers[answered].errback(NoHolderError("nobody"))
            answered += 1
            self.reactor.settle()
        self.assertEqual((answered, len(self.missing)), (30, 0))
        waiting = self.reactor.waiting
        self.reactor.advance(RETRY_SECONDS)
        self.assertEqual((len(self.peers.asked), len(self.missing)), (46, 30))
        self.assertLessEqual(waiting, 3)

    def test_of_very_many_that_nobody_had_those_beyond_are_looked_for_later(self) -> None:
        self.patch(module, "LIMIT", 2)
        for number in range(5):
            self.table.apply(self.published_there(b"/%d" % number, b"%d" % number))
        asked: set[bytes] = set()
        for _ in range(200):
            self.reactor.settle()
            for answer in self.peers.answers:
                if not answer.called:
                    answer.errback(NoHolderError("nobody"))
            asked |= {wanted.path for wanted, _ in self.peers.asked}
            self.reactor.advance(RETRY_SECONDS / 50)
        self.assertEqual(len(asked), 5)

    def test_only_so_many_are_in_hand_at_once(self) -> None:
        for number in range(40):
            self.table.apply(self.published_there(b"/%d" % number, b"%d" % number))
        self.reactor.settle()
        self.assertEqual((len(self.peers.asked), len(self.missing)), (16, 40))
        for number in range(16):
            self.peers.answers[number].callback(b"not asked for")
        self.reactor.settle()
        self.assertEqual(len(self.peers.asked), 32)

    def test_beyond_what_is_remembered_all_paths_are_looked_through(self) -> None:
        self.published_there(b"/forgotten", b"theirs")
        for number in range(LIMIT):
            self.missing.add(b"/unknown%d" % number)  # nothing is published there: passed over
        self.missing.add(b"/forgotten")
        self.missing.start()
        self.reactor.settle()
        while not self.peers.asked and self.reactor.waiting:
            self.reactor.advance(0.01)
        self.assertEqual([wanted.path for wanted, _ in self.peers.asked], [b"/forgotten"])
