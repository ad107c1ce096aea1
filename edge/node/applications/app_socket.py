"""WebSockets to a process that speaks edge-app/1: frames on the visitor's side, messages on the other.

To the gateway this is an exchange after 101 like any other: raw bytes both ways.  The protocol itself, RFC
6455, is :mod:`edge.http.websocket`'s.
"""

from __future__ import annotations

import codecs
import re
from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from edge.app.messages import Answer, Cancel, Close, Data, Message, Opened
from edge.http.fields import list_members
from edge.http.websocket import Limits, Phase, WebSocket
from edge.node.applications.origin import Failure, OriginError
from edge.upstream.fields import of_answer

if TYPE_CHECKING:
    from edge.app.ends import Sendable, Wrong
    from edge.node.applications.app_exchange import Carrier
    from edge.node.applications.origin import Fields, Question, Receiver

#: Bytes of one message from a visitor.  Those of applications are of any length: they pass piece by piece.
VISITOR_MESSAGE = 1024 * 1024
LIMITS = Limits(message_bytes=VISITOR_MESSAGE, frames_per_second=1000)
#: Seconds between two looks at a connection: pings, and who is silent.
TICK_SECONDS = 5.0
#: What the handshake consists of, which only the node reads.
_OF_THE_HANDSHAKE = frozenset(
    {
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"sec-websocket-protocol",
        b"sec-websocket-extensions",
        b"sec-websocket-accept",
    }
)
#: Of a node that ends (RFC 6455 section 7.4.1), and what it says.
GOING_AWAY, LEAVING = 1001, "the server is stopping"
_UTF_8 = codecs.getincrementaldecoder("utf-8")
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")


def is_handshake(question: Question) -> bool:
    """Whether *question* asks for a WebSocket as RFC 6455 section 4.2.1 has it."""
    fields = {name.lower(): value for name, value in question.fields}
    return (
        question.method == b"GET"
        and question.upgrade.lower() == b"websocket"
        and fields.get(b"sec-websocket-version") == b"13"
        and _KEY.fullmatch(fields.get(b"sec-websocket-key", b"")) is not None
    )


