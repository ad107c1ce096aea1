"""The published site: answers from the table for what the fast path let go of.

The same request gets the same bytes here as there (but for Date): the decisions are those of
:mod:`edge.http`, the heads those of :mod:`edge.http.answer`.  On top of it come the answers that the
fast path never gives: ranges, 412, redirects to folders, 404, OPTIONS, 405.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from edge.addresses.navigation import VARY, is_navigation
from edge.addresses.redirects import LEADING, REWRITE
from edge.http import answer
from edge.http.conditional import NOT_MODIFIED, PRECONDITION_FAILED, evaluate
from edge.http.negotiation import choose_variant
from edge.http.ranges import UNSATISFIABLE, Selection, Span, select_range
from edge.http.target import canonical_path
from edge.node.connection.body import FileBody
from edge.node.process.clocks import date_of
from edge.node.process.own_resources import CHALLENGES
from edge.publish.rules import without_permission
from edge.sites import entry_name
from edge.table.site_state import find_state, state_since

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from edge.addresses.redirects import Leads
    from edge.http.parser import RequestHead
    from edge.node.connection.request import EdgeRequest
    from edge.node.resources.addresses import Addresses
    from edge.table.reader import Entry, Reader

METHODS = (b"GET", b"HEAD", b"OPTIONS")
#: The body of all 404 answers, if the site publishes it.
NOT_FOUND_PAGE = b"/404.html"
#: At ``/``, where neither that page nor an index is published.
NO_INDEX = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Nothing here yet</title>
<style>
body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem }
</style>
<h1>Nothing here yet</h1>
<p>This server runs, and its site has no <code>index.html</code>. Put one into the folder that it serves
(<code>--webroot</code>): it is published at once.
</html>
"""
_HTML = b"Content-Type: text/html; charset=utf-8\r\n"
#: Seconds after which a client may ask a starting node again.
RETRY_AFTER = b"Retry-After: 1\r\n"
#: A publish may replace a variant between looking at a path and taking the variant.
_TRIES = 3

#: path -> its variants; asks the supervisor.  Empty: nothing is published there.
LookUp = Callable[[bytes], Awaitable["dict[int, Entry]"]]


#: See :attr:`Source.fetch`.
Fetch = Callable[[bytes, bytes], Awaitable[bool]]


async def _nowhere(path: bytes, etag: bytes) -> bool:
    """Fetch a body from other nodes: there are none."""
    return False


async def _is_there(blob: str) -> bool:
    """Believe every blob."""
    return os.path.exists(blob)


class NodeStartingError(Exception):
    """What was asked for exists, or may exist, and is not published yet."""


class BodyUnavailableError(Exception):
    """Only another node has the body, and it cannot be reached now."""


class Source(NamedTuple):
    """Where a worker finds what is published: the table, the blob store, the supervisor."""

    reader: Reader
    #: Directory of the blob store.
    blobs: str
    look_up: LookUp
    #: Origins whose pages may read answers, by number of the site.
    origins: Sequence[Collection[bytes]]
    #: (path, ETag) -> whether that body is in the blob store now, whole; asks the supervisor.
    fetch: Fetch = _nowhere
    #: Name of a blob's file -> whether it is there and holds what its name says.
    is_whole: Callable[[str], Awaitable[bool]] = _is_there

    async def find(self, path: bytes, head: RequestHead, with_body: bool) -> Entry | None:
        """The representation of the entry named *path* that suits *head*; None: there is none."""
        accept, coding = head.fields.get(b"accept"), head.fields.get(b"accept-encoding")
        for _ in range(_TRIES):
            first = self.reader.find_without_body(path)
            if first is None or first.template:
                break
            variant = choose_variant(first.variants, accept, coding)
            found = (self.reader.find if with_body else self.reader.find_without_body)(path, variant)
            if found is not None:
                return found
        if self.reader.complete:
            return None
        variants = await self.look_up(path)
        if not variants:
            return None
        return variants[choose_variant(variants[0].variants, accept, coding)]


