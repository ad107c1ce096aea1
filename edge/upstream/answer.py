"""From bytes to one answer: strict HTTP/1.1, read by httptools (llhttp) within bounds that it lacks.

A reader is for one question.  Give it what the connection brings (:meth:`AnswerReader.receive`) and say
when the server has closed (:meth:`AnswerReader.close`); both return what that made known.  The law:

* The events are a function of the bytes alone, however they were cut, but for how a body is cut.
* What two readers could take for two answers is none: :exc:`AnswerError`, once; after it nothing is reported.
* The end of an answer that is over comes once.  What follows it on the connection was not asked for: the
  answer counts, the connection does not (:attr:`End.reusable`).

=====================================  =================================================================
refused                                why
=====================================  =================================================================
Content-Length and Transfer-Encoding   two lengths (RFC 9112 section 6.3); by llhttp
Content-Length twice, as a list, +3    likewise; by llhttp
Content-Length of 2^63 and more        nobody can send as much
Transfer-Encoding but ``chunked``      who does not know a coding does not know the end (section 6.1)
Transfer-Encoding in HTTP/1.0          was read by few (section 6.1)
another version than 1.0 and 1.1       nobody asked for it
status under 100 and over 599          RFC 9110 section 15
bare LF, folded lines, NUL and the     what one server repairs, the next one reads otherwise; by llhttp
like, space before a colon
101 without having been asked          RFC 9110 section 7.8
a length in 1xx and 204                RFC 9110 section 8.6; other than 0
a head, a trailer section, or what     an answer without an end
frames chunks, over its limit
more than 16 interim answers           likewise
the end before the end                 short answers are not whole ones
=====================================  =================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field

import httptools

from edge.http.fields import Fields, list_members
from edge.upstream.fields import of_answer

__all__ = [
    "AnswerError",
    "AnswerReader",
    "ClosedEarlyError",
    "End",
    "Event",
    "Head",
    "Interim",
    "Limits",
    "Switched",
]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one answer, in bytes unless said otherwise; each is the largest value allowed."""

    #: One head, interim or not.  Sessions in cookies make heads of several KiB; nginx takes 4 to 8, h2o 64.
    head: int = 32 * 1024
    #: Lines of a head, and of a trailer section.
    fields: int = 128
    #: What frames a body in chunks: sizes, extensions, the trailer section; and :data:`FRAMING_OF_BYTE`
    #: for each byte of data.
    framing: int = 8 * 1024
    #: Interim answers, 1xx.
    interim: int = 16


class AnswerError(Exception):
    """What came is no answer; says why, in a sentence for the log."""


class ClosedEarlyError(AnswerError):
    """The server has closed before the answer was over."""


@dataclass(slots=True)
class Interim:
    """An interim answer: 100, 102, 103 ..."""

    status: int
    fields: Fields


@dataclass(slots=True)
class Head:
    """The head of the final answer."""

    status: int
    #: Without those of the connection and without Content-Length.
    fields: Fields
    #: Of Content-Length; None without one.  To HEAD and in 304: of what would have been sent.
    length: int | None


@dataclass(slots=True)
class Switched:
    """101: what follows is the other protocol; *rest* came with the head already."""

    fields: Fields
    rest: bytes


@dataclass(slots=True)
class End:
    """The answer is whole."""

    trailers: Fields = field(default_factory=list)
    #: The connection may be asked the next question.
    reusable: bool = True
    #: Value of Keep-Alive, which says how long it may rest.
    keep_alive: bytes | None = None


#: ``bytes`` is a piece of the body.
Event = Interim | Head | Switched | bytes | End

#: Bytes of framing that a byte of data may cost: five in chunks of one byte.
FRAMING_OF_BYTE = 8

_LIMITS = Limits()
_BEGINNING = b"HTTP/1."
_HEAD_END = b"\r\n\r\n"


