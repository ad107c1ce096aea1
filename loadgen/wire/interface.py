"""What a wire is: HTTP/1.1 requests of very many users, each due at a time, and their answers.

A user is a browser: up to :data:`CONNECTIONS` keep-alive connections to a node, one request at a time on
each, closed after they have rested for a while, or sooner when descriptors run out.  A request is sent at
the first moment after it is due at which a connection is free; what the generator itself is late is kept
apart from what the user has to wait for a connection.

All times are nanoseconds of ``CLOCK_MONOTONIC`` (``time.monotonic_ns``).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

#: Connections of one user to one node at most: a browser's limit for HTTP/1.1.
CONNECTIONS = 6

#: ``Answer.error``; the numbers are fixed, the C side has them, too.
OK = 0
REFUSED = 1  # no connection: refused, unreachable, no descriptor left
CLOSED = 2  # closed or reset before the answer was whole
GARBAGE = 3  # what came is no HTTP/1.1 answer, or has no end that could be told
TOO_LARGE = 4  # a head over 64 KiB or a body over the limit
TIMEOUT = 5  # not whole when the time for it had passed
CANCELLED = 6  # by cancel()
NO_TLS = 7  # the handshake was refused, or what answers speaks no TLS
OLD_TLS = 8  # no TLS 1.3
UNTRUSTED = 9  # a certificate of nobody who is trusted
EXPIRED = 10  # a certificate whose time is over, or has not come
OTHER_NAME = 11  # a certificate for another name
LONGER = 12  # bytes behind the body that Content-Length tells: where it ends nobody knows
ERRORS = (
    "ok", "no connection", "closed early", "not an HTTP answer", "too large", "timeout", "cancelled",
    "no TLS handshake", "no TLS 1.3", "certificate not trusted", "certificate expired",
    "certificate for another name", "more than its Content-Length",
)  # fmt: skip
#: ``Answer.coding``; the last one: another, or several.
CODINGS = ("", "gzip", "deflate", "br", "zstd", "other")
#: Of one user and node: sessions that are kept for resumption, the newest, each offered once (RFC 8446 C.4).
SESSIONS = 2


class Limits(NamedTuple):
    """Of a wire."""

    #: A resting connection is closed by us after this.
    idle_ns: int = 60_000_000_000
    #: From due to the last byte of the answer.
    timeout_ns: int = 10_000_000_000
    #: Of one body; also what is read of an endless one.
    body_bytes: int = 16 << 20


class Handshake(NamedTuple):
    """A TLS handshake that is over."""

    node: int
    #: 1: by a session of before, without a certificate.
    resumed: int
    #: From when its first bytes were sent to the server's last.
    took_ns: int


class Answer(NamedTuple):
    """What became of one request."""

    #: As given to ``send``.
    token: int
    node: int
    #: 0 when there was none.
    status: int
    error: int
    #: Planned; taken up by the wire (later than due only by the generator's own fault); handed to the kernel
    #: whole; first byte of the answer; last byte, or the moment of the failure.  0: it did not come to that.
    due: int
    begun: int
    sent: int
    head: int
    done: int
    #: Above TCP; of TLS its records, and its handshake if one was needed.
    bytes_out: int
    bytes_in: int
    #: Opaque tag without quotes; b"" without one (at most 63 bytes are kept).
    etag: bytes
    #: Of Cache-Control: max-age in seconds; -1: there is none, or no-store, no-cache.
    max_age: int
    #: Where in ``Wire.bodies`` the body begins, and its length.
    body_at: int
    body_length: int
    #: Of Age, seconds (RFC 9111 section 5.1); 0 without one.
    age: int = 0
    #: 1: the entity tag is weak.
    weak: int = 0
    #: Of the content (RFC 9110 section 8.4): a number of :data:`CODINGS`.
    coding: int = 0
    #: 1: it says when to come again (Retry-After, RFC 9110 section 10.2.3).
    later: int = 0
    #: Last-Modified as it came; b"" without one (at most 31 bytes are kept).
    modified: bytes = b""


class Wire(Protocol):
    """Requests of very many users over real sockets, each sent when it is due."""

    #: "native" or "python".
    kind: str

    def node(self, host: str, port: int, name: str = "") -> int:
        """The number of the node at the IP address *host*; new ones get the next.

        *name*: over TLS, and this is in its certificate; "": in the clear.
        """

    def send(self, token: int, user: int, node: int, due: int, request: bytes) -> None:
        """Send *request*, whole with head and body, once it is due; *token*: 0 .. 2^63-1, its name.

        *user*: 0 .. the number of users given to the constructor, less 1.
        """

    def cancel(self, token: int) -> None:
        """Nobody waits for it any more; if it was sent, its connection closes.  Unknown: nothing happens."""

    def leave(self, user: int) -> None:
        """Close what *user* has open as soon as nothing is on its way."""

    def run(self, until: int) -> list[Answer]:
        """Send and receive until *until*, or until there are many answers; those since the last call."""

    @property
    def bodies(self) -> memoryview:
        """Bodies of the answers that ``run`` returned last; valid until it is called again."""

    def handshakes(self) -> list[Handshake]:
        """Those that were completed since the last call."""

    def connections(self) -> int:
        """How many are open now."""

    def opened(self) -> int:
        """How many have been opened so far."""

    def close(self) -> None:
        """Close all; what is on its way is forgotten."""
