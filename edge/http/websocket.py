"""WebSocket (RFC 6455), the server's side.  Sans-IO: bytes and a time in, events and bytes out.

Frames are wsproto's; a connection has a decoder of its own only while something on it is incomplete.  What
wsproto leaves open is here: who may connect (:func:`accept`), how large a message may be, pings, how long a
silent peer is waited for, and the closing handshake.

No extension is offered, so no compression: messages are small, and a server that inflates what strangers
send needs one more limit.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha1

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from edge.http.errors import BadRequest, Forbidden, UpgradeRequired

#: Of a frame's second byte (RFC 6455 section 5.2): a bit; lengths up to SHORT; LONGER: in the next two bytes.
MASK, SHORT, LONGER = 0x80, 125, 126
#: Of its first byte: the end of a message, and what a frame is.
_FIN, _CONTINUATION, _TEXT, _BINARY = 0x80, 0, 1, 2
#: Bytes of a fragment.
_FRAGMENT = 0xFFFF
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKENS = re.compile(rb"[^\s,]+")


def accept(
    method: bytes, fields: Mapping[bytes, bytes], own: Collection[bytes], allowed: Collection[bytes]
) -> bytes:
    """The head that accepts the handshake in a request with these *fields* (lower-case names).

    :param own: origins of this server, as the request names it.
    :param allowed: further origins that may connect; ``*`` among them: all.
    :raises edge.http.errors.ProtocolError: with the status and lines of the answer.

    Without Origin it is no browser, and no page can abuse what a user may do.
    """
    upgrade = {token.lower() for token in _TOKENS.findall(fields.get(b"upgrade", b""))}
    connection = {token.lower() for token in _TOKENS.findall(fields.get(b"connection", b""))}
    version = fields.get(b"sec-websocket-version", b"")
    if method != b"GET" or b"websocket" not in upgrade or b"upgrade" not in connection or version != b"13":
        wanted = ((b"Upgrade", b"websocket"), (b"Sec-WebSocket-Version", b"13"))
        raise UpgradeRequired(headers=wanted)
    origin = fields.get(b"origin")
    if origin is not None and origin not in own and origin not in allowed and b"*" not in allowed:
        raise Forbidden
    key = fields.get(b"sec-websocket-key", b"")
    try:
        if len(b64decode(key, validate=True)) != 16:
            raise Base64Error
    except Base64Error:
        raise BadRequest("Sec-WebSocket-Key is not 16 bytes in base64.") from None
    return switching(key)


def switching(key: bytes) -> bytes:
    """The head that accepts a handshake with this Sec-WebSocket-Key."""
    proof = b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % proof
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection."""

    #: Bytes of one message from the peer.
    message_bytes: int = 64 * 1024
    #: Frames of the peer in a second; None: any number.  Each costs 10 us, and may have 6 bytes: who sends
    #: more is cut off (1008).
    frames_per_second: int | None = None
    #: Seconds between two pings, and without any byte from the peer until it counts as gone.
    ping_seconds: float = 30.0
    idle_seconds: float = 75.0
    #: Seconds for the peer's part of the closing handshake.
    close_seconds: float = 5.0


class Phase(Enum):
    """Where a connection is."""

    OPEN = auto()
    #: We have said goodbye and wait for the peer's.
    CLOSING = auto()
    #: Both have: close the transport.
    CLOSED = auto()
    #: The peer is silent, or does not say goodbye: abort the transport.
    GONE = auto()


#: Composes what needs no memory of what came before: whole messages, pings.
_ENCODER = Connection(ConnectionType.SERVER)


def framed(message: str | bytes) -> bytes:
    """*message* as it is sent, the same on every connection."""
    return _ENCODER.send(TextMessage(message) if isinstance(message, str) else BytesMessage(message))


def length_of(size: int) -> bytes:
    """The bytes that say the length of a payload of less than 64 KiB, from a server."""
    return bytes((size,)) if size <= SHORT else bytes((LONGER,)) + size.to_bytes(2, "big")


def fragment(piece: bytes, text: bool, first: bool, last: bool) -> bytes:
    """The frame of a *piece* of a message, of less than 64 KiB (RFC 6455 section 5.4)."""
    opcode = (_TEXT if text else _BINARY) if first else _CONTINUATION
    return bytes((opcode | (_FIN if last else 0),)) + length_of(len(piece)) + piece


def unmasked(key: bytes, payload: bytes) -> bytes:
    """A masked *payload* in clear, or the reverse."""
    size = len(payload)
    pad = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")


class _Incoming:
    """What is known of a connection on which something is incomplete."""

    __slots__ = ("frames", "message", "size")

    def __init__(self) -> None:
        self.frames = Connection(ConnectionType.SERVER)
        #: Of the present message, so far, text in UTF-8: in one piece, for a frame may have a byte or none.
        self.message = bytearray()
        #: Its bytes, also where it is too large to be kept.
        self.size = 0


