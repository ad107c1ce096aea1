"""Resources of ``twisted.web`` as applications: each request with a channel that is an exchange.

The only module of this package that imports Twisted, and it is imported only where an application has done
so.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.web import server

from edge.app.hosting import twisted_reactor
from edge.app.hosting.fields import WrongHead, split_length
from edge.app.marks import Marks

if TYPE_CHECKING:
    from edge.app.hosting.connection import Connection
    from edge.app.messages import Ask, Fields, Open

#: Exchanges at once on one connection.
AT_ONCE = 10_000


class Resources:
    """The tree of resources under one root."""

    at_once = AT_ONCE

    def __init__(self, root: Any) -> None:
        self._site = server.Site(root, reactor=twisted_reactor.get())

    def ask(self, question: Ask, connection: Connection) -> ResourceExchange:
        """Begin to answer a request."""
        exchange = ResourceExchange(question, connection, self._site)
        if not question.more:
            exchange.start()
        return exchange

    def open(self, question: Open, connection: Connection) -> None:
        """Resources know no WebSockets here."""


class ResourceExchange:
    """One request, and the channel that it believes to be on."""

    def __init__(self, question: Ask, connection: Connection, site: Any) -> None:
        self.site = site
        self.factory = site
        self._question = question
        self._number = question.number
        self._connection = connection
        self._marks = Marks()
        self._request = server.Request(self)
        self._request.site = site
        for name, value in [(b"host", question.host), *question.fields]:
            self._request.requestHeaders.addRawHeader(name, value)
        if question.length:
            self._request.requestHeaders.setRawHeaders(b"content-length", [b"%d" % question.length])
        self._request.gotLength(question.length)
        #: The head, and the first of the body, until this turn of the loop is over.
        self._head: tuple[int, Fields, int | None] | None = None
        self._first: list[bytes] | None = []
        self._is_over = self._is_gone = False
        self._producer: Any = None
        self._is_pull = False

    def start(self) -> None:
        """The request is whole: have a resource answer it."""
        question, request = self._question, self._request
        target, at = question.target, question.at
        if at:
            path, mark, query = target.partition(b"?")
            if unquote_to_bytes(path) == at or unquote_to_bytes(path[: len(at) + 1]) == at + b"/":
                target = (path[len(at) :] or b"/") + mark + query
        try:
            request.parseCookies()
            with self._marks.in_force():
                # As to HTTP/1.0, so that it does not encode in chunks: how long bodies are is the node's
                # matter.
                request.requestReceived(question.method, target, b"HTTP/1.0")
        except Exception:
            traceback.print_exc()
            self._cut("it failed")

    # As edge.app.hosting.connection.Exchange has it

    def body(self, data: bytes, more: bool) -> None:
        """A piece of the question's body."""
        if data:
            self._request.handleContentChunk(data)
            self._connection.taken(self._number, len(data))
        if not more:
            self.start()

    def message(self, data: bytes, text: bool, more: bool) -> None:
        """Never comes: there are no WebSockets here."""

    def sendable(self) -> None:
        """The visitor has taken what there was."""
        if self._producer is not None:
            self._producer.resumeProducing()

    def gone(self, code: int, reason: str) -> None:
        """Nobody waits any more."""
        self._is_gone = True
        if not self._is_over:
            self._request.connectionLost(Failure(ConnectionLost("the visitor has gone")))

    # The channel of twisted.web.http.Request

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        """The head of the answer."""
        if hasattr(headers, "getAllRawHeaders"):
            given = [(name, value) for name, values in headers.getAllRawHeaders() for value in values]
        else:
            given = list(headers)
        try:
            fields, length = split_length(given)
            self._head = int(code), fields, length
        except (WrongHead, ValueError) as error:
            print(f"an answer that cannot be sent is 500: {error}", file=sys.stderr)
            self._head, self._first = (500, [], 0), None
        self._connection.loop.call_soon(self._begin)

    def write(self, data: bytes) -> None:
        """A piece of the answer's body."""
        if self._is_over or self._is_gone or not data:
            return
        if self._first is not None:
            self._first.append(bytes(data))
            return
        self._connection.send(self._number, bytes(data), True)
        self._hold()

    def writeSequence(self, pieces: Any) -> None:
        """Pieces of the answer's body."""
        self.write(b"".join(pieces))

    def requestDone(self, request: Any) -> None:
        """The answer is whole."""
        if self._is_over:
            return
        if self._first is not None:
            self._is_over = True
            self._begin()
        else:
            self._is_over = True
            self._connection.send(self._number, b"", False, self._marks.late())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """*producer* writes for as long as the visitor takes."""
        self._producer, self._is_pull = producer, not streaming
        if self._is_pull:
            self._connection.loop.call_soon(self._pull)

    def unregisterProducer(self) -> None:
        """It writes no more."""
        self._producer = None

    def loseConnection(self) -> None:
        """The answer cannot be completed."""
        self._cut("the resource ended the connection")

    abortConnection = loseConnection

    def isSecure(self) -> bool:
        """Whether the visitor came over TLS."""
        return self._question.secure

    def getPeer(self) -> IPv4Address | IPv6Address:
        """The visitor's address."""
        return _address(self._question.peer.decode("latin-1"), 0)

    def getHost(self) -> IPv4Address | IPv6Address:
        """The address that he came to, as far as it is known here."""
        _, _, port = self._question.host.decode("latin-1").rpartition(":")
        return _address("", int(port) if port.isdigit() else 443 if self._question.secure else 80)

    @property
    def transport(self) -> ResourceExchange:
        """There is none but this."""
        return self

    # Inside

    def _begin(self) -> None:
        """Send the head, with what there is of the body."""
        first, self._first = self._first, None
        if first is None or self._head is None or self._is_gone:
            return
        status, fields, length = self._head
        self._marks.add_to(fields)
        body, more = b"".join(first), not self._is_over
        if self._question.method == b"HEAD" or status in (204, 304):
            body, more = b"", False
        elif not more and length is None:
            length = len(body)
        self._connection.answer(self._number, status, fields, length, body, more)
        self._hold()

    def _hold(self) -> None:
        """Have the producer wait while the visitor does not take what there is; or go on."""
        if self._producer is None:
            return
        if self._connection.waiting(self._number):
            if not self._is_pull:
                self._producer.pauseProducing()
        elif self._is_pull:
            self._connection.loop.call_soon(self._pull)

    def _pull(self) -> None:
        if self._producer is not None and not self._is_gone and not self._connection.waiting(self._number):
            self._producer.resumeProducing()

    def _cut(self, reason: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._first is not None:
            self._first = None
            self._connection.answer(self._number, 500, [], 0, b"", False)
        else:
            self._connection.cancel(self._number, reason)


def _address(host: str, port: int) -> IPv4Address | IPv6Address:
    return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)
