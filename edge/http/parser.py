"""From bytes to requests: a strict HTTP/1.1 server-side parser that does no input or output.

Give it what the connection brings (:meth:`RequestParser.receive`), take what it found
(:meth:`RequestParser.next_event`) until there is nothing, and tell it when the answer is written
(:meth:`RequestParser.start_next_cycle`).  The law:

* The events are a function of the bytes alone, however they were cut.  Therefore every decision is
  taken at a place that the bytes fix: a line end, a line end that should not be one, a limit.
* The next request is not looked at before its turn: an error in it comes after the answer to the
  one before.
* The first :exc:`~edge.http.errors.ProtocolError` is the last word; so is the end of a message that
  asked to close.  What comes after either is dropped.
* Nothing but ProtocolError is raised, whatever the bytes.

::

    LINE ---> FIELDS ---> LENGTH ----------------------+--> DONE --start_next_cycle--> LINE
                 |                                     |      |
                 +------> CHUNK_LINE <--+              |      +-- after Connection: close --> CLOSED
                 |         |      |     |              |
                 |         |      +-> CHUNK_DATA       |   any refusal --> CLOSED
                 |         +-> TRAILERS ---------------+
                 +---- no body ------------------------+

Where RFC 9112 leaves a choice: one empty line before a request is skipped (section 2.2), more are
refused; identical lines of Content-Length are one; a minor version above 1 counts as 1; HTTP/1.0 is
never kept alive.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from edge.http.errors import BadRequest, ContentTooLarge, HeadTooLarge, ProtocolError
from edge.http.events import NEED_DATA, Data, EndOfMessage, Event, Limits, Nothing, RequestHead
from edge.http.fields import Fields, parse_fields
from edge.http.framing import SMALL, chunk_size, small_chunks
from edge.http.grammar import PLAIN_CHUNK_LINE, TOKEN
from edge.http.head import make_head
from edge.http.request_line import LINE_OVERHEAD, RequestLine, parse_request_line, refuse_long_line

__all__ = [
    "NEED_DATA",
    "Data",
    "EndOfMessage",
    "Event",
    "Limits",
    "Nothing",
    "ProtocolError",
    "RequestHead",
    "RequestParser",
]


class _State(Enum):
    LINE = auto()
    FIELDS = auto()
    LENGTH = auto()
    CHUNK_LINE = auto()
    CHUNK_DATA = auto()
    TRAILERS = auto()
    DONE = auto()
    CLOSED = auto()

    # Enum's own is written in Python, and is called for each step of each request.
    __hash__ = object.__hash__


class RequestParser:
    """The requests of one connection, in order.  See the module's docstring."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._buffer = bytearray()
        self._begin_message()

    def _begin_message(self) -> None:
        self._state = _State.LINE
        #: The buffer before this place has been searched in vain.
        self._searched = 0
        self._skipped_empty_line = False
        self._line: RequestLine | None = None
        self._keep_alive = False
        #: Octets still to come of the body, or of the present chunk.
        self._left = 0
        #: Octets of the body, and of chunk extensions, so far.
        self._body_size = 0
        self._extensions_size = 0

    def receive(self, data: bytes) -> None:
        """Take what the connection brought.  Never raises."""
        if self._state is not _State.CLOSED:
            self._buffer += data

    def next_event(self) -> Event | Nothing:
        """The next event, or :data:`NEED_DATA`.

        :raises ProtocolError: the request is refused; once.  From then on there are no events.
        """
        try:
            while (step := _STEPS.get(self._state)) is not None:
                before = self._state
                event = step(self)
                if event is not None:
                    return event
                if self._state is before:
                    break
        except ProtocolError:
            self._close()
            raise
        return NEED_DATA

    def start_next_cycle(self) -> None:
        """The answer is complete: go on to the next request of the connection.

        Does nothing after a refusal.  After a request that closes, all further bytes are dropped.

        :raises RuntimeError: the message is not over (no EndOfMessage yet): a mistake of the caller.
        """
        if self._state is _State.CLOSED:
            return
        if self._state is not _State.DONE:
            raise RuntimeError("start_next_cycle before the end of the message")
        if self._keep_alive:
            self._begin_message()
        else:
            self._close()

    @property
    def trailing(self) -> bytes:
        """What was received and not used: between two requests, the beginning of the next one."""
        return bytes(self._buffer)

    @property
    def buffered(self) -> int:
        """The length of :attr:`trailing`."""
        return len(self._buffer)

    @property
    def closed(self) -> bool:
        """No request will come any more: one was refused, or asked to close and is over."""
        return self._state is _State.CLOSED

    @property
    def method(self) -> bytes:
        """Of the request that is being read, as soon as its first line is known; else empty."""
        return self._line.method if self._line is not None else b""

    @property
    def idle(self) -> bool:
        """Between two requests, or before the first, with no byte of the next one here."""
        return self._state is _State.LINE and not self._buffer and not self._skipped_empty_line

    def _close(self) -> None:
        self._state = _State.CLOSED
        self._buffer.clear()

    def _take(self, count: int) -> bytes:
        """Remove *count* bytes from the front of the buffer."""
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._searched = 0
        return taken

    # Each step takes what it needs from the buffer and sets the next state, or leaves both alone.

    def _request_line(self) -> Event | None:
        buffer = self._buffer
        if not self._skipped_empty_line and buffer[:1] == b"\r":
            if len(buffer) == 1:
                return None
            if buffer[1] != 0x0A:
                raise BadRequest("The request begins with a bare CR.")
            self._take(2)
            self._skipped_empty_line = True
        if not buffer:
            return None
        if not TOKEN.match(buffer, 0, 1):
            raise BadRequest("The request does not begin with a method.")
        room = self._limits.target + LINE_OVERHEAD
        feed = buffer.find(b"\n", self._searched, room)
        if feed < 0:
            self._searched = min(len(buffer), room)
            if len(buffer) >= room:
                refuse_long_line(bytes(buffer[:room]), self._limits.target)
            return None
        line = self._take(feed + 1)
        if line[-2:] != b"\r\n":
            raise BadRequest("The request line ends with a bare LF.")
        self._line = parse_request_line(line[:-2], self._limits.target)
        self._state = _State.FIELDS
        return None

    def _section(self, limit: int, what: str) -> Fields | None:
        """The field section at the front of the buffer, taken off it; None: not all here."""
        buffer = self._buffer
        if buffer.startswith(b"\r\n"):
            self._take(2)
            return []
        searched = self._searched
        end = buffer.find(b"\r\n\r\n", max(searched - 3, 0), limit)
        # A bare LF is refused where it stands: a client that ends all its lines so would wait.
        if _has_bare_feed(buffer, searched, limit if end < 0 else end):
            raise BadRequest(f"The {what} section has a line that ends with a bare LF.")
        if end < 0:
            self._searched = min(len(buffer), limit)
            if len(buffer) >= limit:
                raise HeadTooLarge(f"The {what} section is longer than {limit} bytes.")
            return None
        block = self._take(end + 4)
        return parse_fields(block[:-2], self._limits.fields)

    def _head(self) -> Event | None:
        headers = self._section(self._limits.head, "header")
        if headers is None:
            return None
        assert self._line is not None, "the state FIELDS comes after LINE"
        head = make_head(self._line, headers, self._limits.body)
        self._keep_alive = head.keep_alive
        self._left = head.content_length or 0
        self._state = _State.CHUNK_LINE if head.content_length is None else _State.LENGTH
        return head

    def _body(self) -> Event | None:
        """Data of known length: a whole body, or one chunk."""
        if self._left:
            if not self._buffer:
                return None
            data = self._take(min(self._left, len(self._buffer)))
            self._left -= len(data)
            return Data(data)
        if self._state is _State.LENGTH:
            self._state = _State.DONE
            return EndOfMessage()
        end = bytes(self._buffer[:2])
        if not b"\r\n".startswith(end):
            raise BadRequest("The data of a chunk does not end with CRLF.")
        if len(end) == 2:
            self._take(2)
            self._state = _State.CHUNK_LINE
        return None

    def _plain_chunks(self) -> Event | None:
        """The data of all chunks at the front of the buffer that are whole and have no extensions.

        A megabyte may come in chunks of one byte: taken one by one they would cost a thousand times as much.
        """
        buffer, at = self._buffer, 0
        pieces: list[bytes | bytearray] = []
        room = self._limits.body - self._body_size
        while room >= 0 and (line := PLAIN_CHUNK_LINE.match(buffer, at)) is not None:
            begin = line.end()
            end = begin + int(line[1], 16)
            if end - begin <= SMALL:
                small, length = small_chunks(buffer, at, room)
                if not small:
                    break
                pieces += small
                at += length
                room -= sum(map(len, small))
                continue
            room -= end - begin
            if room < 0 or buffer[end : end + 2] != b"\r\n":
                break
            pieces.append(buffer[begin:end])
            at = end + 2
        if not pieces:
            return None
        self._take(at)
        data = b"".join(pieces)
        self._body_size += len(data)
        return Data(data)

    def _chunk_line(self) -> Event | None:
        if (chunks := self._plain_chunks()) is not None:
            return chunks
        limit = self._limits.chunk_line
        feed = self._buffer.find(b"\n", self._searched, limit + 2)
        if feed < 0:
            self._searched = min(len(self._buffer), limit + 2)
            if len(self._buffer) >= limit + 2:
                raise BadRequest(f"The first line of a chunk is longer than {limit} bytes.")
            return None
        line = self._take(feed + 1)
        if line[-2:] != b"\r\n":
            raise BadRequest("The first line of a chunk ends with a bare LF.")
        self._left, extensions = chunk_size(line[:-2])
        self._extensions_size += extensions
        if self._extensions_size > self._limits.chunk_extensions:
            raise BadRequest("The chunks have too many extensions.")
        self._body_size += self._left
        if self._body_size > self._limits.body:
            raise ContentTooLarge(f"The body of the request is longer than {self._limits.body} bytes.")
        self._state = _State.CHUNK_DATA if self._left else _State.TRAILERS
        return None

    def _trailers(self) -> Event | None:
        trailers = self._section(self._limits.trailers, "trailer")
        if trailers is None:
            return None
        self._state = _State.DONE
        return EndOfMessage(trailers)


def _has_bare_feed(buffer: bytearray, start: int, end: int) -> bool:
    """Whether a line feed stands in *buffer* from *start* to *end* without a carriage return before it.

    RFC 9112 section 2.2 lets a recipient take it for a line end; we do not, because a front that does not
    either would see another request.  Two counts: a regex that looks back cost a third of the whole head.
    """
    return buffer.count(b"\n", start, end) != buffer.count(b"\r\n", max(start - 1, 0), end)


_STEPS: dict[_State, Callable[[RequestParser], Event | None]] = {
    _State.LINE: RequestParser._request_line,
    _State.FIELDS: RequestParser._head,
    _State.LENGTH: RequestParser._body,
    _State.CHUNK_LINE: RequestParser._chunk_line,
    _State.CHUNK_DATA: RequestParser._body,
    _State.TRAILERS: RequestParser._trailers,
}