class WebSocket:
    """One connection after the handshake."""

    __slots__ = (
        "_closing_at",
        "_frames",
        "_heard",
        "_incoming",
        "_limits",
        "_out",
        "_pinged",
        "_second",
        "close_code",
        "close_reason",
        "phase",
    )

    def __init__(self, now: float, limits: Limits | None = None, frames: int = 0) -> None:
        """*frames*: of the peer, in the present second."""
        self.phase = Phase.OPEN
        #: Code and reason of the close, once there is one.
        self.close_code: int | None = None
        self.close_reason = ""
        self._limits = limits or Limits()
        self._incoming: _Incoming | None = None
        self._out: list[bytes] | None = None
        self._heard = self._pinged = now
        self._closing_at = now
        self._second, self._frames = now, frames  # since when frames are counted, and how many there were

    def receive(self, data: bytes, now: float) -> Iterator[str | bytes]:
        """What the peer sent: the whole messages in it, one after the other; to be iterated to the end.

        What is sent between two of them is sent before anything that comes of the next, so that answers
        are in the order of what they answer, also before a close.
        """
        self._heard = now
        if self.phase not in (Phase.OPEN, Phase.CLOSING):
            return
        rests = self._incoming is None and _is_whole(data)
        incoming = self._incoming = self._incoming or _Incoming()
        incoming.frames.receive_data(data)
        for event in incoming.frames.events():
            if not self._in_time(now):
                self.close(CloseReason.POLICY_VIOLATION, "too many frames", now)
                self.phase = Phase.CLOSED
                break
            if isinstance(event, TextMessage | BytesMessage):
                whole = self._take(event, incoming)
                if whole is not None and self.phase is Phase.OPEN:
                    yield whole
            elif isinstance(event, Ping) and self.phase is Phase.OPEN:
                self._send(event.response())
            elif isinstance(event, CloseConnection):
                self._closed_by_peer(event)
                break
            if self.phase is Phase.CLOSING and incoming.size > self._limits.message_bytes:
                break
        if rests and self.phase is Phase.OPEN:
            self._incoming = None

    def send(self, message: str | bytes) -> None:
        """Send a message; nothing, when the connection is not open any more."""
        if self.phase is Phase.OPEN:
            self._send(TextMessage(message) if isinstance(message, str) else BytesMessage(message))

    def send_piece(self, piece: bytes, text: bool, first: bool, last: bool) -> None:
        """Send a *piece* of a message, so that nobody has to have all of it.

        Nothing, when the connection is not open any more.  Whether *text* is UTF-8 is not looked at.
        """
        if self.phase is not Phase.OPEN:
            return
        if self._out is None:
            self._out = []
        for at in range(0, max(len(piece), 1), _FRAGMENT):
            part, is_end = piece[at : at + _FRAGMENT], at + _FRAGMENT >= len(piece)
            self._out.append(fragment(part, text, first and at == 0, last and is_end))

    def close(self, code: int, reason: str, now: float) -> None:
        """Say goodbye."""
        if self.phase is Phase.OPEN:
            self._incoming = self._incoming or _Incoming()
            self._send(CloseConnection(code, reason))
            self.phase, self._closing_at = Phase.CLOSING, now
            self.close_code, self.close_reason = code, reason

    def tick(self, now: float) -> None:
        """Ping, and give up who is silent; call every second or so."""
        if self.phase is Phase.OPEN:
            if now - self._heard >= self._limits.idle_seconds:
                self.phase = Phase.GONE
            elif now - max(self._heard, self._pinged) >= self._limits.ping_seconds:
                self._pinged = now
                self._send(Ping())
        elif self.phase is Phase.CLOSING and now - self._closing_at >= self._limits.close_seconds:
            self.phase = Phase.GONE

    @property
    def rests(self) -> bool:
        """Whether it is open, between two frames, with nothing to send."""
        return self.phase is Phase.OPEN and self._incoming is None and self._out is None

    @property
    def held(self) -> int:
        """Bytes that are kept of a message of the peer that is not whole."""
        return 0 if self._incoming is None else len(self._incoming.message)

    def is_silent(self, now: float) -> bool:
        """Whether nothing was heard for a second."""
        return now - self._heard >= 1

    def frames_of_second(self, now: float) -> int:
        """Frames of the peer in the present second."""
        return self._frames if now - self._second < 1 else 0

    def output(self) -> bytes:
        """What is to be sent now."""
        if self._out is None:
            return b""
        out, self._out = b"".join(self._out), None
        return out

    # Inside

    def _in_time(self, now: float) -> bool:
        """Whether one more frame is not too many for this second."""
        most = self._limits.frames_per_second
        if most is None:
            return True
        if now - self._second >= 1:
            self._second, self._frames = now, 0
        self._frames += 1
        return self._frames <= most

    def _take(self, event: TextMessage | BytesMessage, incoming: _Incoming) -> str | bytes | None:
        """The message, if *event* is its end."""
        part = event.data
        piece = part.encode() if isinstance(part, str) else part
        incoming.size += len(piece)
        if incoming.size > self._limits.message_bytes:
            incoming.message = bytearray()
            self.close(
                CloseReason.MESSAGE_TOO_BIG, f"more than {self._limits.message_bytes} bytes", self._heard
            )
            return None
        incoming.message += piece
        if not event.message_finished:
            return None
        whole, incoming.message, incoming.size = bytes(incoming.message), bytearray(), 0
        return whole.decode() if isinstance(event, TextMessage) else whole

    def _closed_by_peer(self, event: CloseConnection) -> None:
        """The peer has said goodbye, or sent what is no WebSocket."""
        if self.phase is Phase.OPEN:
            self._send(event.response())
            self.close_code, self.close_reason = event.code, event.reason or ""
        self.phase = Phase.CLOSED

    def _send(self, event: Event) -> None:
        frames = _ENCODER if self._incoming is None else self._incoming.frames
        try:
            sent = frames.send(event)
        except LocalProtocolError:
            self.phase = Phase.CLOSED
            return
        if self._out is None:
            self._out = []
        self._out.append(sent)


def _is_whole(data: bytes) -> bool:
    """Whether *data* is nothing but whole, short, unfragmented frames, after which nothing is incomplete.

    A strict look that may say no too often: then the connection keeps a decoder.
    """
    at = 0
    while at + 6 <= len(data):
        size = data[at + 1] & ~MASK
        if not data[at] & 0x80 or not data[at + 1] & MASK or size > LONGER:  # FIN, MASK, at most 16 bits
            return False
        at += 6 + size if size <= SHORT else 8 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at == len(data)