class SocketExchange:
    """One WebSocket on a connection; implements :class:`~.origin.Exchange`."""

    def __init__(self, connection: Carrier, question: Question, receiver: Receiver) -> None:
        fields = [(name.lower(), value) for name, value in question.fields]
        protocols = [
            one for name, value in fields if name == b"sec-websocket-protocol" for one in list_members(value)
        ]
        self._key = next(value for name, value in fields if name == b"sec-websocket-key")
        self._offered = protocols[:16]
        self.number = connection.end.open(
            question.target,
            [field for field in fields if field[0] not in _OF_THE_HANDSHAKE],
            question.host,
            secure=question.secure,
            peer=question.peer,
            at=connection.at,
            protocols=[one for one in self._offered if 0 < len(one) <= 128],
        )
        self._keep = question.keep
        self._connection = connection
        self._receiver = receiver
        self._reactor = connection.reactor
        self._socket: WebSocket | None = None
        #: The application has closed it, or is gone: only the visitor's goodbye is waited for.
        self._is_left = False
        self._is_over = False
        #: Of the message that the application is sending: what looks whether it is text, if it is to be.
        self._decoder: codecs.IncrementalDecoder | None = None
        self._is_within = False
        self._paused = self._held = False
        self._untaken = 0
        self._ticks: Any = None

    # As edge.node.applications.origin.Exchange has it

    def send(self, data: bytes) -> None:
        """The visitor sends bytes."""
        socket = self._socket
        if self._is_over or socket is None:
            return
        for message in socket.receive(data, self._reactor.seconds()):
            if not self._is_left:
                text = isinstance(message, str)
                body = message.encode("utf-8") if isinstance(message, str) else message
                self._connection.end.message(self.number, body, text)
        if not self._counts():
            socket.close(1008, "too much is not whole, or not taken yet", self._reactor.seconds())
            self._leave("the visitor has more than his share")
            self._flush()
            self._end()
            return
        self._flush()
        if not self._is_left and not self._held and self._connection.end.waiting(self.number):
            self._held = True
            self._receiver.pause_body()

    def _counts(self) -> bool:
        """Count what is kept of what the visitor has said; whether that is within his share."""
        held = 0 if self._socket is None else self._socket.held
        return self._keep(held + (0 if self._is_left else self._connection.end.waiting(self.number)))

    def finish(self) -> None:
        """The node ends: both sides are told so, and the visitor's goodbye is waited for."""
        if self._socket is not None and not self._is_over and not self._is_left:
            self._is_left = True
            self._connection.end.close(self.number, GOING_AWAY, LEAVING)
            self._connection.over(self.number)
            self._close(GOING_AWAY, LEAVING)

    def pause(self) -> None:
        """The visitor takes nothing now: the application gets no credit."""
        self._paused = True

    def resume(self) -> None:
        """The visitor takes on."""
        self._paused = False
        untaken, self._untaken = self._untaken, 0
        if untaken and not self._is_left:
            self._connection.end.taken(self.number, untaken)
            self._connection.flush()

    def cancel(self) -> None:
        """The visitor has gone."""
        if not self._is_over:
            self._is_over = True
            self._stop()
            self._leave("the visitor has gone")

    # What the connection tells

    def take(self, event: Answer | Data | Message | Opened | Close | Cancel | Wrong | Sendable) -> None:
        """What came for it."""
        if isinstance(event, Message):
            self._take_message(event)
        elif isinstance(event, Opened):
            self._open(event)
        elif isinstance(event, Close):
            self._is_left = True
            self._connection.over(self.number)
            self._close(event.code, event.reason.decode("utf-8", "replace"))
        elif isinstance(event, Answer):
            self._take_refusal(event)
        elif isinstance(event, Data):
            self._take_data(event.body, event.more)
        elif isinstance(event, Cancel):
            why = event.reason.decode("utf-8", "replace")
            self._connection.over(self.number)
            self.lost(OriginError(Failure.CLOSED_EARLY, f"{self._connection.name}: {why}"))
        elif self._held:  # Sendable
            self._held = False
            self._counts()
            self._receiver.resume_body()

    def lost(self, error: OriginError) -> None:
        """The process is gone."""
        self._is_left = True
        if self._socket is not None:
            self._close(1011, "the application has gone")
        elif not self._is_over:
            self._is_over = True
            self._receiver.failed(error)

    # Inside

    def _open(self, opened: Opened) -> None:
        proof = b64encode(sha1(self._key + _GUID, usedforsecurity=False).digest())
        fields: Fields = [(b"Sec-WebSocket-Accept", proof)]
        if opened.protocol and opened.protocol in self._offered:
            fields.append((b"Sec-WebSocket-Protocol", opened.protocol))
        fields += [field for field in of_answer(opened.fields) if field[0].lower() not in _OF_THE_HANDSHAKE]
        self._socket = WebSocket(self._reactor.seconds(), LIMITS)
        self._ticks = self._reactor.callLater(TICK_SECONDS, self._tick)
        self._receiver.switched(fields)

    def _take_refusal(self, answer: Answer) -> None:
        fields = of_answer(answer.fields)
        if answer.status < 200:
            self._receiver.informational(answer.status, fields)
            return
        self._receiver.started(answer.status, fields, answer.length)
        self._take_data(answer.body, answer.more)

    def _take_data(self, body: bytes, more: bool) -> None:
        if body and not self._is_over:
            self._receiver.data(body)
            self._connection.end.taken(self.number, len(body))
        if not more and not self._is_over:
            self._is_over = self._is_left = True
            self._connection.over(self.number)
            self._receiver.ended([])

    def _take_message(self, message: Message) -> None:
        """Pass a piece of a message on to the visitor."""
        assert self._socket is not None, "messages come when it is open"
        first, self._is_within = not self._is_within, message.more
        if message.text and not self._is_text(message.body, first, not message.more):
            self._leave("a text that is not UTF-8")
            self._close(1011, "the application failed")
            return
        self._socket.send_piece(message.body, message.text, first, not message.more)
        self._flush()
        if self._paused:
            self._untaken += len(message.body)
        elif not self._is_left:
            self._connection.end.taken(self.number, len(message.body))

    def _is_text(self, piece: bytes, first: bool, last: bool) -> bool:
        """Whether a message of which this is a *piece* may be UTF-8."""
        if first:
            self._decoder = _UTF_8()
        assert self._decoder is not None, "pieces have a first one"
        try:
            self._decoder.decode(piece, last)
        except UnicodeDecodeError:
            return False
        return True

    def _close(self, code: int, reason: str) -> None:
        """Say goodbye to the visitor, and wait for his."""
        if self._socket is not None and not self._is_over:
            self._socket.close(_sendable(code), reason, self._reactor.seconds())
            self._flush()

    def _flush(self) -> None:
        """Send what there is, both ways; is it over?"""
        socket = self._socket
        assert socket is not None, "it is open"
        out = socket.output()
        if out and not self._is_over:
            self._receiver.data(out)
        if socket.phase in (Phase.CLOSED, Phase.GONE):
            if not self._is_left:
                self._connection.end.close(self.number, socket.close_code or 1005, socket.close_reason)
                self._is_left = True
                self._connection.over(self.number)
            self._end()
        self._connection.flush()

    def _leave(self, why: str) -> None:
        """End the exchange with the application."""
        if not self._is_left:
            self._is_left = True
            self._connection.end.cancel(self.number, why)
            self._connection.over(self.number)
            self._connection.flush()

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._stop()
            self._receiver.ended([])

    def _tick(self) -> None:
        self._ticks = None
        if self._socket is not None and not self._is_over:
            self._socket.tick(self._reactor.seconds())
            self._flush()
            if not self._is_over:
                self._ticks = self._reactor.callLater(TICK_SECONDS, self._tick)

    def _stop(self) -> None:
        if self._ticks is not None:
            self._ticks.cancel()
            self._ticks = None


def _sendable(code: int) -> int:
    """*code* if it may be sent (RFC 6455 section 7.4), else one that says as much."""
    if code in (1005, 1006):
        return 1000 if code == 1005 else 1011
    return code if 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999 else 1011
