"""Virtual users: page views, each with the requests that a smart client makes for it.

Everything of a page that is kept is confirmed by one ``POST /.edge/revalidate``, or a conditional GET
where it is a single thing; what is fresh needs no request; what is not kept is fetched, assets after the
page that names them, and those that another page brought are confirmed then.  Whoever comes for the first
time fetches the smart client, too.

Ticks, see :mod:`loadgen.models.calendar`.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from edge.load.document import decode as decode_load
from loadgen.run.client.browser_cache import BrowserCache, CacheLookup
from loadgen.run.client.choosing import Choosing
from loadgen.run.client.sender import LogicalRequest
from loadgen.run.client.site import Page, Resource, Site
from loadgen.run.messages.scenario import Mutations
from loadgen.run.process.checking import AnswerChecker, StaleCandidate
from loadgen.run.process.sessions import SessionParts, Sessions
from loadgen.wire.interface import Answer

#: Purposes of requests; those below 0 (MUTATION, too) are not worth a second request.
BATCH, PAGE, ASSET, NEWER, PROBE, FEED, LOAD = 0, 1, 2, 3, -2, -3, -4

#: A node makes a load document so often, and pushes it.
_FEED_NS = 250_000_000

#: From the last byte of an answer to the requests that follow from it: a browser has to read it first.
READING_NS = 4_000_000

#: A node tells those who follow a group within that time, if they are few (edge/cache/followers.py).
_TELLING_NS = 100_000_000
#: Users that are looked at to find one who has a page open.
_TRIES = 10

_NOTHING_STALE = b'"stale":[]}'
#: What decoding something else than was expected can raise.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_GONE = (404, 410)
_REVALIDATE, _LOAD = b"/.edge/revalidate", b"/.edge/load"


class BatchAnswer(msgspec.Struct):
    """A node's answer to a batch revalidation: the lines that are not current."""

    stale: list[int]


_BATCH_ANSWER = msgspec.json.Decoder(BatchAnswer)


