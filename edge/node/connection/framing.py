"""The framing of one answer on its way out: nothing may leave that the client could misread.

An application can declare one length and write another, write a body to HEAD, or put control
bytes into a reason phrase.  Whatever it does, what goes out is one well-formed answer, or a
connection that ends before the answer is whole (RFC 9112 sections 6.3 and 8).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edge.http.errors import reason_phrase
from edge.http.fields import are_lines, lower_name

if TYPE_CHECKING:
    from twisted.web.http_headers import Headers

    from edge.http.fields import Fields

#: Statuses whose answers have no body: RFC 9110 sections 15.2, 15.3.5 and 15.4.5.
_NO_BODY = (204, 304)
_NOT_IN_REASON = re.compile(rb"[^\t\x20-\x7e\x80-\xff]+")


class UnreadableError(Exception):
    """What an application gave cannot be sent: clients could misread it.  Says what, for the log."""


class OutgoingAnswer:
    """The answer that is being written: its head, how its body is delimited, and whether it closes."""

    def __init__(self, head_only: bool, closing: bool) -> None:
        """*head_only*: the answer to HEAD.  *closing*: the connection ends after it."""
        self.head_only = head_only
        self.closing = closing
        #: Bytes of the body that went out.
        self.sent = 0
        self._started = False
        self._left: int | None = None
        self._chunked = False

    @property
    def started(self) -> bool:
        """Whether the head went out."""
        return self._started

    def start(self) -> None:
        """The head goes out.

        :raises RuntimeError: for the second time.
        """
        if self._started:
            raise RuntimeError("an answer has only one head")
        self._started = True

    def head(self, status: int, reason: bytes, headers: Headers) -> bytes:
        """The head to send for what the application has set; notes how the body is delimited."""
        if b"close" in b",".join(headers.getRawHeaders(b"Connection", ())).lower():
            self.closing = True
        headers.removeHeader(b"Connection")
        if headers.hasHeader(b"Transfer-Encoding"):
            headers.removeHeader(b"Content-Length")
        self.head_only = self.head_only or status in _NO_BODY
        lengths = headers.getRawHeaders(b"Content-Length", ())
        if lengths:
            self._left = int(lengths[0])
        elif not headers.hasHeader(b"Transfer-Encoding") and not self.head_only:
            self.closing = True  # delimited by the end of the connection
        parts = [b"HTTP/1.1 %d %s\r\n" % (status, _NOT_IN_REASON.sub(b" ", reason))]
        parts += (b"%s: %s\r\n" % (name, v) for name, values in headers.getAllRawHeaders() for v in values)
        if self.closing:
            parts.append(b"Connection: close\r\n")
        return b"".join([*parts, b"\r\n"])

    def passed_head(
        self, status: int, fields: Fields, length: int | None, date: bytes, chunks: bool
    ) -> bytes:
        """The head of an answer that an application gave; notes how the body is delimited.

        :param fields: without those of the connection and without Content-Length.
        :param length: of the body, or, of an answer without one, of what would have been sent.
        :param date: for answers without a date of their own (RFC 9110 section 6.6.1).
        :param chunks: the client understands them (HTTP/1.1).
        :raises UnreadableError: a status or a field that would not be one.
        """
        if not 200 <= status <= 599:
            raise UnreadableError(f"there is no status {status!r} to answer with")
        block, has_date = _lines(fields)
        reason = "" if status == 304 else reason_phrase(status)  # small, as all 304s of a node
        parts = [b"HTTP/1.1 %d %b\r\n" % (status, reason.encode("ascii"))]
        if not has_date:
            parts.append(b"Date: %b\r\n" % date)
        parts.append(block)
        self.head_only = self.head_only or status in _NO_BODY
        if length is not None:
            if not (isinstance(length, int) and 0 <= length < 1 << 63):
                raise UnreadableError(f"no body has the length {length!r}")
            self._left = length
            if status != 204:
                parts.append(b"Content-Length: %d\r\n" % length)
        elif not self.head_only:
            self._chunked = chunks
            if chunks:
                parts.append(b"Transfer-Encoding: chunked\r\n")
            else:
                self.closing = True  # delimited by the end of the connection
        if self.closing:
            parts.append(b"Connection: close\r\n")
        return b"".join([*parts, b"\r\n"])

    def end(self, trailers: Fields) -> bytes:
        """What ends the body of a :meth:`passed_head`; :exc:`UnreadableError` as there."""
        if not self._chunked or self.head_only:
            return b""
        return b"0\r\n%b\r\n" % _lines(trailers)[0]

    def body(self, data: bytes) -> bytes:
        """As much of *data* as belongs to the answer, framed."""
        count = self.takes(len(data))
        if count != len(data):
            data = data[:count]
        return b"%x\r\n%b\r\n" % (count, data) if self._chunked and count else data

    def takes(self, count: int) -> int:
        """How many of the next *count* bytes of the application's body belong to the answer."""
        if self.head_only:
            return 0
        if self._left is not None:
            if count > self._left:
                self.closing = True
                count = self._left
            self._left -= count
        self.sent += count
        return count

    def has_room(self, count: int) -> bool:
        """Whether *count* more bytes all belong to the answer."""
        return not self.head_only and (self._left is None or count <= self._left)

    @property
    def short(self) -> bool:
        """Whether the body has fewer bytes than its head promised."""
        return not self.head_only and bool(self._left)


def interim_head(status: int, fields: Fields) -> bytes:
    """The head of an interim answer, 102 to 199, that an application gave; :exc:`UnreadableError`."""
    if not 102 <= status <= 199:
        raise UnreadableError(f"{status!r} is no interim answer that can be passed on")
    name = b"Early Hints" if status == 103 else b""
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, name, _lines(fields)[0])


def switching_head(upgrade: bytes, fields: Fields) -> bytes:
    """The head of 101, to the protocol *upgrade* (RFC 9110 section 7.8); :exc:`UnreadableError`."""
    lines = _lines(fields)[0]
    head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: %b\r\n%b\r\n"
    return head % (upgrade, lines)


#: What would end a body, or begin another one, elsewhere than we do; each is told apart from fields.
_FRAMES = frozenset({b"connection", b"content-length", b"transfer-encoding", b"upgrade"})


def _lines(fields: Fields) -> tuple[bytes, bool]:
    """(lines of *fields*, each with CRLF, whether Date is one of them)."""
    has_date = False
    for name, _ in fields:
        lower = lower_name(name)
        if not lower or lower in _FRAMES:
            raise UnreadableError(f"no field can have the name {name[:64]!r}")
        if lower == b"date":
            has_date = True
    block = b"".join([b"%b: %b\r\n" % field for field in fields])
    if not are_lines(block, len(fields)):
        raise UnreadableError("a field's value has a line end or another control character")
    return block, has_date
