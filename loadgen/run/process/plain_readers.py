"""Readers of any server: browsers with their private caches, and nothing of the smart client.

A page view is a navigation, then what belongs to the page: what is stored and fresh needs no request, what
is stored and not fresh is validated (RFC 9111 section 4.3), each by a request of its own, and what is not
stored is fetched.  Nothing under ``/.edge/`` is asked for, and nothing is sent twice: no retries, no hedges.
"""

from __future__ import annotations

from loadgen.results import WRONG
from loadgen.run.client.content_checking import UNASKED
from loadgen.run.client.private_cache import PrivateCache
from loadgen.run.client.sender import LogicalRequest
from loadgen.run.process.plain_checking import BodyChecker
from loadgen.run.process.sessions import SessionParts, Sessions
from loadgen.wire.answers import ETAG_BYTES
from loadgen.wire.interface import Answer

#: Purposes of requests.
PAGE, ASSET = 1, 2
#: From the last byte of a page to the requests that follow from it: a browser has to read it first.
READING_NS = 4_000_000


class PlainReaders(Sessions):
    """The readers of a process: what each asks, and what becomes of the answers."""

    def __init__(self, cache: PrivateCache, origin: str, parts: SessionParts) -> None:
        """*origin*: of the server, like ``https://example.org``, for Referer."""
        super().__init__(parts)
        self._cache = cache
        self._referers = [
            b"Referer: %b%b\r\n" % (origin.encode("ascii"), cache.resources[parts[0]].path)
            for parts in cache.pages
        ]
        self._bodies = BodyChecker(cache.resources)

    # ---- Sessions's overrides ----

    def _visit(self, user: int, page: int, tick: int) -> None:
        planned = self._clock.ns(tick)
        if not self._ask(user, PAGE, self._cache.pages[page][0], page, planned):
            self._assets(user, page, planned + READING_NS)

    def _judge(self, request: LogicalRequest, answer: Answer) -> str:
        number, page, version = request.about
        if answer.status == 304:
            self._validated(request.user, number, version, answer)
        elif answer.status == 200:
            self._fetched(request.user, number, answer)
        else:
            self._cache.forget(request.user, number)
            return f"status {answer.status}"
        if request.purpose == PAGE:
            self._assets(request.user, page, answer.done + READING_NS)
        return ""

    def keep_informed(self, now: int) -> None:
        """Any server pushes nothing."""

    def _told(self, answer: Answer) -> None:
        """It tells nobody that something has changed."""

    # ---- page views ----

    def _assets(self, user: int, page: int, planned: int) -> None:
        """Ask for what belongs to *page*, beside the document itself."""
        for number in self._cache.pages[page][1:]:
            self._ask(user, ASSET, number, page, planned)

    def _ask(self, user: int, purpose: int, number: int, page: int, planned: int) -> bool:
        """Request resource *number*, unless a fresh copy is stored; whether that was needed."""
        resource = self._cache.resources[number]
        copy = self._cache.look(user, number, self._clock.tick(planned))
        if copy is not None and copy.is_fresh:
            self._counts["fresh_hits"] += 1
            return False
        lines = self._referers[page] if purpose == ASSET else b""
        conditions = resource.conditions(copy.version) if copy is not None else b""
        version = copy.version if copy is not None and conditions else 0
        self._counts["requests"] += 1
        self._counts["validators"] += bool(version)
        self._users.waiting[user] += 1
        self._users.requests[user] += 1
        request = LogicalRequest(
            user, purpose, planned, resource.path, resource.kind, self._ended,
            about=(number, page, version), lines=lines + conditions,
        )  # fmt: skip
        self._sender.send_to(request, 0)
        return True

    # ---- answers ----

    def _validated(self, user: int, number: int, version: int, answer: Answer) -> None:
        resource = self._cache.resources[number]
        sent = resource.etag(version)
        self._counts["not_modified"] += 1
        if not version:
            self._wrong(UNASKED)
        elif sent and answer.etag and len(answer.etag) < ETAG_BYTES and answer.etag != sent:
            self._wrong("a 304 for another version")
        else:
            fresh = resource.lifetime(answer) - answer.age
            self._cache.store(user, number, version, self._clock.tick(answer.begun), fresh)

    def _fetched(self, user: int, number: int, answer: Answer) -> None:
        resource = self._cache.resources[number]
        self._counts["bodies"] += 1
        body = self._wire.bodies[answer.body_at : answer.body_at + answer.body_length]
        if what := self._bodies.problem(number, answer, body):
            self._wrong(what)
        fresh = resource.lifetime(answer) - answer.age
        before, version = resource.current, resource.learn(answer)
        self._counts["new_versions"] += version != before
        self._cache.store(user, number, version, self._clock.tick(answer.begun), fresh)

    def _wrong(self, what: str) -> None:
        """Count an answer that no server may give."""
        self._counts["wrong_answers"] += 1
        self._counts[f"{WRONG}{what}"] += 1