class VirtualUsers(Sessions):
    """The virtual users of a process: what each asks, and what becomes of the answers."""

    def __init__(
        self, site: Site, choosing: Choosing, parts: SessionParts, stale_ticks: int, informed: int = 0
    ) -> None:
        """*informed*: how many users have a WebSocket, and so always the newest load document.

        Their sockets are held by other processes (:mod:`loadgen.run.process.subscriber_engine`); here it is
        read once for all of them.
        """
        super().__init__(parts)
        self._site, self._choosing = site, choosing
        self._touched = _touched(site, parts.mutations)
        self._checker = AnswerChecker(site, stale_ticks, self._users.nodes, self._counts, self._probe)
        self._cache = BrowserCache(site, self._users)
        self._documents: dict[bytes, int] = {}
        self._informed = informed
        self._newest = self._reader = 0
        self._feed_at = 0

    # ---- Sessions's overrides ----

    def _visit(self, user: int, page: int, tick: int) -> None:
        planned = self._clock.ns(tick)
        self._look(user, self._site.pages[page], tick, planned)
        if user < self._informed:
            if self._newest:
                self._choosing.learn(user, self._newest, tick)
        elif self._choosing.reads_load and self._choosing.is_due(user, tick):
            self._counts["load_polls"] += 1
            self._send(LogicalRequest(user, LOAD, planned, _LOAD, "fetch", self._ended))

    def keep_informed(self, now: int) -> None:
        """Read, once for all, the load document that users with sockets are pushed; *now*: nanoseconds."""
        if self._informed and self._choosing.reads_load and now >= self._feed_at:
            self._feed_at = now + _FEED_NS
            self._reader = user = (self._reader + 1) % self._informed
            request = LogicalRequest(user, FEED, now, _LOAD, "fetch", self._fed)
            self._sender.send_to(request, user % self._users.nodes)

    def _send(self, request: LogicalRequest) -> None:
        """Send *request*; the user's connections stay open while it waits for an answer."""
        self._users.waiting[request.user] += 1
        self._sender.send(request)

    def _told(self, answer: Answer) -> None:
        users, left = self._users, self._mutations.readers if self._mutations and self._touched else 0
        count = len(users.active)
        for _ in range(_TRIES * left):
            user = int(self._uniform() * count)
            page = self._open(user) if left and users.active[user] else None
            if page is None:
                continue
            left -= 1
            then = answer.done + int(self._uniform() * _TELLING_NS)
            for part in page.parts:
                if part in self._touched:
                    self._counts["live"] += 1
                    resource = self._site.resources[part]
                    self._get(user, NEWER, resource, then, resource.at(self._clock.tick(answer.begun)), page)

    def _open(self, user: int) -> Page | None:
        """A page that *user* has, and on which something changes; None: there is none."""
        for kept in self._users.kept(user):
            if kept < len(self._site.pages) and not self._touched.isdisjoint(self._site.pages[kept].all):
                return self._site.pages[kept]
        return None

    # ---- page views ----

    def _look(self, user: int, page: Page, tick: int, planned: int) -> None:
        """Ask for what is missing of *page*, and whether what is kept of it is current."""
        lookup = self._cache.look(user, page, tick)
        self._counts["fresh_hits"] += lookup.fresh
        if lookup.missing:
            self._get(user, PAGE, self._site.resources[page.number], planned, b"", (page, lookup))
        else:
            self._confirm(user, page, lookup, planned)

    def _confirm(self, user: int, page: Page, lookup: CacheLookup, planned: int) -> None:
        """Revalidate what was kept of *page*."""
        resources, parts = self._site.resources, lookup.parts
        if len(parts) == 1:
            resource = resources[parts[0]]
            self._get(user, NEWER, resource, planned, resource.at(lookup.ats[0]), page)
        elif parts:
            self._counts["batches"] += 1
            self._counts["validators"] += len(parts)
            body = lookup.body or self._cache.batch(lookup)
            about = page, lookup
            self._send(
                LogicalRequest(user, BATCH, planned, _REVALIDATE, "post", self._ended, body=body, about=about)
            )

    def _get(
        self, user: int, purpose: int, resource: Resource, planned: int, etag: bytes, about: object
    ) -> None:
        request = LogicalRequest(
            user, purpose, planned, resource.path, resource.kind, self._ended, etag, about=(resource, about)
        )
        self._send(request)

    # ---- answers ----

    def _probed(self, request: LogicalRequest, answer: Answer | None) -> None:
        """Take what one node says of a stale candidate."""
        if answer is not None:
            now = self._clock.tick(self._clock.now)
            self._checker.probed(request.about, None if answer.error else answer, now)

    def _fed(self, request: LogicalRequest, answer: Answer | None) -> None:
        """Take the load document that users with sockets know from now on."""
        if answer is not None and not answer.error and answer.status == 200:
            self._newest = self._document(answer) or self._newest

    def _judge(self, request: LogicalRequest, answer: Answer) -> str:
        if answer.status not in (200, 304):
            if request.purpose == NEWER and answer.status in _GONE:
                self._gone(request.user, *request.about)
            return f"status {answer.status}"
        if request.purpose == BATCH:
            return self._batched(request, answer)
        if request.purpose == LOAD:
            return self._learned(request, answer)
        return self._fetched(request, answer)

    def _gone(self, user: int, resource: Resource, page: Page) -> None:
        """Forget a page that is not there any more, as the smart client does."""
        if resource is self._site.resources[page.number]:
            self._users.forget(user, page.index)

    def _batched(self, request: LogicalRequest, answer: Answer) -> str:
        page, lookup = request.about
        parts, ats = lookup.parts, lookup.ats
        body = self._body(answer)
        if body.endswith(_NOTHING_STALE):
            stale: Iterable[int] = ()
        else:
            try:
                stale = _stale(body, len(parts))
            except (*_UNREADABLE, ValueError):
                self._checker.wrong("a batch without a list of what is stale")
                return ""
        old = set(stale)
        self._counts["not_modified"] += len(parts) - len(old)
        resources = self._site.resources
        shared = sum(resources[part].is_shared for place, part in enumerate(parts) if place not in old)
        self._counts["confirmed_answers"] += shared
        if old or min(ats) < self._site.changed:
            asked, then = self._clock.tick(answer.begun), answer.done + READING_NS
            for place, (part, at) in enumerate(zip(parts, ats, strict=True)):
                resource = resources[part]
                if place in old:
                    self._get(request.user, NEWER, resource, then, resource.at(at), page)
                else:
                    self._checker.confirmed(resource, resource.at(at), asked)
        self._users.keep(request.user, page.index, self._clock.tick(answer.begun))
        return ""

    def _learned(self, request: LogicalRequest, answer: Answer) -> str:
        number = self._document(answer)
        if number:
            self._choosing.learn(request.user, number, self._clock.tick(answer.done))
        return ""

    def _document(self, answer: Answer) -> int:
        """The number of the load document that came; 0: it is none."""
        number = self._documents.get(answer.etag, 0) if answer.etag else 0
        if not number:
            try:
                number = self._choosing.publish(decode_load(self._body(answer)))
            except _UNREADABLE:
                self._checker.wrong("a load document that is none")
                return 0
            if len(self._documents) > 1000:
                self._documents.clear()
            self._documents[answer.etag] = number
        return number

    def _fetched(self, request: LogicalRequest, answer: Answer) -> str:
        resource, about = request.about
        asked, now = self._clock.tick(answer.begun), self._clock.tick(answer.done)
        if answer.status == 304:
            self._counts["not_modified"] += 1
            self._checker.not_modified(answer, resource, request.etag, asked)
        else:
            self._counts["bodies"] += 1
            self._checker.body(answer, self._body(answer), resource, asked, now)
        if request.purpose == PAGE:
            page, lookup = about
            self._users.keep(request.user, page.index, now)
            then = answer.done + READING_NS
            for part in lookup.missing:
                if part != page.number:
                    self._get(request.user, ASSET, self._site.resources[part], then, b"", None)
            self._confirm(request.user, page, lookup, then)
        elif request.purpose == NEWER:
            self._users.keep(request.user, about.index, asked if answer.status == 304 else now)
        return ""

    def _probe(self, candidate: StaleCandidate) -> None:
        resource = candidate.resource
        for node in range(self._users.nodes):
            request = LogicalRequest(
                0, PROBE, self._clock.now, resource.path, resource.kind, self._probed, about=candidate
            )
            self._sender.send_to(request, node)


def _touched(site: Site, mutations: Mutations | None) -> frozenset[int]:
    """Numbers of the resources that mutations change."""
    globs = mutations.changes if mutations else ()
    return frozenset(
        number
        for number, resource in enumerate(site.resources)
        if any(fnmatchcase(resource.path.decode("ascii"), glob) for glob in globs)
    )


def _stale(body: bytes, count: int) -> list[int]:
    """The numbers in the answer to a batch of *count*; :exc:`ValueError`, or what decoding raises."""
    stale = _BATCH_ANSWER.decode(body).stale
    if not all(0 <= one < count for one in stale):
        raise ValueError("a line that was not sent")
    return stale
