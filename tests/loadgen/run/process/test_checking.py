"""Whether answers are right: bodies, 304s, and versions that nobody may confirm any more."""

from __future__ import annotations

import gzip
from collections import Counter
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.resource import etag_of
from loadgen.models.calendar import TICKS
from loadgen.run.client.site import Site
from loadgen.run.messages.sitemap import CrawledResource, SiteMap
from loadgen.run.process.checking import AnswerChecker, StaleCandidate
from loadgen.wire.interface import CODINGS, OK, Answer

BOUND = TICKS
OLD, NEW = b"old body", b"new body"


def etag(body: bytes) -> bytes:
    return etag_of(sha256(body).digest())


def answer(status: int = 200, tag: bytes = b"") -> Answer:
    """One without a body: that is given beside it."""
    return Answer(1, 0, status, OK, 1, 1, 1, 1, 1, 1, 1, tag, -1, 0, 0)


class Case(SynchronousTestCase):
    """One resource, first published as OLD."""

    def setUp(self) -> None:
        self.site = Site(SiteMap([CrawledResource("/", "document", etag(OLD).decode(), len(OLD), -1)], [[0]]))
        self.resource = self.site.resources[0]
        self.counts: Counter[str] = Counter()
        self.candidates: list[StaleCandidate] = []
        self.checking = AnswerChecker(self.site, BOUND, 3, self.counts, self.candidates.append)

    def receive(self, body: bytes, at: int, asked: int | None = None) -> bool:
        """A 200 with *body* came at the tick *at*."""
        tag = etag(body)
        return self.checking.body(answer(200, tag), body, self.resource, at if asked is None else asked, at)

    def confirm(self, body: bytes, asked: int) -> None:
        """Somebody who asked then was told that *body* is current."""
        self.checking.confirmed(self.resource, etag(body), asked)

    def probe(self, *bodies: bytes | None, at: int = 10**6) -> None:
        """What each of the three nodes has; None: no answer."""
        candidate = self.candidates.pop(0)
        for body in bodies:
            self.checking.probed(candidate, None if body is None else answer(200, etag(body)), at)


class BodyTests(Case):
    """200."""

    def test_one_that_is_not_what_its_coding_says(self) -> None:
        """The ETag is that of the damaged bytes: whoever coded them had not looked."""
        for body, wrong in ((gzip.compress(NEW), 0), (gzip.compress(NEW)[:-4], 1)):
            coded = answer(200, etag(body))._replace(coding=CODINGS.index("gzip"))
            self.assertEqual(self.checking.body(coded, body, self.resource, 1, 1), not wrong)
            self.assertEqual(self.counts["wrong: a body that is not what its Content-Encoding says"], wrong)

    def test_one_that_passed_an_application_without_being_kept_is_looked_at_too(self) -> None:
        self.resource.is_shared = True
        body = gzip.compress(NEW)
        for sent, wrong in ((body, 0), (body[:-4], 1)):
            coded = answer()._replace(coding=CODINGS.index("gzip"))
            self.assertEqual(self.checking.body(coded, sent, self.resource, 1, 1), not wrong)
            self.assertEqual(self.counts["wrong_answers"], wrong)

    def test_the_right_bytes_without_their_coding(self) -> None:
        body = gzip.compress(OLD)
        self.assertFalse(self.checking.body(answer(200, etag(body)), body, self.resource, 1, 1))
        said = "wrong: something compressed, and no Content-Encoding says so"
        self.assertEqual(self.counts[said], 1)

    def test_what_is_published_is_right(self) -> None:
        self.assertTrue(self.receive(OLD, 10))
        self.assertEqual(self.counts, {})

    def test_a_body_that_is_not_what_its_etag_says_is_wrong(self) -> None:
        self.assertFalse(self.checking.body(answer(200, etag(OLD)), NEW, self.resource, 1, 2))
        self.assertEqual(self.counts["wrong_answers"], 1)
        self.assertEqual(self.counts["wrong: a body that is not what its ETag says"], 1)

    def test_a_body_cut_off_is_wrong(self) -> None:
        self.assertFalse(self.checking.body(answer(200, etag(OLD)), OLD[:-1], self.resource, 1, 2))

    def test_one_without_etag_is_wrong(self) -> None:
        self.assertFalse(self.checking.body(answer(200), OLD, self.resource, 1, 2))
        self.assertEqual(self.counts["wrong: a 200 without ETag"], 1)

    def test_a_new_one_is_a_new_version(self) -> None:
        self.assertTrue(self.receive(NEW, 500))
        self.assertEqual((self.resource.current, self.resource.superseded(etag(OLD))), (etag(NEW), 500))
        self.assertEqual((self.site.changed, self.counts, self.candidates), (500, {"new_versions": 1}, []))

    def test_a_new_answer_of_an_application_is_nothing_that_was_published(self) -> None:
        """It is the current one from then on."""
        self.resource.is_shared = True
        self.assertTrue(self.receive(NEW, 500))
        self.assertEqual((self.resource.current, +self.counts), (etag(NEW), {}))


