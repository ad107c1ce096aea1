"""Sans-IO: reads one HTTP/1.1 answer (RFC 9112), in whatever pieces it comes.

An answer is lines, then perhaps a body; the body is counted, chunked, or everything until the server
closes::

    STATUS -> FIELDS -+-> COUNTED ------------------------+-> DONE
                      +-> SIZE -> CHUNK -> CHUNK_END -+    |
                      |     ^ \\                       |    |
                      |     |  +-> TRAILERS -----------|----+
                      |     +--------------------------+    |
                      +-> UNTIL_CLOSED -- ended() ---------+

Strict: what RFC 9110 or 9112 calls malformed, and what two readers could frame differently, is an error.
Any split of the same bytes gives the same result; ``loadgen/wire/src/wire_reply.c`` is the same in C, and a
test compares the two.
"""

from __future__ import annotations

import re

from loadgen.wire.interface import CODINGS, GARBAGE, TOO_LARGE

#: Of status line, fields and trailers together, with interim answers (1xx) before; also of one chunk's line.
HEAD_BYTES = 64 * 1024
#: Of an entity-tag, how much is kept.
ETAG_BYTES = 63
#: A Last-Modified that is longer is no date.
MODIFIED_BYTES = 31
#: What a max-age beyond it counts as (RFC 9111 section 1.2.2).
MAX_AGE = (1 << 31) - 1

_BEGIN = b"HTTP/1."
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*")
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)")
_LENGTH = re.compile(rb"[0-9]{1,18}")
# chunk-size [ chunk-ext ], RFC 9112 section 7.1; extensions are not looked into.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_ETAG = re.compile(rb'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')

_OTHER_CODING = len(CODINGS) - 1
_CODING_OF = {name.encode("ascii"): number for number, name in enumerate(CODINGS[:-1])} | {b"identity": 0}

STATUS, FIELDS, COUNTED, SIZE, CHUNK, CHUNK_END, TRAILERS, UNTIL_CLOSED, DONE = range(9)
_BODY = (COUNTED, CHUNK, UNTIL_CLOSED)


class AnswerError(Exception):
    """No answer, or none that may be read; ``error`` is a number of :mod:`loadgen.wire.interface`."""

    def __init__(self, error: int, why: str) -> None:
        super().__init__(why)
        self.error = error


