"""What a request can be refused for.

The parser and the other functions of this folder raise these, and nothing else, whatever bytes
they are given.  Each carries what the answer needs; :func:`edge.http.answer.error_answer` composes
it.  After any of them the connection is closed: where the next request begins is not known for
certain.

::

    ProtocolError
    |-- BadRequest              400  malformed or ambiguous: nobody may act on it
    |-- Forbidden               403  a page of another origin
    |-- RequestTimeout          408  the head (or body) took too long; raised by the shell
    |-- ContentTooLarge         413  the body is over the limit
    |-- TargetTooLong           414  the request-target is over the limit
    |-- UnsupportedMediaType    415  a body of another type than the resource takes
    |-- ExpectationFailed       417  Expect with anything but 100-continue
    |-- UpgradeRequired         426  not the handshake of a WebSocket
    |-- HeadTooLarge            431  the header section is over a limit
    |-- NotImplementedHere      501  method or transfer coding that nobody here knows
    |-- ServiceUnavailable      503  more than the share of its address; raised by the shell
    `-- VersionNotSupported     505  another major version than 1
"""

from __future__ import annotations

from typing import ClassVar

#: Reason phrases of the statuses that this server makes itself, RFC 9110 section 15.
REASONS: dict[int, str] = {
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "",  # allowed to be empty, RFC 9112 section 4: twelve bytes less in the commonest answer
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    421: "Misdirected Request",
    426: "Upgrade Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    508: "Loop Detected",
}


def reason_phrase(status: int) -> str:
    """The reason phrase for *status*; empty (which is allowed) when we have no name for it."""
    return REASONS.get(status, "")


class ProtocolError(Exception):
    """A refusal: *status*, one sentence for the client, and further header lines."""

    status: int = 400
    #: What is said when no more is known.
    default: ClassVar[str] = "The request cannot be understood."

    def __init__(
        self, explanation: str = "", headers: tuple[tuple[bytes, bytes], ...] = (), status: int | None = None
    ) -> None:
        """*explanation*: one sentence, ASCII.  *headers*: (name, value) for the answer."""
        self.explanation = explanation or self.default
        self.headers = headers
        if status is not None:
            self.status = status
        super().__init__(f"{self.status} {reason_phrase(self.status)}: {self.explanation}")

    @property
    def lines(self) -> bytes:
        """The *headers* as header lines, each ended by CRLF."""
        return b"".join(b"%s: %s\r\n" % pair for pair in self.headers)


class BadRequest(ProtocolError):
    """400: RFC 9110 section 15.5.1."""


class RequestTimeout(ProtocolError):
    """408: RFC 9110 section 15.5.9."""

    status = 408
    default = "The request did not arrive in time."


class ContentTooLarge(ProtocolError):
    """413: RFC 9110 section 15.5.14."""

    status = 413
    default = "The body of the request is too large."


class TargetTooLong(ProtocolError):
    """414: RFC 9110 section 15.5.15."""

    status = 414
    default = "The request target is too long."


class UnsupportedMediaType(ProtocolError):
    """415: RFC 9110 section 15.5.16."""

    status = 415
    default = "This resource does not take a body of that type."


class ExpectationFailed(ProtocolError):
    """417: RFC 9110 section 15.5.18."""

    status = 417
    default = "The only expectation that can be met is 100-continue."


class HeadTooLarge(ProtocolError):
    """431: RFC 6585 section 5."""

    status = 431
    default = "The header fields of the request are too large."


class NotImplementedHere(ProtocolError):
    """501: RFC 9110 section 15.6.2."""

    status = 501
    default = "This server does not know that method."


class ServiceUnavailable(ProtocolError):
    """503: RFC 9110 section 15.6.4."""

    status = 503
    default = "The server cannot answer now."

    def __init__(self, explanation: str = "") -> None:
        super().__init__(explanation, ((b"Retry-After", b"1"),))


class VersionNotSupported(ProtocolError):
    """505: RFC 9110 section 15.6.6."""

    status = 505
    default = "This server speaks HTTP/1.1."


#: What is said with a status when nobody says more: :func:`edge.http.answer.error_answer`.
DEFAULT_EXPLANATIONS: dict[int, str] = {
    **{kind.status: kind.default for kind in ProtocolError.__subclasses__()},
    403: "Access to this resource is not allowed.",
    404: "There is nothing at this path.",
    410: "What was at this path is gone, and will not come back.",
    405: "This resource does not have that method.",
    412: "A precondition of the request does not hold.",
    416: "The requested range lies outside of the representation.",
    500: "The server failed to answer this request.",
}


class Forbidden(ProtocolError):
    """403, RFC 9110 section 15.5.4: of another origin (cross-site WebSocket hijacking)."""

    status = 403
    default = "Pages of this origin may not connect; see --public-url and --allow-origin."


class UpgradeRequired(ProtocolError):
    """426: RFC 9110 section 15.5.22."""

    status = 426
    default = "This is a WebSocket endpoint: GET with Upgrade: websocket, version 13."
