"""The node's own resources, under ``/.edge/``.

==================  ===========================================================================
``load``            the load document: an entry of the table, as any other
``revalidate``      POST: which of these validators are no longer current?
``changes``         which paths have changed since a state of the site? See :mod:`edge.http.changes`
``status``          this node alone, likewise; see :mod:`edge.node.telemetry.status_publisher`
``socket``          WebSocket: load documents and changes as they come; see :mod:`edge.node.resources.pushing`
``health``          200 as long as this process answers at all
``ready``           200 if the node should get requests; 503 while it starts or drains
(empty)             the dashboard page, with its style sheet and scripts
``client``          what the smart client of this browser keeps and does, likewise; nothing of the node
==================  ===========================================================================

All answers carry the node's load in the ORCA header ``endpoint-load-metrics``, which the supervisor
puts into the lines of ``load`` and ``revalidate``, and can be read by pages of every origin.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import re
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from twisted.web.resource import Resource

from edge.http import answer, changes
from edge.http.conditional import NOT_MODIFIED, PRECONDITION_FAILED, evaluate
from edge.http.errors import ProtocolError
from edge.http.revalidation import check_content_type, parse_validators, render_stale
from edge.node.process.clocks import date_of
from edge.node.process.own_resources import CORS, LOAD, REVALIDATE, json_lines, status_path
from edge.node.resources.audience import may_see_status, tell_all
from edge.node.resources.published import answer_later
from edge.resource import etag_of
from edge.sites import entry_name
from edge.table.site_state import find_state, state_since

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edge.node.connection.request import EdgeRequest
    from edge.node.process.life import Life
    from edge.node.resources.published import PublishedResource
    from edge.node.resources.pushing import Pushing
    from edge.table.reader import Reader

_ORCA = re.compile(rb"endpoint-load-metrics:[^\r\n]*\r\n", re.IGNORECASE)
_GET = (b"GET", b"HEAD", b"OPTIONS")
#: The dashboard's files: name under /.edge/ -> (file in this package, content type).
_DASHBOARD = {
    b"": ("dashboard.html", b"text/html; charset=utf-8"),
    b"dashboard.css": ("dashboard.css", b"text/css; charset=utf-8"),
    b"dashboard.js": ("dashboard.js", b"text/javascript; charset=utf-8"),
    b"dashboard_feed.js": ("dashboard_feed.js", b"text/javascript; charset=utf-8"),
}


#: The page about the smart client of the browser that shows it, likewise.
_CLIENT = {
    b"client": ("client.html", b"text/html; charset=utf-8"),
    b"client.css": ("client.css", b"text/css; charset=utf-8"),
    b"client.js": ("client.js", b"text/javascript; charset=utf-8"),
}
#: The smart client, which may have asked another node, may answer with it before it asks: it is there without
#: a network.
_KEPT = b"Edge-Client-Cache-Control: stale-while-revalidate=2592000\r\nAccess-Control-Expose-Headers: *\r\n"


#: What browsers may fetch before somebody asks for it, where --speculation is set and no other rules are:
#: pages of this site, when the pointer rests on a link, but what machines are asked not to follow.
_SPECULATION_RULES = b"""{"prefetch": [{"source": "document", "eagerness": "moderate", "where": {"and": [
  {"href_matches": "/*"}, {"not": {"href_matches": "/.edge/*"}},
  {"not": {"selector_matches": "[rel~=nofollow], [download], [target=_blank]"}}]}}]}
