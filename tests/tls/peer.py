"""The other end of a TLS connection in tests: it may send records that no honest peer would."""

from __future__ import annotations

from itertools import pairwise

from edge.tls.direction import Direction
from edge.tls.interface import Opened
from edge.tls.state import Flag, State
from edge.tls.suites import AES_128_GCM, Suite
from edge.tls.twin import PythonRecordLayer

ALERT, HANDSHAKE, DATA = 21, 22, 23
KEY_UPDATE = b"\x18\x00\x00\x01"


def secrets(suite: Suite) -> tuple[bytes, bytes]:
    """Two traffic secrets, of the client and of the server."""
    return bytes(range(suite.secret_bytes)), bytes(range(100, 100 + suite.secret_bytes))


def server_state(
    suite: Suite = AES_128_GCM,
    *,
    opened: int = 0,
    sealed: int = 0,
    flags: Flag = Flag.ALPN,
    useless: int = 0,
    partial: int = 0,
) -> bytes:
    """The state of the server's end after *opened* and *sealed* records."""
    client, server = secrets(suite)
    opens, seals = Direction(suite, client, opened), Direction(suite, server, sealed)
    return State(suite, opens, seals, flags, useless, partial).pack()


class Peer:
    """The client's end of the connection that :func:`server_state` is the other end of."""

    def __init__(self, suite: Suite = AES_128_GCM, *, opened: int = 0, sealed: int = 0) -> None:
        client, server = secrets(suite)
        self.seals = Direction(suite, client, sealed)
        opens = Direction(suite, server, opened)
        self._opens = PythonRecordLayer(State(suite, opens, Direction(suite, client)).pack())

    def record(
        self,
        content: bytes,
        kind: int = DATA,
        *,
        padding: int = 0,
        outer: int = DATA,
        version: bytes = b"\x03\x03",
    ) -> bytes:
        """One sealed record with *content*, whatever that is."""
        return self.inner(content + bytes((kind,)) + bytes(padding), outer, version)

    def inner(self, inner: bytes, outer: int = DATA, version: bytes = b"\x03\x03") -> bytes:
        """One sealed record with exactly *inner*, where its type should stand last."""
        header = bytes((outer,)) + version + (len(inner) + 16).to_bytes(2, "big")
        return header + self.seals.seal(inner, header)

    def data(self, content: bytes) -> bytes:
        """As many honest records as *content* takes."""
        return b"".join(
            self.record(content[start : start + (1 << 14)]) for start in range(0, len(content), 1 << 14)
        )

    def key_update(self, requested: bool = False, pieces: tuple[int, ...] = ()) -> bytes:
        """A KeyUpdate, cut at *pieces*; what follows is sealed with the next keys."""
        message = KEY_UPDATE + bytes((requested,))
        cuts = (0, *pieces, len(message))
        records = [self.record(message[start:end], HANDSHAKE) for start, end in pairwise(cuts)]
        self.seals.update()
        return b"".join(records)

    def alert(self, number: int, level: int = 2) -> bytes:
        """A record with one alert."""
        return self.record(bytes((level, number)), ALERT)

    def open(self, data: bytes) -> Opened:
        """What the server sent."""
        return self._opens.open(data)
