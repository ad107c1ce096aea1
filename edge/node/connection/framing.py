"""The framing of one answer on its way out: nothing may leave that the client could misread.

An application can declare one length and write another, write a body to HEAD, or put control
bytes into a reason phrase.  Whatever it does, what goes out is one well-formed answer, or a
connection that ends before the answer is whole (RFC 9112 sections 6.3 and 8).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.web.http_headers import Headers

#: Statuses whose answers have no body: RFC 9110 sections 15.2, 15.3.5 and 15.4.5.
_NO_BODY = (204, 304)
_NOT_IN_REASON = re.compile(rb"[^\t\x20-\x7e\x80-\xff]+")


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

    def body(self, data: bytes) -> bytes:
        """As much of *data* as belongs to the answer."""
        return data[: self.takes(len(data))]

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
