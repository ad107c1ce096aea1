"""The opening handshake (RFC 6455 section 4.1), the client's side.  Sans-IO: bytes in, bytes out.

Nothing but 101 with the right proof opens a connection.  No extension and no subprotocol is offered, so an
answer that chooses one is refused as well.
"""

from __future__ import annotations

import re

from wsproto.utilities import generate_accept_token, generate_nonce

#: Bytes of an answer's head at most.
HEAD_BYTES = 16 * 1024

_STATUS = re.compile(rb"HTTP/1\.1 ([1-5]\d\d)(?: [^\r\n]*)?\Z")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*\Z")
_START = b"HTTP/1.1 "


class HandshakeError(Exception):
    """The answer opens no WebSocket; str() is one of few reasons, to be counted by."""


class Handshake:
    """One opening handshake, from the request to the whole head of the answer."""

    __slots__ = ("_answer", "_key")

    def __init__(self) -> None:
        self._key = generate_nonce()
        self._answer = b""

    def request(self, host: str, path: str) -> bytes:
        """The request, to be sent as it is."""
        lines = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        )
        return lines.encode("ascii") + self._key + b"\r\n\r\n"

    def receive(self, data: bytes) -> bytes | None:
        """Take a piece of the answer.  None: it is not whole yet; else what came after its head.

        :raises HandshakeError: the connection is to be closed.
        """
        self._answer += data
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if not self._answer.startswith(_START[: len(self._answer)]):
            raise HandshakeError("not an HTTP answer")
        if not end:
            if len(self._answer) > HEAD_BYTES:
                raise HandshakeError("a head without an end")
            return None
        self._check(head)
        self._answer = b""
        return rest

    def _check(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        status = _STATUS.match(first)
        if status is None:
            raise HandshakeError("not an HTTP answer")
        if status[1] != b"101":
            raise HandshakeError(f"refused with {status[1].decode()}")
        fields: dict[bytes, bytes] = {}
        for line in lines:
            field = _FIELD.match(line)
            if field is None:
                raise HandshakeError("not an HTTP answer")
            name = field[1].lower()
            fields[name] = b"%b, %b" % (fields[name], field[2]) if name in fields else field[2]
        connection = [token.strip() for token in fields.get(b"connection", b"").lower().split(b",")]
        if fields.get(b"upgrade", b"").lower() != b"websocket" or b"upgrade" not in connection:
            raise HandshakeError("no upgrade to WebSocket")
        if fields.get(b"sec-websocket-accept") != generate_accept_token(self._key):
            raise HandshakeError("wrong Sec-WebSocket-Accept")
        if b"sec-websocket-extensions" in fields or b"sec-websocket-protocol" in fields:
            raise HandshakeError("an extension that was not offered")
