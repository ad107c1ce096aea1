"""``twisted.web``'s request, as :class:`edge.node.connection.channel.EdgeChannel` drives it.

Resources see an ordinary :class:`twisted.web.server.Request`.  Four things differ:

* errors that the server itself answers (405, 500, ...) have the one form of
  :mod:`edge.http.answer`, and never show a traceback;
* :meth:`EdgeRequest.write_answer` sends a head that was composed elsewhere, byte for byte: that is
  how an answer from the table equals the fast path's;
* a resource without ``render_HEAD`` is asked to ``GET``; the channel keeps the body back;
* nothing of it is understood before a resource asks: ``requestHeaders``, ``received_cookies`` and ``args``
  are made when they are first read, in time linear in what was sent (:mod:`edge.http.forms`).  A form
  that is malformed or over a bound is answered 400 or 413 if a resource asks for ``args``, and is a body
  like any other if none does.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import errno
import os
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http, resource, server
from twisted.web.error import UnsupportedMethod
from twisted.web.http_headers import Headers

from edge.http.answer import head_options
from edge.http.errors import ProtocolError, ServiceUnavailable
from edge.http.forms import is_form, parse_cookies, parse_form, parse_query, parse_segments

if TYPE_CHECKING:
    from edge.http.parser import RequestHead
    from edge.node.connection.context import ConnectionContext
    from edge.node.connection.holding import HeldFile, Holding
    from edge.node.connection.upgraded import Upgraded


#: What OPTIONS * says: the methods that some resource here has.
METHODS_SOMEWHERE = (b"GET", b"HEAD", b"OPTIONS", b"POST")


#: What is answered whatever host is named: whoever watches a node may know its address alone, and authorities
#: ask for challenges at names that are to become ours.
OF_ALL_HOSTS = (b"/.edge/health", b"/.edge/ready", b"/.well-known/acme-challenge/")
#: Of heads that are composed elsewhere, the statuses of what is in the table.
FROM_TABLE = (200, 206, 304)
#: Bytes of a body that are kept in memory; a longer one goes to a file.
BODY_IN_MEMORY = 64 * 1024


class RequestChannel(Protocol):
    """What a request needs of its channel, beside what ``twisted.web`` calls."""

    site: ConnectionContext
    holding: Holding

    @property
    def closing(self) -> bool:
        """Whether the connection ends with the answer that is being made."""

    @property
    def tls(self) -> str:
        """Protocol and cipher suite of the connection; "" over TCP."""

    def start_answer(self, head: bytes) -> None:
        """Send the head of the answer, which was composed with :attr:`closing` in mind."""

    def answered(self, status: int) -> None:
        """The answer is whole: count it, and write it down."""

    def write_error(self, status: int, explanation: str, lines: bytes = b"") -> None:
        """Send a whole error answer in the common form."""

    def send_file(self, file: BinaryIO, count: int) -> int | None:
        """Send of the next *count* bytes of *file* what there is room for: how many; None: write them."""

    def upgrade(self, head: bytes, protocol: Upgraded) -> None:
        """Answer with *head* (101); from then on the connection is that of *protocol*."""

    def abort(self) -> None:
        """End the connection so that the client notices: its answer cannot be completed."""


class EdgeRequest(server.Request):
    """One request and its answer; made by the channel when the head is whole."""

    _log = Logger()
    channel: RequestChannel  # type: ignore[assignment]
    site: Any  # a ConnectionContext that is a twisted.web Site, too
    content: BinaryIO

    def __init__(self, channel: RequestChannel, head: RequestHead) -> None:
        self.site = channel.site
        #: What the cache made of it, for the access log.
        self.cache = ""
        #: What the parser found.
        self.head = head
        super().__init__(channel, parsePOSTFormSubmission=False)
        for name in ("requestHeaders", "received_cookies"):  # empty ones; ours are made when asked for
            del self.__dict__[name]
        self.content = BytesIO()
        #: Bytes of the body that are in memory.
        self.body_in_memory = 0

    @cached_property
    def requestHeaders(self) -> Headers:  # type: ignore[override]
        """The fields as ``twisted.web`` has them: lines of one name in a list, not joined."""
        headers = Headers()
        for name, value in self.head.headers:
            headers.addRawHeader(name, value)
        if self.head.host is not None:
            headers.setRawHeaders(b"Host", [self.head.host])
        return headers

    @cached_property
    def received_cookies(self) -> dict[bytes, bytes]:  # type: ignore[override]
        """Name -> value of the cookies sent, as ``twisted.web`` reads them."""
        return parse_cookies(self.requestHeaders.getRawHeaders(b"Cookie", []))

    @cached_property
    def args(self) -> dict[bytes, list[bytes]]:  # type: ignore[override]
        """Name -> values of the query, and of the form in the body of a POST.

        :raises ProtocolError: there are too many, or the form is malformed; the channel answers so
            if the resource lets it pass.
        """
        head = self.head
        args = parse_query(head.query) if head.query is not None else {}
        content_type = head.fields.get(b"content-type")
        if head.method == b"POST" and content_type is not None and is_form(content_type):
            position = self.content.tell()
            self.content.seek(0)
            body = self.content.read()
            self.content.seek(position)
            if body:
                args.update(parse_form(content_type, body))
        return args

    @cached_property
    def site_number(self) -> int | None:
        """The number of the site that is asked; None: nobody's host."""
        found: int | None = self.site.hosts.find(self.head.host or b"")
        return found

    @cached_property
    def prefix(self) -> bytes:
        """What the names of its entries begin with (:mod:`edge.sites`)."""
        return b"" if self.site_number is None else self.site.hosts.prefix(self.site_number)

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this answer, so that its head has to say so."""
        return self.channel.closing

    def write_answer(self, status: int, head: bytes, body: bytes = b"") -> None:
        """Answer with exactly *head* (status line to empty line) and *body*, and finish.

        The body of an answer to HEAD may be given: it is not sent.
        """
        self.begin_answer(status, head)
        if body:
            self.write(body)
        self.finish()

    def begin_answer(self, status: int, head: bytes) -> None:
        """Send exactly *head*; the body follows by ``write`` and ``finish``."""
        self.code = status
        self.startedWriting = 1
        if status in FROM_TABLE:
            self.cache = "hit"
        self.channel.start_answer(head)

    def refuse(self, status: int, explanation: str, lines: bytes = b"") -> None:
        """Answer with an error in the common form; *lines* are further header lines with CRLF."""
        self.code = status
        self.startedWriting = 1
        self.channel.write_error(status, explanation, lines)
        self.finish()

    def received(self) -> None:
        """The request is whole: have a resource answer it."""
        self.content.seek(0)
        head = self.head
        self.method, self.path, self.clientproto = head.method, head.path, head.version
        self.uri = head.path if head.query is None else head.path + b"?" + head.query
        self.process()

    def refused(self) -> None:
        """The rest of it is malformed, too long or too slow: it was answered so."""
        self.content.close()

    def open(self, path: str) -> HeldFile:
        """The file of *path*, for its body; raises as :meth:`.holding.Holding.open`."""
        return self.channel.holding.open(path)

    def _to_file(self, body: BytesIO) -> None:
        """The *body* is long: it goes on in a file."""
        self.content = self.channel.holding.temporary()
        _write(self.content, body.getvalue())
        self.body_in_memory = 0

    # Twisted's overrides

    def handleContentChunk(self, data: bytes) -> None:
        body = self.content
        if isinstance(body, BytesIO) and self.body_in_memory + len(data) <= BODY_IN_MEMORY:
            self.body_in_memory += body.write(data)
            return
        try:
            if isinstance(body, BytesIO):
                self._to_file(body)
            _write(self.content, data)
        except OSError as error:
            raise ServiceUnavailable("The server has no room for the body.") from error

    def process(self) -> None:
        if self.path == b"*":
            self.write_answer(204, head_options(METHODS_SOMEWHERE, self.site.date(), close=self.closes))
            return
        if self.site_number is None and not self.path.startswith(OF_ALL_HOSTS):
            self.refuse(421, "No site here has this name.")
            return
        self.setHeader(b"Date", self.site.date())
        self.prepath: list[bytes] = []
        self.postpath = parse_segments(self.path)
        try:
            found = self.site.getResourceFor(self)
            if resource._IEncodingResource.providedBy(found):
                self._encoder = found.getEncoder(self)
            self.render(found)
        except Exception:
            self.processingFailed(Failure())

    def render(self, resrc: Any) -> None:
        try:
            body = resrc.render(self)
        except UnsupportedMethod as error:
            allowed = sorted({*error.allowedMethods, b"OPTIONS"})
            if self.method != b"HEAD" or b"GET" not in allowed:
                if self.method == b"OPTIONS":
                    self.write_answer(204, head_options(allowed, self.site.date(), close=self.closes))
                else:
                    self.refuse(405, "", b"Allow: " + b", ".join(allowed) + b"\r\n")
                return
            self.method = b"GET"
            body = resrc.render(self)
        if body is server.NOT_DONE_YET:
            return
        if not isinstance(body, bytes):
            raise TypeError(f"{resrc!r} rendered {type(body).__name__} instead of bytes")
        if self.code not in http.NO_BODY_CODES and self._encoder is None:
            self.setHeader(b"Content-Length", b"%d" % len(body))
        self.write(body)
        self.finish()

    def processingFailed(self, reason: Failure) -> Failure:
        if self.finished or self._disconnected:
            return reason
        refusal = reason.value
        if isinstance(refusal, ProtocolError) and not self.startedWriting:
            self.refuse(refusal.status, refusal.explanation, refusal.lines)
            return reason
        self._log.failure("{method} {path} failed", reason, method=self.method, path=self.path)
        if self.startedWriting:
            self.channel.abort()
        else:
            self.refuse(500, "The server failed to answer this request.")
        return reason


def _write(file: BinaryIO, data: bytes) -> None:
    """Write all of *data*; :exc:`OSError` if it does not fit."""
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
