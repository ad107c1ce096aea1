"""The buttons of the demonstration: a small HTTP server on a loopback port, in staging only.

A page tells it what to do with a node, and is told in a sentence what was done, and how all nodes are::

    POST /  {"do": "kill", "node": "n3"}
    200     {"said": "n3 was killed.", "nodes": [{"name": "n3", "url": ..., "is": "killed"}, ...]}
    GET /   the same, without "said"

``do`` is one of ``kill``, ``kill-all``, ``bring-back`` (of one node, or all), ``slow`` and ``publish``.  A
form without scripts sends the same words urlencoded, with the field ``token``, and is answered by a page.

Who may: whoever has the token, which is in the pages of the demonstration alone (``Authorization: Bearer``,
or the field), and does not come from elsewhere: an ``Origin`` has to be that of a node, and ``Host`` this
server's own, so that a name which is made to lead here (DNS rebinding) leads nowhere.  Requests are small,
and bounded in number and time.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import hmac
import html
import json
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

#: Bytes of a body: an order has less than a hundred.
BODY_MOST = 1024
#: Connections at a time: a browser opens six.
CONNECTIONS_MOST = 32
#: Seconds that a connection may say nothing.
PATIENCE = 10
#: Characters of the token: 256 bits.
TOKEN_BYTES = 32
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


class Refused(Exception):
    """An order that is not carried out; str() says why, for whoever presses the button."""

    def __init__(self, said: str, status: int = 409) -> None:
        super().__init__(said)
        self.status = status


class Operator(Protocol):
    """What carries out orders: the staging cluster."""

    def nodes(self) -> Sequence[Mapping[str, Any]]:
        """Name, URL and condition of each node."""

    async def carry_out(self, order: str, node: str) -> str:
        """Carry out *order* on *node* (or ""); what was done, as a sentence, or :class:`Refused`."""


def token_of(file: Path) -> str:
    """The token that is kept in *file*, readable for its owner alone; made at the first call.

    It outlives a run: a page that a browser has kept from yesterday may still press its buttons.
    """
    try:
        if kept := file.read_text("ascii").strip():
            return kept
    except FileNotFoundError:
        pass
    token = secrets.token_urlsafe(TOKEN_BYTES)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(token)
    return token


class Controls(Resource):
    """The resource that takes orders, and answers when they are carried out."""

    isLeaf = True

    def __init__(
        self, operator: Operator, token: str, origins: Collection[str], hosts: Collection[str]
    ) -> None:
        """*origins*: those of the nodes, whose pages may ask; *hosts*: what a Host field may be."""
        super().__init__()
        self._operator = operator
        self._token = token.encode()
        self._origins = [one.encode() for one in origins]
        self._hosts = [one.encode() for one in hosts]

    def check(self, host: bytes | None, origin: bytes | None, site: bytes | None) -> None:
        """:class:`Refused`, if a request with these fields (*site*: Sec-Fetch-Site) comes from elsewhere."""
        if host not in self._hosts:
            raise Refused(f"This is {self._hosts[0].decode()}, and answers under no other name.", 421)
        if (origin is not None and origin not in self._origins) or site in (b"cross-site", b"none"):
            raise Refused("Only pages of the demonstration may do that.", 403)

    def check_token(self, given: bytes) -> None:
        """:class:`Refused`, if *given* is not the token."""
        if not hmac.compare_digest(given, self._token):
            raise Refused("The page has another token than this cluster: load it again.", 403)

    # Twisted's overrides

    def render(self, request: Any) -> Any:
        is_page = False
        try:
            self._allow(request)
            if request.method == b"OPTIONS":
                return self._preflight(request)
            if request.method == b"GET":
                self.check_token(_bearer(request))
                return self._answer(request, 200, {"nodes": list(self._operator.nodes())})
            if request.method != b"POST":
                raise Refused("GET, POST and OPTIONS are what there is.", 405)
            is_page = _kind(request) == _FORM
            order, node, token = _order(request)
            self.check_token(token or _bearer(request))
        except Refused as refused:
            return self._refuse(request, refused, is_page)
        done = Deferred.fromCoroutine(self._operator.carry_out(order, node))
        done.addCallback(lambda said: self._done(request, said, is_page))
        done.addErrback(self._failed, request, is_page)
        return NOT_DONE_YET

    def _allow(self, request: Any) -> None:
        origin = request.getHeader(b"origin")
        self.check(request.getHeader(b"host"), origin, request.getHeader(b"sec-fetch-site"))
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-content-type-options", b"nosniff")
        request.setHeader(b"vary", b"Origin")
        if origin is not None:
            request.setHeader(b"access-control-allow-origin", origin)

    def _preflight(self, request: Any) -> bytes:
        request.setResponseCode(204)
        request.setHeader(b"access-control-allow-methods", b"GET, POST")
        request.setHeader(b"access-control-allow-headers", b"authorization, content-type")
        request.setHeader(b"access-control-max-age", b"600")
        return b""

    def _done(self, request: Any, said: str, is_page: bool) -> None:
        nodes = list(self._operator.nodes())
        if not request._disconnected:
            self._answer(request, 200, _page(said, nodes) if is_page else {"said": said, "nodes": nodes})

    def _refuse(self, request: Any, refused: Refused, is_page: bool = False) -> int:
        # Who comes from elsewhere learns nothing of the nodes.
        nodes = list(self._operator.nodes()) if refused.status == 409 else []
        content = _page(str(refused), nodes) if is_page else {"said": str(refused), "nodes": nodes}
        return self._answer(request, refused.status, content)

    def _failed(self, failure: Failure, request: Any, is_page: bool) -> None:
        error = failure.value
        refused = error if isinstance(error, Refused) else Refused(f"That went wrong: {error}", 500)
        if not request._disconnected:
            self._refuse(request, refused, is_page)

    def _answer(self, request: Any, status: int, content: Any) -> int:
        is_page = isinstance(content, str)
        request.setResponseCode(status)
        request.setHeader(b"content-type", b"text/html; charset=utf-8" if is_page else _JSON.encode())
        request.write((content if is_page else json.dumps(content) + "\n").encode())
        request.finish()
        return NOT_DONE_YET


class _BoundedRequest(Request):
    """A request whose body is small, or refused before it is read."""

    is_refused = False

    def gotLength(self, length: int | None) -> None:
        self.is_refused = length is None or length > BODY_MOST
        super().gotLength(0 if self.is_refused else length)
        if self.is_refused:
            text = b"an order has a Content-Length, of at most %d bytes\n" % BODY_MOST
            head = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Type: text/plain\r\n"
            channel: Any = self.channel
            channel.transport.write(head + b"Content-Length: %d\r\n\r\n" % len(text) + text)
            channel.loseConnection()

    def handleContentChunk(self, data: bytes) -> None:
        if not self.is_refused:
            super().handleContentChunk(data)

    def process(self) -> None:
        if not self.is_refused:
            super().process()


class _QuietSite(Site):
    """A site that logs no requests: what they do is said by the lines of the nodes."""

    def log(self, request: Any) -> None:
        """Say nothing."""


class _FewConnections(WrappingFactory):
    """Connections of another factory, as many as a few browsers open."""

    noisy = False

    def buildProtocol(self, addr: Any) -> Any:
        return super().buildProtocol(addr) if len(self.protocols) < CONNECTIONS_MOST else None


def controls_factory(controls: Controls) -> WrappingFactory:
    """What accepts connections for *controls*: few at a time, none that is silent for long."""
    site = _QuietSite(controls, requestFactory=_BoundedRequest, timeout=PATIENCE)
    site.displayTracebacks = False
    return _FewConnections(site)


def _kind(request: Any) -> str:
    return (request.getHeader(b"content-type") or b"").decode("latin-1").split(";")[0].strip().lower()


def _bearer(request: Any) -> bytes:
    scheme, _, given = (request.getHeader(b"authorization") or b"").partition(b" ")
    return given.strip() if scheme.lower() == b"bearer" else b""


def _order(request: Any) -> tuple[str, str, bytes]:
    """Order, node and token of a body."""
    body = request.content.read()
    if _kind(request) == _JSON:
        try:
            given = json.loads(body)
        except (ValueError, RecursionError):
            given = None
    elif _kind(request) == _FORM:
        given = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
        # One button says both: "kill n3".
        given["do"], _, node = given.get("do", "").partition(" ")
        given.setdefault("node", node)
    else:
        raise Refused(f"An order is {_JSON}, or {_FORM}.", 415)
    if not isinstance(given, dict) or not all(isinstance(one, str) for one in given.values()):
        raise Refused('An order is {"do": "kill", "node": "n3"}.', 400)
    return given.get("do", ""), given.get("node", ""), given.get("token", "").encode("utf-8", "replace")


def _page(said: str, nodes: Sequence[Mapping[str, Any]]) -> str:
    """What a browser without scripts is shown."""
    items = "".join(
        '<li><a href="{url}/">{name}</a> {is}</li>'.format_map({key: html.escape(one[key]) for key in one})
        for one in nodes
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{html.escape(said)}</title>
<body style="font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem">
<h1>{html.escape(said)}</h1><p>Go on with any node that is up:</p><ul>{items}</ul></body></html>
"""