class AnswerReader:
    """One answer, to a request that was for the head alone or not."""

    def __init__(self, body_limit: int, head_only: bool = False) -> None:
        self._body_limit = body_limit
        self._head_only = head_only
        self._rest = b""
        self._head_bytes = 0
        self._left = 0
        self.state = STATUS
        self.body = bytearray()
        self._begin(0)

    def _begin(self, status: int, version_1_0: bool = False) -> None:
        self.status = status
        #: The connection is of no use after this answer; known when the head has ended.
        self.closing = False
        #: Opaque tag, without quotes.
        self.etag = b""
        #: 1: it is weak.
        self.weak = 0
        #: Of the content, a number of CODINGS.
        self.coding = 0
        #: 1: it says when to come again.
        self.later = 0
        #: Seconds of Age; Last-Modified.
        self.age = 0
        self.modified = b""
        self._max_age = -1
        self._uncacheable = self._chunked = self._says_close = self._says_keep_alive = False
        self._version_1_0 = version_1_0
        self._length: int | None = None
        #: Its end is where Content-Length tells; known when the head has ended.
        self.counted = False

    @property
    def done(self) -> bool:
        """The answer is whole."""
        return self.state == DONE

    @property
    def max_age(self) -> int:
        """Of Cache-Control, in seconds; -1 without one, or with no-store or no-cache."""
        return -1 if self._uncacheable else self._max_age

    def receive(self, data: bytes) -> int:
        """Read on; how many bytes of *data* are of this answer (all, until it is done); AnswerError."""
        kept = len(self._rest)
        data = self._rest + data
        self._rest = b""
        at = 0
        while self.state != DONE and at < len(data):
            if self.state in _BODY:
                at += self._body_piece(
                    data[at : at + self._left] if self.state != UNTIL_CLOSED else data[at:]
                )
                continue
            if self.state == STATUS and not _BEGIN.startswith(data[at : at + len(_BEGIN)]):
                raise AnswerError(GARBAGE, f"not an HTTP/1.1 answer: {data[at : at + 40]!r}")
            end = data.find(b"\n", at) + 1
            if self._head_bytes + (end or len(data)) - at > HEAD_BYTES:
                raise AnswerError(TOO_LARGE, "an answer's head is over 64 KiB")
            if not end:
                self._rest = data[at:]
                at = len(data)
                break
            if data[end - 2 : end - 1] != b"\r" or end - 2 < at:
                raise AnswerError(GARBAGE, "a line that does not end in CR LF")
            if self.state not in (SIZE, CHUNK_END):
                self._head_bytes += end - at
            self._line(data[at : end - 2])
            at = end
        return at - kept

    def ended(self) -> bool:
        """The server has closed: whether that completes the answer."""
        if self.state == UNTIL_CLOSED:
            self.state = DONE
        return self.done

    def _body_piece(self, piece: bytes) -> int:
        if len(self.body) + len(piece) > self._body_limit:
            raise AnswerError(TOO_LARGE, f"a body over {self._body_limit:,} bytes")
        self.body += piece
        if self.state != UNTIL_CLOSED:
            self._left -= len(piece)
            if not self._left:
                self.state = DONE if self.state == COUNTED else CHUNK_END
        return len(piece)

    def _line(self, line: bytes) -> None:
        if self.state == STATUS:
            match = _STATUS_LINE.fullmatch(line)
            if match is None:
                raise AnswerError(GARBAGE, f"not an HTTP/1.1 answer: {line[:40]!r}")
            self._begin(int(match[2]), match[1] == b"0")
            self.state = FIELDS
        elif self.state in (FIELDS, TRAILERS):
            if not line:
                self.state = DONE if self.state == TRAILERS else self._framing()
                return
            match = _FIELD_LINE.fullmatch(line)
            if match is None:
                raise AnswerError(GARBAGE, f"not a field line: {line[:40]!r}")
            if self.state == FIELDS:
                self._field(match[1].lower(), match[2].strip(b" \t"))
        elif self.state == SIZE:
            match = _SIZE_LINE.fullmatch(line)
            if match is None:
                raise AnswerError(GARBAGE, f"not a chunk's size: {line[:40]!r}")
            self._left = int(match[1], 16)
            if len(self.body) + self._left > self._body_limit:
                raise AnswerError(TOO_LARGE, f"a body over {self._body_limit:,} bytes")
            self.state = CHUNK if self._left else TRAILERS
        elif line:
            raise AnswerError(GARBAGE, "a chunk that is longer than its size")
        else:
            self.state = SIZE

    def _framing(self) -> int:
        """The state after the head (RFC 9112 section 6.3)."""
        if self.status < 200:
            if self.status == 101:
                raise AnswerError(GARBAGE, "101 without having been asked to switch protocols")
            return STATUS
        self.closing = self._says_close or (self._version_1_0 and not self._says_keep_alive)
        if self._chunked and self._length is not None:
            raise AnswerError(GARBAGE, "both Transfer-Encoding and Content-Length")
        if self._head_only or self.status in (204, 304):
            return DONE
        if self._chunked:
            return SIZE
        if self._length is None:
            self.closing = True
            return UNTIL_CLOSED
        if self._length > self._body_limit:
            raise AnswerError(TOO_LARGE, f"a body over {self._body_limit:,} bytes")
        self.counted = True
        self._left = self._length
        return COUNTED if self._left else DONE

    def _field(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            if self._length is not None or not _LENGTH.fullmatch(value):
                raise AnswerError(GARBAGE, f"Content-Length {value[:40]!r}, or more than one")
            self._length = int(value)
        elif name == b"transfer-encoding":
            if self._chunked or value.lower() != b"chunked":
                raise AnswerError(GARBAGE, f"Transfer-Encoding {value[:40]!r}, or more than one")
            self._chunked = True
        elif name == b"connection":
            options = [option.strip(b" \t").lower() for option in value.split(b",")]
            self._says_close |= b"close" in options
            self._says_keep_alive |= b"keep-alive" in options
        elif name == b"etag":
            match = _ETAG.fullmatch(value)
            if match is not None and not self.etag:
                self.etag = match[1][:ETAG_BYTES]
                self.weak = int(bool(self.etag) and value.startswith(b"W/"))
        elif name == b"content-encoding":
            self.coding = _OTHER_CODING if self.coding else _CODING_OF.get(value.lower(), _OTHER_CODING)
        elif name == b"retry-after":
            self.later = 1
        elif name == b"age":
            if value.isdigit() and not self.age:
                self.age = min(int(value[:18]), MAX_AGE)
        elif name == b"last-modified":
            if len(value) <= MODIFIED_BYTES and not self.modified:
                self.modified = value
        elif name == b"cache-control":
            for directive in value.split(b","):
                self._cache_directive(directive.strip(b" \t").lower())

    def _cache_directive(self, directive: bytes) -> None:
        name, _, argument = directive.partition(b"=")
        if name in (b"no-store", b"no-cache"):
            self._uncacheable = True
        elif name == b"max-age" and self._max_age < 0:
            digits = argument[1:-1] if argument[:1] == argument[-1:] == b'"' else argument
            if digits.isdigit():
                self._max_age = min(int(digits[:18]), MAX_AGE)
