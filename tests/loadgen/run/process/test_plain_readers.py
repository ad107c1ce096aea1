"""Browsers without the smart client, on a wire in memory: what they ask of any server, and what they keep."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import LoadgenError
from loadgen.models.calendar import TICKS
from loadgen.models.draws import uniform
from loadgen.models.http_caching import read
from loadgen.models.users import Users
from loadgen.run.client.choosing import Choosing
from loadgen.run.client.clock import Clock
from loadgen.run.client.heads import BrowserHeads
from loadgen.run.client.private_cache import PrivateCache
from loadgen.run.client.sender import LogicalRequest, Sender
from loadgen.run.messages.scenario import Mutations
from loadgen.run.messages.sitemap import CrawledResource, SiteMap
from loadgen.run.process.plain_readers import READING_NS, PlainReaders
from loadgen.run.process.sessions import SessionParts
from loadgen.wire.interface import CLOSED, CODINGS, Answer
from tests.loadgen.run.memory_wire import MemoryWire, Sent
from tests.loadgen.run.process.visit import START, Plan

ORIGIN = "https://example.org"
DATE = "Thu, 26 Nov 2026 12:00:00 GMT"
OLD, NEW = "Thu, 26 Nov 2026 11:59:00 GMT", "Thu, 26 Nov 2026 11:59:30 GMT"
#: Paths, and the fields that the server gives them.
FIELDS = {
    "/": {"etag": 'W/"home1"', "cache-control": "no-cache"},
    "/a.css": {"etag": '"css1"', "cache-control": "max-age=60"},
    "/b.png": {"last-modified": OLD, "expires": "0"},
    "/c.js": {"etag": '"js1"', "last-modified": OLD, "date": DATE, "cache-control": "no-store"},
    "/other": {},
}
KINDS = {"/": "document", "/other": "document", "/a.css": "style", "/b.png": "image", "/c.js": "script"}
HOME, OTHER = 0, 1


def site(**changed: dict[str, str]) -> SiteMap:
    """Two pages; *changed*: other fields of a path, its slash and dot left out."""
    resources = []
    for path, fields in FIELDS.items():
        caching = read(changed.get(re.sub(r"\W", "", path), fields))
        resources.append(
            CrawledResource(path, KINDS[path], caching.etag, 1, caching.lifetime_s, caching=caching)
        )
    return SiteMap(resources, [[0, 1, 2, 3], [4, 1]])


class Reading:
    """Readers, and a server that answers them as a test says."""

    def __init__(
        self,
        pages: Iterable[int] = (),
        found: SiteMap | None = None,
        mutations: Mutations | None = None,
        warm: int = 0,
    ) -> None:
        self.clock = Clock(START)
        self.wire = MemoryWire(self.clock)
        self.counts: Counter[str] = Counter()
        users = Users(2, 1)
        found = found or site()
        if warm:
            users.warm(1.0, 1, [1.0, 0.0], warm, np.random.default_rng(1))
        random = uniform(np.random.default_rng(1))
        looked = iter(pages)
        self.sender = Sender(
            self.wire, self.clock, users, Choosing(users, "one", [ORIGIN], random), BrowserHeads([ORIGIN]),
            random, self.counts,
        )  # fmt: skip
        self.recorded: list[tuple[LogicalRequest, Answer | None, str, int]] = []
        self.users = users
        self.readers = PlainReaders(
            PrivateCache(found, users), ORIGIN,
            SessionParts(
                users, Plan(),  # type: ignore[arg-type]
                self.sender, self.clock, self.wire, self.counts,
                {"think": lambda: 1.0, "pages": lambda: 1000, "page": lambda: next(looked, HOME)}
                | {"uniform": random},
                lambda *ended: self.recorded.append(ended), mutations,
            ),
        )  # fmt: skip

    def view(self, user: int = 0) -> list[str]:
        """What *user* asks for at once."""
        before, tick = len(self.wire.sent), self.clock.tick(self.clock.now)
        if not self.users.active[user]:
            self.readers.arrive(user, tick)
        self.readers.view(user, tick)
        return [sent.line for sent in self.wire.sent[before:]]

    def answer(self, sent: Sent, status: int = 200, body: bytes = b"x", **fields: object) -> None:
        """*fields*: of the answer, like max_age."""
        etag = fields.pop("etag", b"")
        assert isinstance(etag, bytes)
        answer = self.wire.answer(sent, status, b"" if status == 304 else body, etag)
        self.sender.answered(answer._replace(**fields))  # type: ignore[arg-type]

    def respond_to_all(self) -> list[str]:
        """304 to whoever asks, 200 as crawled to the others; what followed."""
        before = len(self.wire.sent)
        while self.wire.waiting():
            sent = self.wire.waiting()[0]
            fields = read(FIELDS[sent.line.split()[1]])
            max_age = fields.lifetime_s if fields.is_explicit and fields.lifetime_s else -1
            status = 304 if b"\r\nIf-" in sent.request else 200
            self.answer(
                sent, status, etag=fields.etag.encode(), weak=int(fields.is_weak), max_age=max_age,
                modified=fields.modified.encode(),
            )  # fmt: skip
        return [sent.line for sent in self.wire.sent[before:]]

    def load(self, user: int = 0) -> list[str]:
        """A whole page view; what it asked for."""
        return self.view(user) + self.respond_to_all()

    def conditions(self, sent: Sent) -> list[bytes]:
        """The conditional header lines of *sent*."""
        return [line for line in sent.request.split(b"\r\n") if line.startswith(b"If-")]

    def pass_time(self, seconds: float) -> None:
        self.clock.now += round(seconds * 1e9)


class PageViewTests(SynchronousTestCase):
    """What is asked for, and when."""

    def test_the_page_comes_first_then_what_belongs_to_it(self) -> None:
        reading = Reading()
        self.assertEqual(reading.view(), ["GET /"])
        self.assertEqual(reading.respond_to_all(), ["GET /a.css", "GET /b.png", "GET /c.js"])
        self.assertEqual({sent.due for sent in reading.wire.sent[1:]}, {reading.clock.now + READING_NS})
        self.assertEqual((reading.counts["bodies"], reading.counts["requests"]), (4, 4))
        self.assertFalse(any(b"/.edge/" in sent.request for sent in reading.wire.sent))
        self.assertEqual([reason for _, _, reason, _ in reading.recorded], [""] * 4)

    def test_what_is_stored_is_validated_by_what_the_server_gave(self) -> None:
        """Word for word; what is fresh is not asked for, and what may not be stored is fetched again."""
        reading = Reading()
        reading.load()
        reading.wire.sent.clear()
        self.assertEqual(reading.load(), ["GET /", "GET /b.png", "GET /c.js"])
        home, picture, script = reading.wire.sent
        self.assertEqual(reading.conditions(home), [b'If-None-Match: W/"home1"'])
        self.assertEqual(reading.conditions(picture), [b"If-Modified-Since: " + OLD.encode()])
        self.assertEqual(reading.conditions(script), [])
        self.assertEqual((reading.counts["not_modified"], reading.counts["fresh_hits"]), (2, 1))

    def test_fresh_ends_with_the_lifetime_of_the_resource_itself(self) -> None:
        """Views of its page in between do not make it fresh for longer."""
        reading = Reading()
        reading.load()
        for _ in range(3):
            reading.pass_time(19)
            self.assertNotIn("GET /a.css", reading.load())
        reading.pass_time(19)
        self.assertIn("GET /a.css", reading.load())
        reading.pass_time(19)
        self.assertNotIn("GET /a.css", reading.load())

    def test_age_counts_and_so_does_what_the_answer_itself_says(self) -> None:
        reading = Reading()
        reading.view()
        reading.answer(reading.wire.sent[0])
        style = next(sent for sent in reading.wire.sent if "a.css" in sent.line)
        reading.answer(style, etag=b"css1", max_age=100, age=90)
        reading.respond_to_all()
        reading.pass_time(9)
        self.assertNotIn("GET /a.css", reading.load())
        reading.pass_time(2)
        self.assertIn("GET /a.css", reading.load())

    def test_a_page_that_is_fresh_needs_no_request_and_its_parts_are_looked_at(self) -> None:
        reading = Reading(found=site(**{"": {"etag": '"h"', "cache-control": "max-age=60"}}))
        reading.view()
        reading.answer(reading.wire.sent[0], etag=b"h", max_age=60)
        reading.respond_to_all()
        self.assertEqual(reading.view(), ["GET /b.png", "GET /c.js"])

    def test_what_varies_with_the_page_is_never_used_unasked(self) -> None:
        fields = {"etag": '"v"', "cache-control": "max-age=60", "vary": "Referer"}
        reading = Reading(found=site(acss=fields))
        reading.view()
        reading.answer(reading.wire.sent[0])
        reading.answer(reading.wire.sent[1], etag=b"v", max_age=60)
        reading.respond_to_all()
        self.assertIn("GET /a.css", reading.load())
        self.assertIn(b"Referer: https://example.org/\r\n", reading.wire.sent[1].request)
        self.assertNotIn(b"Referer", reading.wire.sent[0].request)

    def test_each_reader_has_a_cache_of_its_own_and_pages_share_it(self) -> None:
        reading = Reading(pages=[HOME, OTHER, HOME])
        reading.load(0)
        self.assertEqual(reading.load(0), ["GET /other"])
        self.assertIn("GET /a.css", reading.load(1))

    def test_who_has_been_here_before_has_what_was_crawled(self) -> None:
        """Everything is an hour old at most, so what is fresh for a minute may not be any more."""
        reading = Reading(warm=TICKS)
        reading.view()
        self.assertEqual(reading.conditions(reading.wire.sent[0]), [b'If-None-Match: W/"home1"'])
        self.assertNotIn("GET /a.css", reading.respond_to_all())

    def test_the_browser_of_whoever_fails_does_not_ask_again(self) -> None:
        reading = Reading()
        reading.view()
        reading.answer(reading.wire.sent[0], 503)
        reading.view()
        reading.sender.answered(reading.wire.answer(reading.wire.sent[1], 0, error=CLOSED))
        reading.sender.turn(reading.clock.now + 10**10)
        self.assertEqual(len(reading.wire.sent), 2)
        self.assertEqual([reason for _, _, reason, _ in reading.recorded], ["status 503", "closed early"])
        self.assertEqual(reading.counts["failed"], 2)

    def test_what_changes_something_is_sent_with_a_key(self) -> None:
        reading = Reading(mutations=Mutations(path="/cart", share=1.0))
        self.assertEqual(reading.view(), ["GET /", "POST /cart"])
        self.assertIn(b"Idempotency-Key: ", reading.wire.sent[1].request)


class VersionTests(SynchronousTestCase):
    """What becomes of new validators."""

    def test_a_new_version_is_validated_from_then_on(self) -> None:
        reading = Reading()
        reading.load()
        reading.view()
        reading.answer(reading.wire.sent[-1], etag=b"home2", weak=0, modified=NEW.encode())
        reading.respond_to_all()
        reading.view()
        lines = [b'If-None-Match: "home2"', b"If-Modified-Since: " + NEW.encode()]
        self.assertEqual(reading.conditions(reading.wire.sent[-1]), lines)

    def test_an_answer_of_its_own_for_each_costs_bounded_memory(self) -> None:
        """And everybody validates what they got; whoever has what is forgotten fetches."""
        reading = Reading(pages=[OTHER] * 10_000)
        reading.view(1)
        reading.answer(reading.wire.sent[-1], etag=b"mine")
        reading.respond_to_all()
        for number in range(4200):
            reading.view(0)
            if number:
                tag = b'If-None-Match: "t%d"' % (number - 1)
                self.assertEqual(reading.conditions(reading.wire.sent[-1]), [tag])
            reading.answer(reading.wire.sent[-1], etag=b"t%d" % number)
            reading.respond_to_all()
            reading.wire.sent.clear()
        reading.view(1)
        self.assertEqual(reading.conditions(reading.wire.sent[-1]), [])


class WrongAnswerTests(SynchronousTestCase):
    """What no server may say."""

    def wrong(self, reading: Reading) -> list[str]:
        return [name for name in reading.counts if name.startswith("wrong: ")]

    def test_a_304_that_nobody_asked_for(self) -> None:
        reading = Reading()
        reading.view()
        reading.answer(reading.wire.sent[0], 304)
        self.assertEqual(self.wrong(reading), ["wrong: a 304 that nobody asked for"])

    def test_a_304_for_another_version(self) -> None:
        reading = Reading()
        reading.load()
        reading.view()
        reading.answer(reading.wire.sent[-1], 304, etag=b"another")
        self.assertEqual(self.wrong(reading), ["wrong: a 304 for another version"])

    def test_another_body_under_the_same_strong_etag(self) -> None:
        """Under a weak one it may be."""
        for weak, wrong in ((1, []), (0, ["wrong: another body under the same strong ETag"])):
            reading = Reading()
            for user in (0, 1):
                reading.view(user)
                reading.answer(reading.wire.sent[-1], body=b"%d" % user, etag=b"same", weak=weak)
                reading.respond_to_all()
            self.assertEqual(self.wrong(reading), wrong)

    def test_a_body_that_is_not_what_its_coding_says(self) -> None:
        """Garbage, or an end that came too early; told each time, and right ones are decoded once."""
        whole = gzip.compress(b"<h1>home</h1>" * 20)
        said = "wrong: a body that is not what its Content-Encoding says"
        for body, wrong in ((whole, 0), (whole[:-5], 2), (b"<h1>500</h1>", 2)):
            reading = Reading()
            for user in (0, 1):
                reading.view(user)
                reading.answer(reading.wire.sent[-1], body=body, coding=CODINGS.index("gzip"))
            self.assertEqual(reading.counts[said], wrong)

    def test_codings_unknown_here_are_not_judged(self) -> None:
        reading = Reading()
        reading.view()
        reading.answer(reading.wire.sent[-1], coding=len(CODINGS) - 1)
        self.assertEqual(self.wrong(reading), [])

    def test_a_page_without_a_body_where_there_was_one(self) -> None:
        reading = Reading()
        reading.view()
        reading.answer(reading.wire.sent[-1], body=b"")
        self.assertEqual(self.wrong(reading), ["wrong: a page without a body"])

    def test_one_body_for_a_page_and_for_what_it_uses(self) -> None:
        """The crawl has found two: what comes now is a page of maintenance, for all addresses."""
        found = site()
        for number, resource in enumerate(found.resources):
            resource.size = 1000 + number
        reading = Reading(found=found)
        reading.view()
        while reading.wire.waiting():
            reading.answer(reading.wire.waiting()[0], body=b"<h1>We are back soon</h1>")
        self.assertEqual(self.wrong(reading), ["wrong: one body for a page and for what it uses"])

    def pages(self, sizes: tuple[int, int], *bodies: bytes) -> list[str]:
        """What is wrong if both pages, crawled with these sizes, have these bodies."""
        found = site()
        for number, size in zip((0, 4), sizes, strict=True):
            found.resources[number].size = size
        reading = Reading((HOME, OTHER), found=found)
        for body in bodies:
            reading.view()
            reading.answer(reading.wire.waiting()[0], body=body)
            reading.respond_to_all()
        return self.wrong(reading)

    def test_one_body_for_several_pages(self) -> None:
        """An error, with status 200; what the pages use comes as it was."""
        page = b"<h1>We are back soon</h1>"
        self.assertEqual(self.pages((1000, 5000), page, page), ["wrong: one body for several pages"])
        self.assertEqual(self.pages((1000, 5000), page, page + b"."), [])

    def test_pages_that_the_crawl_found_alike_may_be_alike(self) -> None:
        """Two addresses of one page, of another size since; a shell that says how long it took."""
        page = b"<div id=app></div>" * 10
        self.assertEqual(self.pages((1000, 1000), page, page), [])
        self.assertEqual(self.pages((len(page), len(page) + 1), page, page), [])

    def test_a_page_of_html_instead_of_what_a_page_uses(self) -> None:
        reading = Reading()
        reading.view()
        while reading.wire.waiting():
            sent = reading.wire.waiting()[0]
            reading.answer(sent, body=b"<!doctype html><h1>home</h1>" + b"." * len(reading.wire.sent))
        self.assertEqual(self.wrong(reading), ["wrong: a page of HTML instead of what a page uses"])

    def test_one_body_for_all_where_the_crawl_found_one_is_as_it_should_be(self) -> None:
        """An application that answers every path with its shell."""
        reading = Reading()
        reading.view()
        while reading.wire.waiting():
            reading.answer(reading.wire.waiting()[0], body=b"<div id=app></div>")
        self.assertEqual(self.wrong(reading), [])


class MemoryTests(SynchronousTestCase):
    """What caches cost."""

    def test_more_than_there_is_gets_a_sentence(self) -> None:
        users = Users(1, 1)
        users.count = 1 << 60
        with self.assertRaisesRegex(LoadgenError, "no memory for the caches of .* take fewer users"):
            PrivateCache(site(), users)