class AnswerReader:
    """The answer to one question with *method*; *upgrade*: the protocol that it asked to switch to."""

    __slots__ = (
        "_buffer",
        "_chunks",
        "_interim",
        "_keep_alive",
        "_left",
        "_limits",
        "_method",
        "_over",
        "_reusable",
        "_searched",
        "_until_close",
        "_upgrade",
        "begun",
    )

    def __init__(self, method: bytes, upgrade: bytes = b"", limits: Limits = _LIMITS) -> None:
        self._method = method
        self._upgrade = upgrade
        self._limits = limits
        #: Something has come: the server has read the question, or part of it.
        self.begun = False
        #: Of a head that is not whole, and how much of it has been searched for its end in vain.
        self._buffer = b""
        self._searched = 0
        self._interim = 0
        self._over = False
        self._reusable = True
        self._keep_alive: bytes | None = None
        # How the body ends, as soon as the head is known: one of the three.
        self._left: int | None = None
        self._chunks: _Chunks | None = None
        self._until_close = False

    @property
    def over(self) -> bool:
        """The answer is whole, or there will be none."""
        return self._over

    def receive(self, data: bytes) -> list[Event]:
        """What *data* makes known, in order.

        :raises AnswerError: it is no answer; what was known before the place where it is wrong is lost with
        it.
        """
        if self._over or not data:
            return []
        self.begun = True
        events: list[Event] = []
        try:
            while data and not self._over:
                data = self._body(data, events) if self._is_in_body else self._head(data, events)
        except AnswerError:
            self._over = True
            raise
        if data and self._over and events and type(events[-1]) is End:
            events[-1].reusable = False
        return events

    def close(self) -> list[Event]:
        """The server has closed.

        :raises ClosedEarlyError: before the answer was over.
        """
        if self._over:
            return []
        self._over = True
        if self._until_close:
            return [End(reusable=False)]
        raise ClosedEarlyError(
            "it closed in the middle of the answer" if self.begun else "it closed without an answer"
        )

    @property
    def _is_in_body(self) -> bool:
        return self._left is not None or self._chunks is not None or self._until_close

    # Each step takes data and returns what is left of it

    def _head(self, data: bytes, events: list[Event]) -> bytes:
        if self._buffer:
            data = self._buffer + data
        if self._searched < 7 and data[:7] != _BEGINNING[: len(data)]:
            raise AnswerError("what it says is not HTTP/1.x")
        limit = self._limits.head
        end = data.find(_HEAD_END, max(self._searched - 3, 0), limit)
        if end < 0:
            if len(data) >= limit:
                raise AnswerError(f"the head of its answer is longer than {limit} bytes")
            self._buffer, self._searched = data, len(data)
            return b""
        self._buffer, self._searched = b"", 0
        rest = data[end + 4 :]
        seen = _read_head(data[: end + 4])
        if len(seen.fields) > self._limits.fields:
            raise AnswerError(f"its answer has more than {self._limits.fields} header fields")
        if seen.status >= 200:
            self._final(seen, events)
            return rest
        return self._interim_head(seen, events, rest)

    def _interim_head(self, seen: _SeenHead, events: list[Event], rest: bytes) -> bytes:
        if seen.length or seen.coding:
            raise AnswerError(f"an answer {seen.status} has no body, and its head has the length of one")
        if seen.status == 101:
            if not self._upgrade or [self._upgrade.lower()] != seen.upgrade:
                raise AnswerError("it switches protocols (101), and was not asked to, or not to this one")
            self._over = True
            events.append(Switched(of_answer(seen.fields), rest))
            return b""
        self._interim += 1
        if self._interim > self._limits.interim:
            raise AnswerError(f"it gave more than {self._limits.interim} interim answers (1xx)")
        events.append(Interim(seen.status, of_answer(seen.fields)))
        return rest

    def _final(self, seen: _SeenHead, events: list[Event]) -> None:
        """Note how the body ends (RFC 9112 section 6.3)."""
        status = seen.status
        if seen.coding and (seen.is_1_0 or seen.coding != [b"chunked"]):
            raise AnswerError("the Transfer-Encoding of its answer is not chunked alone, or it is HTTP/1.0")
        if seen.length is not None and seen.length >> 63:
            raise AnswerError("no answer is as long as the head of its answer says")
        if status == 204 and (seen.length or seen.coding):
            raise AnswerError("an answer 204 has no body, and its head has the length of one")
        self._reusable = seen.keeps_alive
        self._keep_alive = seen.keep_alive
        events.append(Head(status, of_answer(seen.fields), seen.length))
        if self._method == b"HEAD" or status in (204, 304) or seen.length == 0:
            self._end(events)
        elif seen.coding:
            self._chunks = _Chunks(self._limits)
        elif seen.length is not None:
            self._left = seen.length
        else:
            self._until_close = True

    def _body(self, data: bytes, events: list[Event]) -> bytes:
        if self._until_close:
            events.append(data)
            return b""
        if self._chunks is not None:
            found = self._chunks.receive(data)
            if found:
                events.append(found)
            if self._chunks.over:
                self._reusable = self._reusable and not self._chunks.more
                self._end(events, of_answer(self._chunks.trailers))
            return b""
        left = self._left or 0
        if len(data) < left:
            self._left = left - len(data)
            events.append(data)
            return b""
        events.append(data[:left] if len(data) > left else data)
        self._end(events)
        return data[left:]

    def _end(self, events: list[Event], trailers: Fields | None = None) -> None:
        self._over = True
        events.append(End(trailers or [], self._reusable, self._keep_alive))