class NotModifiedTests(Case):
    """304."""

    def test_what_was_asked_about_is_confirmed(self) -> None:
        for tag in (etag(OLD), b""):
            self.checking.not_modified(answer(304, tag), self.resource, etag(OLD), 10)
        self.assertEqual(self.counts, {})

    def test_another_version_is_wrong(self) -> None:
        self.checking.not_modified(answer(304, etag(NEW)), self.resource, etag(OLD), 10)
        self.assertEqual(self.counts["wrong: a 304 for another version"], 1)

    def test_one_that_nobody_asked_for_is_wrong(self) -> None:
        self.checking.not_modified(answer(304, etag(OLD)), self.resource, b"", 10)
        self.assertEqual(self.counts["wrong_answers"], 1)

    def test_a_superseded_one_is_suspicious_as_well(self) -> None:
        self.receive(NEW, 500)
        self.checking.not_modified(answer(304), self.resource, etag(OLD), 501 + BOUND)
        self.assertEqual(len(self.candidates), 1)


class StaleTests(Case):
    """Old versions."""

    def setUp(self) -> None:
        super().setUp()
        self.receive(NEW, 500)

    def test_within_the_bound_nodes_may_not_know_yet(self) -> None:
        self.confirm(OLD, 500 + BOUND)
        self.assertTrue(self.receive(OLD, 600 + BOUND, asked=500 + BOUND))
        self.assertEqual((self.candidates, self.counts), ([], {"new_versions": 1}))

    def test_it_counts_when_it_was_asked_for_not_when_the_answer_came(self) -> None:
        self.receive(OLD, 500 + 5 * BOUND, asked=499)
        self.assertEqual(self.candidates, [])

    def test_after_it_every_node_is_asked_and_then_it_counts(self) -> None:
        self.confirm(OLD, 501 + BOUND)
        self.assertEqual(self.counts, {"new_versions": 1})
        self.probe(NEW, OLD, NEW)
        self.assertEqual(self.counts, {"new_versions": 1, "stale_confirmations": 1})
        self.assertEqual(self.resource.current, etag(NEW))

    def test_a_body_that_is_old_is_no_better_than_a_confirmation(self) -> None:
        self.receive(OLD, 501 + BOUND)
        self.probe(NEW, NEW, NEW)
        self.assertEqual(self.counts["stale_confirmations"], 1)

    def test_while_nodes_are_asked_nobody_asks_again(self) -> None:
        for later in range(1, 50):
            self.confirm(OLD, 500 + BOUND + later)
        self.assertEqual(len(self.candidates), 1)
        self.probe(NEW, NEW, NEW)
        self.confirm(OLD, 10**7)
        self.assertEqual(len(self.candidates), 1)

    def test_a_site_that_went_back_to_the_old_version_is_not_stale(self) -> None:
        self.confirm(OLD, 501 + BOUND)
        self.probe(OLD, OLD, NEW, at=90_000)
        self.assertEqual(self.counts, {"new_versions": 1})
        self.assertEqual((self.resource.current, self.resource.superseded(etag(NEW))), (etag(OLD), 90_000))
        self.confirm(OLD, 10**7)
        self.assertEqual(self.candidates, [])

    def test_after_going_back_the_other_version_is_the_old_one(self) -> None:
        self.confirm(OLD, 501 + BOUND)
        self.probe(OLD, OLD, OLD, at=90_000)
        self.confirm(NEW, 90_001 + BOUND)
        self.probe(OLD, OLD, OLD)
        self.assertEqual(self.counts["stale_confirmations"], 1)

    def test_nodes_that_do_not_say_do_not_excuse_it(self) -> None:
        for bodies in ((None, None, None), (None, OLD, NEW), (None, NEW, None)):
            self.confirm(OLD, 501 + BOUND)
            self.probe(*bodies)
        self.assertEqual(self.counts["stale_confirmations"], 3)

    def test_a_version_that_nobody_has_seen_is_no_old_one(self) -> None:
        self.checking.confirmed(self.resource, b"unheard of", 10**9)
        self.assertEqual(self.candidates, [])

    @given(st.permutations([OLD, NEW, None]), st.integers(0, 3 * BOUND))
    def test_one_vote_each_in_any_order(self, bodies: list[bytes | None], after: int) -> None:
        """A tie is no majority."""
        self.setUp()
        self.confirm(OLD, 500 + after)
        self.assertEqual(len(self.candidates), int(after > BOUND))
        if self.candidates:
            self.probe(*bodies)
            self.assertEqual(self.counts["stale_confirmations"], 1)
