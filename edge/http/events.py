"""What :class:`edge.http.parser.RequestParser` reports, and the limits it is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from edge.http.fields import Fields


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one request, in bytes unless said otherwise; each is the largest value allowed."""

    #: Request-target; 8,000 is the least that RFC 9112 section 3 recommends.  Over it: 414.
    target: int = 8 * 1024
    #: Header section: all field lines and the empty line.  nginx and Apache are near this.  431.
    head: int = 16 * 1024
    #: Lines of a header section, and of a trailer section.  431.
    fields: int = 100
    #: Body, after chunked is decoded.  413.
    body: int = 1024 * 1024
    #: First line of one chunk: size and extensions, without CRLF.  400.
    chunk_line: int = 256
    #: Extensions of all chunks of a body.  400.
    chunk_extensions: int = 512
    #: Trailer section.  431.
    trailers: int = 4 * 1024


class Nothing(Enum):
    """The type of :data:`NEED_DATA`."""

    NEED_DATA = "need data"


#: There is no event now.  Either more bytes have to come, or the message is over and
#: :meth:`~edge.http.parser.RequestParser.start_next_cycle` has not been called.
NEED_DATA: Literal[Nothing.NEED_DATA] = Nothing.NEED_DATA


@dataclass(slots=True)
class RequestHead:
    """A whole, correct head."""

    #: One of :data:`edge.http.grammar.METHODS`.
    method: bytes
    #: The request-target as sent.
    target: bytes
    #: ``HTTP/1.0``, ``HTTP/1.1``, or a later 1.x that is treated as 1.1.
    version: bytes
    #: (name, value) as sent, in order.
    headers: Fields
    #: Lower-case name -> value, repeated lines joined by a comma and a space.
    fields: dict[bytes, bytes]
    #: The target's path as sent, or ``*``; see :func:`edge.http.target.canonical_path`.
    path: bytes
    #: What follows the first ``?`` of the target; None without one.
    query: bytes | None
    #: TAG of a last query parameter ``~etag=TAG``: one more entity-tag for If-None-Match.
    tag: bytes | None
    #: Authority of an absolute target, else the value of Host; None only in HTTP/1.0.
    host: bytes | None
    #: The connection may serve another request after this one.
    keep_alive: bool
    #: The client waits for ``100 Continue`` before it sends the body.
    expect_continue: bool
    #: Octets of body that follow, 0 for none; None: chunked.
    content_length: int | None

    @property
    def has_body(self) -> bool:
        """Whether a body follows (a chunked one may turn out empty)."""
        return self.content_length != 0


@dataclass(slots=True)
class Data:
    """A piece of the body, at least one byte; how it is cut has no meaning."""

    data: bytes


@dataclass(slots=True)
class EndOfMessage:
    """The request is whole."""

    #: As in :attr:`RequestHead.headers`.  They never change what the head said.
    trailers: Fields = field(default_factory=list)


Event = RequestHead | Data | EndOfMessage
