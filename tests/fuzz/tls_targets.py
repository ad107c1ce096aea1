"""What strangers send over TLS, as fuzzing targets: both builds have to say the same of it."""

from __future__ import annotations

from edge.tls.hello import recognise
from edge.tls.suites import SUITES
from tests.tls.builds import BUILDS
from tests.tls.hellos import message, real_hello, records
from tests.tls.peer import DATA, HANDSHAKE, KEY_UPDATE, Peer, server_state
from tests.tls.test_conversations import cut, listen
from tests.tls.test_hello import native

_UPDATES = (KEY_UPDATE + b"\0", KEY_UPDATE + b"\1")


def hello(data: bytes) -> None:
    """The first bytes of a connection."""
    if native(data) != recognise(data):
        raise AssertionError("C and Python differ")


def stream(data: bytes) -> None:
    """What comes after a handshake, of a peer without the keys."""
    _compare(data)


def inner(data: bytes) -> None:
    """The same of a peer with the keys: type, length and content of one record after the other."""
    peer, sealed = Peer(), b""
    while data:
        kind, length = data[0], int.from_bytes(data[1:3], "big") % 20_000  # some are over the limit
        content, data = data[3 : 3 + length], data[3 + length :]
        sealed += peer.record(content, kind, padding=length - len(content))
        if kind == HANDSHAKE and content in _UPDATES:
            peer.seals.update()
    _compare(sealed)


def _compare(sealed: bytes) -> None:
    for suite in SUITES.values() if len(sealed) < 1000 else list(SUITES.values())[:1]:
        heard = [
            listen(build(server_state(suite)), cut(sealed, cuts))
            for cuts in ([], [len(sealed) // 2])
            for build in BUILDS.values()
        ]
        if heard[0] != heard[1] or heard[2] != heard[3]:
            raise AssertionError("C and Python differ")


def _record(content: bytes, kind: int = DATA) -> bytes:
    return bytes((kind,)) + len(content).to_bytes(2, "big") + content


TARGETS = {"hello": hello, "stream": stream, "inner": inner}
SEEDS = {
    "hello": [real_hello(), records(message()), b"GET / HTTP/1.1\r\n\r\n"],
    "stream": [Peer().data(b"GET / HTTP/1.1\r\n\r\n"), b"\x15\x03\x03\x00\x02\x02\x28"],
    "inner": [
        _record(b"GET / HTTP/1.1\r\n\r\n") + _record(_UPDATES[1], HANDSHAKE) + _record(b"after"),
        _record(KEY_UPDATE[:2], HANDSHAKE) + _record(KEY_UPDATE[2:] + b"\0", HANDSHAKE),
        _record(b"") * 33,
        _record(b"\1\0", 21) + _record(b"\2\x5a", 21),
    ],
}