class PublishedResource(Resource):
    """Everything under ``/`` that is published."""

    isLeaf = True

    def __init__(self, source: Source, addresses: Sequence[Addresses] = ()) -> None:
        """*addresses*: rules for what has no entry, by number of the site; none: there are none."""
        super().__init__()
        self.source = source
        self._addresses = addresses
        #: Who may answer a request for which nothing is published; whether it does.
        self.beyond: Callable[[EdgeRequest], bool] = lambda request: False

    # Twisted's overrides

    def render(self, request: EdgeRequest) -> int:
        return answer_later(request, self._answer(request))

    async def _answer(self, request: EdgeRequest) -> None:
        path = canonical_path(request.head.path)
        if path is None:
            await self._unclear(request)
        else:
            await self.serve(request, path)

    async def serve(self, request: EdgeRequest, path: bytes) -> None:
        """Answer *request* with what is published under the canonical *path*."""
        head = request.head
        before = find_state(self.source.reader)
        name = entry_name(request.prefix, path)
        entry = await self.source.find(name, head, head.method == b"GET")
        if entry is None and name != path and path.startswith(CHALLENGES):
            name = path  # of the node's certificate, whichever site has the name
            entry = await self.source.find(name, head, head.method == b"GET")
        if entry is None:
            await self._unpublished(request, path)
            return
        if entry.status != 200:
            await self._elsewhere(request, path, entry)
            return
        state = None if path.startswith(b"/.edge/") else state_since(self.source.reader, before)
        await self._represent(request, name, entry, state)

    async def _represent(
        self, request: EdgeRequest, name: bytes, entry: Entry, state: bytes | None = None
    ) -> None:
        """Answer *request* with *entry*, whose name is *name*."""
        head, date = request.head, request.site.date()
        cors = self._cors(request, entry.lines_200)
        if head.method == b"OPTIONS":
            request.write_answer(204, answer.head_options(METHODS, date, cors, request.closes))
            return
        if head.method not in (b"GET", b"HEAD"):
            request.write_answer(405, *answer.not_allowed(METHODS, date, request.closes))
            return
        await self._conditionally(request, name, entry, cors, state)

    async def _conditionally(
        self, request: EdgeRequest, path: bytes, entry: Entry, cors: bytes, state: bytes | None
    ) -> None:
        """RFC 9110 section 13.2.2: preconditions, then the range, then the whole.

        Only the whole when the entry cannot be confirmed: there may be a newer one elsewhere.  *state*: at
        which the entry is current, see :mod:`edge.table.site_state`.
        """
        head, date, close = request.head, request.site.date(), request.closes
        now = int(date_of(request.site.clock))
        outcome = evaluate(head.method, head.fields, entry.etag, entry.modified, head.tag, now)
        if outcome is NOT_MODIFIED and entry.confirmed:
            request.write_answer(304, answer.head_304(date, entry.etag, entry.lines_304, cors, close))
            return
        if outcome is PRECONDITION_FAILED:
            request.write_answer(412, *answer.error(412, "", date, cors, close))
            return
        span: Span | Selection | None = select_range(head.method, head.fields, entry.length, entry.etag)
        if not entry.confirmed:
            span = None
        if span is UNSATISFIABLE:
            request.write_answer(416, *answer.head_416(entry.length, date, cors, close))
        elif isinstance(span, Span):
            lines = answer.head_206(
                date, entry.etag, entry.modified, span, entry.length, entry.lines_200, cors, close, state
            )
            await self._send(request, 206, lines, path, entry, span.first, span.length)
        else:
            lines = answer.head_200(
                date, entry.etag, entry.modified, entry.length, entry.lines_200, cors, close, state
            )
            await self._send(request, 200, lines, path, entry, 0, entry.length)

    async def _send(
        self,
        request: EdgeRequest,
        status: int,
        head: bytes,
        path: bytes,
        entry: Entry,
        first: int,
        length: int,
    ) -> None:
        """Send *head* and *length* bytes of the body from *first*; *path*: the name of the entry."""
        if request.head.method == b"HEAD" or not length:
            request.write_answer(status, head)
        elif entry.body is not None:
            body = entry.body if length == entry.length else entry.body[first : first + length]
            request.write_answer(status, head, body)
        else:
            name = entry.etag.decode("ascii")
            blob = os.path.join(self.source.blobs, name[:2], name)
            if not await self.source.is_whole(blob) and not await self.source.fetch(path, entry.etag):
                raise BodyUnavailableError
            try:
                file = request.open(blob)
            except FileNotFoundError:
                raise BodyUnavailableError from None
            file.seek(first)
            request.begin_answer(status, head)
            FileBody(request, file, length).start()

    def _cors(self, request: EdgeRequest, lines: bytes = b"") -> bytes:
        """The line that lets pages of other origins read the answer, where its *lines* say nothing of it."""
        if answer.has_own_cors(lines):
            return b""
        head, allowed = request.head, self.source.origins[request.site_number or 0]
        return answer.cors_line(head.path, head.fields.get(b"origin"), allowed)

    def _rules(self, request: EdgeRequest) -> Addresses | None:
        """Those of the site that *request* is for, where nothing is published; None: there are none."""
        if not self._addresses or request.head.path.startswith(b"/.edge/"):
            return None
        return self._addresses[request.site_number or 0]

    # What is elsewhere, or not there

    async def _elsewhere(self, request: EdgeRequest, path: bytes, entry: Entry) -> None:
        """A redirect, or something gone, is published under *path*."""
        if entry.status in LEADING and entry.lines_304:
            self._lead(request, entry.status, entry.lines_304, request.head.query, entry.lines_200)
        else:
            page = entry.lines_304.removeprefix(b"Location: ").rstrip(b"\r\n")
            await self._missing(request, path, entry.status, page or NOT_FOUND_PAGE)

    def _lead(
        self, request: EdgeRequest, status: int, line: bytes, query: bytes | None, lines: bytes = b""
    ) -> None:
        """Answer *request* with a redirect; *line*: Location; *lines*: those of rules."""
        lines += self._cors(request, lines)
        date, close = request.site.date(), request.closes
        request.write_answer(status, *answer.redirect_published(status, line, query, date, lines, close))

    def _lines_of_rules(self, request: EdgeRequest) -> bytes:
        """The fields of a redirect that is no entry."""
        rules = self._rules(request)
        return rules.lines(request.head.path) if rules is not None else b""

    async def _unclear(self, request: EdgeRequest) -> None:
        """The path has no canonical form: it may have empty segments."""
        rules = self._rules(request)
        merged = rules.merged(request.head.path) if rules is not None else None
        if merged is not None and await self._leads_on(request, merged):
            line, lines = b"Location: %b\r\n" % merged, self._lines_of_rules(request)
            self._lead(request, 308, line, request.head.query, lines)
        elif not self.beyond(request):
            await self._missing(request, None)

    async def _leads_on(self, request: EdgeRequest, path: bytes) -> bool:
        """Whether there is anything at *path* that it is worth to be led to."""
        if path.startswith(b"/.edge/"):
            return False
        for one in (path, path + b"/"):
            if await self.source.find(entry_name(request.prefix, one), request.head, False) is not None:
                return True
        rules = self._rules(request)
        return rules is not None and rules.find(path, None) is not None

    async def _unpublished(self, request: EdgeRequest, path: bytes) -> None:
        """Nothing is at *path*: a rule may answer, a folder, an application, the fallback, or nobody."""
        asked, rules = request.head, self._rules(request)
        if rules is not None and await self._by_rule(request, rules.find(path, asked.query)):
            return
        if not path.endswith(b"/"):
            folder = await self.source.find(entry_name(request.prefix, path + b"/"), asked, False)
            if folder is not None:
                lines = self._cors(request)
                date, close = request.site.date(), request.closes
                request.write_answer(301, *answer.redirect(path + b"/", asked.query, date, 301, lines, close))
                return
        if self.beyond(request):
            return
        if rules is not None:
            if await self._by_rule(request, rules.find_last(path)):
                return
            fallback = rules.fallback
            if fallback is not None and is_navigation(asked.method, asked.fields):
                found = await self._page(request, fallback)
                if found is not None:
                    at, entry = found
                    entry = entry._replace(lines_200=entry.lines_200 + VARY, lines_304=entry.lines_304 + VARY)
                    await self._represent(request, at, entry)
                    return
        await self._missing(request, path)

    async def _by_rule(self, request: EdgeRequest, leads: Leads | None) -> bool:
        """Answer *request* as a rule says, if it can be; whether it was."""
        if leads is None:
            return False
        if leads.status in LEADING:
            line, lines = b"Location: %b\r\n" % leads.address, self._lines_of_rules(request)
            self._lead(request, leads.status, line, None, lines)
            return True
        page = canonical_path(leads.address) if leads.address else None
        if leads.status != REWRITE:
            await self._missing(request, None, leads.status, page or NOT_FOUND_PAGE)
            return True
        found = await self._page(request, page) if page is not None else None
        if found is None:
            return False
        await self._represent(request, *found)
        return True

    async def _page(self, request: EdgeRequest, path: bytes) -> tuple[bytes, Entry] | None:
        """(name, entry) of what is at *path*, or where that leads on this site; None: nothing is.

        What is the node's own is not: as entries its documents hold what is of all sites.
        """
        wants_body = request.head.method != b"HEAD"  # a POST may be answered with the page of errors
        for _ in range(2):
            if path.startswith(b"/.edge/"):
                return None
            name = entry_name(request.prefix, path)
            entry = await self.source.find(name, request.head, wants_body)
            if entry is None or entry.template:
                return None
            if entry.status == 200:
                return name, entry
            onward = canonical_path(entry.lines_304.removeprefix(b"Location: ").rstrip(b"\r\n"))
            if entry.status not in LEADING or onward is None:
                return None
            path = onward
        return None

    async def _missing(
        self, request: EdgeRequest, path: bytes | None, status: int = 404, page: bytes = NOT_FOUND_PAGE
    ) -> None:
        """Nothing is there (*path* None: whatever it was); *page* says so, if the site has it."""
        date, close = request.site.date(), request.closes
        rules = self._rules(request)
        varies = VARY if rules is not None and rules.fallback is not None else b""
        found = await self._page(request, page)
        if found is None and path == b"/" and status == 404:
            head = answer.head_plain(404, date, len(NO_INDEX), _HTML + varies, b"", close)
            request.write_answer(404, head, NO_INDEX)
        elif found is None:
            request.write_answer(status, *answer.error(status, "", date, varies, close))
        else:
            at, entry = found
            lines = without_permission(entry.lines_200) + varies
            head = answer.head_plain(status, date, entry.length, lines, b"", close)
            await self._send(request, status, head, at, entry, 0, entry.length)


def answer_later(request: EdgeRequest, answering: Awaitable[None]) -> int:
    """Run the coroutine that answers *request*; what goes wrong in it is answered too."""

    async def run() -> None:
        try:
            await answering
        except NodeStartingError:
            request.refuse(503, "This node has not read this yet.", RETRY_AFTER)
        except BodyUnavailableError:
            request.refuse(503, "The node that has this file cannot be reached now.", RETRY_AFTER)
        except Exception:
            request.processingFailed(Failure())  # says nothing to a client that has gone

    Deferred.fromCoroutine(run())
    return NOT_DONE_YET