"""


class EdgeResources(Resource):
    """The resource ``/.edge`` of a worker with this *life*."""

    def __init__(
        self,
        reader: Reader,
        published: PublishedResource,
        life: Life,
        pushing: Pushing,
        audience: str = "public",
        tells: Callable[[bytes, bytes, str], bool] = tell_all,
    ) -> None:
        """*audience*: who may see the status and the dashboard, ``--status``.

        *tells*: (prefix of the site, target, address of the client) -> whether it is told if its copy is
        current.
        """
        self._tells = tells
        super().__init__()
        self._audience = audience
        self.putChild(b"socket", _Answering(pushing.open, (b"GET",)))
        self._reader = reader
        self.putChild(b"load", _Answering(lambda request: published.serve(request, LOAD)))
        status = status_path(audience)
        self.putChild(b"status", self._shown(lambda request: published.serve(request, status)))
        self.putChild(b"changes", _Answering(self._changes))
        self.putChild(b"revalidate", _Answering(self._revalidate, (b"POST", b"OPTIONS")))
        self.putChild(b"health", _Answering(self._health))
        self.putChild(b"ready", _Answering(self._ready))
        here = files("edge.node.resources")
        for name, (file, content_type) in _DASHBOARD.items():
            path = here.joinpath(file)
            if path.is_file():
                self.putChild(name, self._shown(_Page(path.read_bytes(), content_type, self._orca).answer))
        for name, (file, content_type) in _CLIENT.items():
            page = _Page(here.joinpath(file).read_bytes(), content_type, self._orca, _KEPT)
            self.putChild(name, _Answering(page.answer))
        rules = _Page(_SPECULATION_RULES, b"application/speculationrules+json", self._orca)
        self.putChild(b"speculation-rules", _Answering(rules.answer))
        self._life = life

    def _shown(self, give: Callable[[EdgeRequest], Awaitable[None]]) -> _Answering:
        """What *give* answers, to those who may see it."""

        async def answer_if_allowed(request: EdgeRequest) -> None:
            if may_see_status(self._audience, request):
                await give(request)
            elif self._audience == "off":
                await self._unknown(request)
            else:
                request.refuse(
                    403, "Only programs and pages on the node's own machine may see this: --status."
                )

        return _Answering(answer_if_allowed)

    def _orca(self) -> bytes:
        """The ORCA line as the supervisor last published it."""
        entry = self._reader.find_without_body(LOAD)
        found = _ORCA.search(entry.lines_200) if entry is not None else None
        return found[0] if found else b""

    async def _revalidate(self, request: EdgeRequest) -> None:
        try:
            check_content_type(request.head.fields.get(b"content-type"))
            validators = parse_validators(request.content.read())
        except ProtocolError as refusal:
            request.refuse(refusal.status, refusal.explanation, refusal.lines + CORS + self._orca())
            return
        reader = self._reader
        sequence = reader.sequence  # before the look: what is published meanwhile may be missed
        before = find_state(reader)
        prefix, host = request.prefix, getattr(request.client, "host", "")
        stale = [
            number
            for number, (tag, target) in enumerate(validators)
            if not self._tells(prefix, target, host) or not reader.is_current(entry_name(prefix, target), tag)
        ]
        body = render_stale(sequence, stale, state_since(reader, before))
        template = reader.find_without_body(REVALIDATE)
        lines = template.lines_200 if template is not None else json_lines(self._orca())
        date = request.site.date()
        request.write_answer(200, answer.head_plain(200, date, len(body), lines, b"", request.closes), body)

    async def _changes(self, request: EdgeRequest) -> None:
        entry = find_state(self._reader)
        if entry is None or entry.body is None:
            await self._unknown(request)
            return
        head, date, close = request.head, request.site.date(), request.closes
        now = int(date_of(request.site.clock))
        outcome = evaluate(head.method, head.fields, entry.etag, None, head.tag, now)
        if outcome is PRECONDITION_FAILED:
            request.write_answer(412, *answer.error(412, "", date, CORS, close))
            return
        is_current = outcome is NOT_MODIFIED and entry.confirmed
        body, is_state = changes.answer(entry.body, entry.confirmed, is_current, head.query, request.prefix)
        if body is None:
            request.write_answer(304, answer.head_304(date, entry.etag, entry.lines_304, close=close))
            return
        length, lines = len(body), entry.lines_200
        if is_state:
            lines_200 = answer.head_200(date, entry.etag, entry.modified, length, lines, close=close)
        else:
            lines_200 = answer.head_plain(200, date, length, lines, close=close)
        request.write_answer(200, lines_200, body)

    async def _health(self, request: EdgeRequest) -> None:
        self._send_health(request, 200, "pass")

    async def _ready(self, request: EdgeRequest) -> None:
        ready = self._life.is_ready
        self._send_health(request, 200 if ready else 503, "pass" if ready else "fail")

    def _send_health(self, request: EdgeRequest, status: int, verdict: str) -> None:
        body = json.dumps({"status": verdict, "output": self._life.state.value}).encode() + b"\n"
        lines = json_lines(self._orca(), b"application/health+json")
        head = answer.head_plain(status, request.site.date(), len(body), lines, b"", request.closes)
        request.write_answer(status, head, body)

    # Twisted's overrides

    def getChild(self, path: bytes, request: EdgeRequest) -> Resource:
        return _Answering(self._unknown)

    def render(self, request: EdgeRequest) -> int:
        return answer_later(request, self._without_slash(request))

    async def _unknown(self, request: EdgeRequest) -> None:
        request.refuse(404, "", CORS + self._orca())

    async def _without_slash(self, request: EdgeRequest) -> None:
        date, lines = request.site.date(), CORS + self._orca()
        query = request.head.query
        redirect = answer.redirect(b"/.edge/", query, date, lines=lines, close=request.closes)
        request.write_answer(301, *redirect)


class _Answering(Resource):
    """One resource whose answer is given by a coroutine function, for certain methods."""

    def __init__(
        self, give: Callable[[EdgeRequest], Awaitable[None]], methods: tuple[bytes, ...] = _GET
    ) -> None:
        super().__init__()
        self._give = give
        self._methods = methods

    # Twisted's overrides

    def getChild(self, path: bytes, request: EdgeRequest) -> Resource:
        nothing = _Answering(_nothing_below)
        nothing.isLeaf = True  # however many segments follow
        return nothing

    def render(self, request: EdgeRequest) -> int:
        return answer_later(request, self._answer(request))

    async def _answer(self, request: EdgeRequest) -> None:
        method = request.head.method
        if method not in self._methods:
            request.refuse(405, "", b"Allow: %b\r\n" % b", ".join(sorted(self._methods)) + CORS)
        elif method == b"OPTIONS":
            date = request.site.date()
            request.write_answer(204, answer.head_options(self._methods, date, CORS, request.closes))
        else:
            await self._give(request)


async def _nothing_below(request: EdgeRequest) -> None:
    request.refuse(404, "", CORS)


class _Page:
    """A file of this package, with validators."""

    def __init__(
        self, body: bytes, content_type: bytes, orca: Callable[[], bytes], lines: bytes = b""
    ) -> None:
        """*lines*: more header lines, each ended by CRLF."""
        self._body = body
        self._etag = etag_of(sha256(body).digest())
        self._lines = b"Content-Type: %b\r\n" % content_type
        self._lines += b"Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n" + lines
        self._orca = orca

    async def answer(self, request: EdgeRequest) -> None:
        """Answer GET and HEAD."""
        head, date, close = request.head, request.site.date(), request.closes
        now = int(date_of(request.site.clock))
        outcome = evaluate(head.method, head.fields, self._etag, None, head.tag, now)
        orca = CORS + self._orca()
        if outcome is NOT_MODIFIED:
            request.write_answer(304, answer.head_304(date, self._etag, orca, close=close))
        elif outcome is PRECONDITION_FAILED:
            request.write_answer(412, *answer.error(412, "", date, orca, close))
        else:
            lines = b'ETag: "%b"\r\n%b%b' % (self._etag, self._lines, orca)
            request.write_answer(
                200, answer.head_plain(200, date, len(self._body), lines, close=close), self._body
            )