class _SeenHead:
    """One head as llhttp reads it: the callbacks of httptools, and what they were given."""

    __slots__ = ("coding", "fields", "is_1_0", "keep_alive", "keeps_alive", "length", "status", "upgrade")

    def __init__(self) -> None:
        self.fields: Fields = []
        self.status = 0
        self.is_1_0 = False
        self.keeps_alive = True
        self.length: int | None = None
        self.coding: list[bytes] = []
        self.keep_alive: bytes | None = None
        self.upgrade: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line."""
        self.fields.append((name, value.rstrip(b" \t")))

    def understand(self) -> None:
        """Note what frames the message."""
        for name, value in self.fields:
            size = len(name)
            if size == 14 and name.lower() == b"content-length":
                self.length = int(value)
            elif size == 17 and name.lower() == b"transfer-encoding":
                self.coding.append(value.lower())
            elif size == 10 and name.lower() == b"keep-alive":
                self.keep_alive = value
            elif size == 10 and name.lower() == b"connection":
                self.keeps_alive = self.keeps_alive and b"close" not in list_members(value.lower())
            elif size == 7 and name.lower() == b"upgrade":
                self.upgrade.append(value.lower())


def _read_head(head: bytes) -> _SeenHead:
    seen = _SeenHead()
    parser = httptools.HttpResponseParser(seen)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # 101; what comes of it is decided by the question
    except httptools.HttpParserError as error:
        raise AnswerError(f"the head of its answer is malformed ({error})") from None
    seen.status = parser.get_status_code()
    version = parser.get_http_version()
    if version not in ("1.1", "1.0"):
        raise AnswerError("what it says is not HTTP/1.x")
    if not 100 <= seen.status <= 599:
        raise AnswerError(f"there is no status {seen.status}")
    seen.is_1_0 = version == "1.0"
    seen.keeps_alive = not seen.is_1_0
    seen.understand()
    return seen


class _Chunks:
    """A body in chunks as llhttp reads it, and a bound on what frames it."""

    __slots__ = ("_data", "_framing", "_limits", "_parser", "_pieces", "more", "over", "trailers")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._data = self._framing = 0  # bytes so far
        self.trailers: Fields = []
        self.over = False
        #: Something came after the end.
        self.more = False
        self._parser.feed_data(b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n")
        self.trailers.clear()  # the line above is none

    def receive(self, data: bytes) -> bytes:
        """The body's data in *data*."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.over:
                raise AnswerError(f"the chunks of its answer are malformed ({error})") from None
            self.more = True
        found = b"".join(self._pieces)
        self._pieces.clear()
        self._data += len(found)
        self._framing += len(data) - len(found)
        if self._framing > self._limits.framing + FRAMING_OF_BYTE * self._data:
            raise AnswerError("the sizes, extensions and trailers of its answer's chunks are too long")
        if len(self.trailers) > self._limits.fields:
            raise AnswerError(f"its answer has more than {self._limits.fields} trailer fields")
        return found

    # As httptools has it

    def on_message_begin(self) -> None:
        """The first time that of the line above; the second time what nobody asked for."""
        if self.over:
            self.more = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line of the trailer section."""
        if not self.over:
            self.trailers.append((name, value.rstrip(b" \t")))

    def on_body(self, data: bytes) -> None:
        """A piece of a chunk's data."""
        if not self.over:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        """The last chunk and the trailer section have come."""
        self.over = True
