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

    from edge.http.parser import RequestHead
    from edge.node.connection.request import EdgeRequest
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

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        #: Who may answer a request for which nothing is published; whether it does.
        self.beyond: Callable[[EdgeRequest], bool] = lambda request: False

    # Twisted's overrides

    def render(self, request: EdgeRequest) -> int:
        return answer_later(request, self._answer(request))

    async def _answer(self, request: EdgeRequest) -> None:
        path = canonical_path(request.head.path)
        if path is None:
            await self._missing(request, None)
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
            await self._missing(request, path)
            return
        state = None if path.startswith(b"/.edge/") else state_since(self.source.reader, before)
        date = request.site.date()
        cors = answer.cors_line(
            path, head.fields.get(b"origin"), self.source.origins[request.site_number or 0]
        )
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

    async def _missing(self, request: EdgeRequest, path: bytes | None) -> None:
        """Nothing is published under *path* (None: a path that cannot exist)."""
        asked, date, close = request.head, request.site.date(), request.closes
        if path is not None and not path.endswith(b"/"):
            folder = await self.source.find(entry_name(request.prefix, path + b"/"), asked, False)
            if folder is not None:
                request.write_answer(301, *answer.redirect(path + b"/", asked.query, date, close=close))
                return
        page_name = entry_name(request.prefix, NOT_FOUND_PAGE)
        page = await self.source.find(page_name, asked, True)
        if page is None and path == b"/":
            request.write_answer(
                404, answer.head_plain(404, date, len(NO_INDEX), _HTML, b"", close), NO_INDEX
            )
        elif page is None:
            request.write_answer(404, *answer.error(404, "", date, b"", close))
        else:
            lines = without_permission(page.lines_200)
            head = answer.head_plain(404, date, page.length, lines, b"", close)
            await self._send(request, 404, head, page_name, page, 0, page.length)


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
