"""What servers of applications send, whoever took them over: read by :mod:`edge.upstream.answer`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge.upstream.answer import AnswerError, AnswerReader, End, Event, Head, Interim, Limits, Switched

_LIMITS = Limits(head=512, fields=8, framing=128, interim=3)


def answer(data: bytes) -> None:
    """The first byte says to which question, and how the rest is cut; what comes of it keeps the law."""
    kind, rest = data[:1] or b"\0", data[1:]
    reader = AnswerReader((b"GET", b"HEAD")[kind[0] & 1], b"websocket" if kind[0] & 2 else b"", _LIMITS)
    step = (kind[0] >> 2) + 1
    events: list[Event] = []
    try:
        for start in range(0, len(rest), step):
            events += reader.receive(rest[start : start + step])
        events += reader.close()
    except AnswerError as error:
        assert str(error).isprintable(), error
        events += reader.receive(b"HTTP/1.1 200 OK\r\n\r\n") + reader.close()
    _check(events)


def _check(events: list[Event]) -> None:
    """Interim answers, then one head or one switch, then data, then one end at most."""
    order = [
        0 if isinstance(one, Interim) else 1 if isinstance(one, (Head, Switched)) else 2 for one in events
    ]
    order = [3 if isinstance(one, End) else place for one, place in zip(events, order, strict=True)]
    assert order == sorted(order), events
    assert order.count(1) <= 1 and order.count(3) <= 1, events
    assert order.count(1) or not (order.count(2) or order.count(3)), events
    for one in events:
        if isinstance(one, (Head, Interim, Switched)):
            for name, value in one.fields:
                assert name and not set(name + value) & set(b"\r\n\0"), one


def both(data: bytes) -> None:
    """What Python makes of an answer, and what the relay makes of it in C, is the same, however it is cut."""
    try:
        from tests.fastpath.native_upstream import NativeAnswerReader
    except ImportError:  # there is no native build
        return
    kind, rest = data[:1] or b"\0", data[1:]
    method, step = (b"GET", b"HEAD")[kind[0] & 1], (kind[0] >> 1) + 1
    readers = AnswerReader(method), NativeAnswerReader(method)
    pieces: list[bytes | None] = [rest[start : start + step] for start in range(0, len(rest), step)]
    for piece in [*pieces, None]:
        found = [_told(reader, piece) for reader in readers]
        assert found[0] == found[1], (found, data)
        if found[0] is None:
            return


def _told(reader: Any, piece: bytes | None) -> list[Event] | None:
    """What *reader* makes of a *piece*, without what the relay does not tell; None: it is refused."""
    try:
        events: list[Event] = reader.close() if piece is None else reader.receive(piece)
    except AnswerError:
        return None
    return [End() if isinstance(one, End) else one for one in events]


TARGETS: dict[str, Callable[[bytes], None]] = {"answer": answer, "answer_relayed": both}
_ANSWERS = [
    b"\xf8HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\n\r\nabc",
    b"\x04HTTP/1.1 103 x\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'3;x="y"\r\nabc\r\n0\r\nT: u\r\n\r\n',
    b"\x01HTTP/1.0 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: a, close\r\n\r\n",
]
SEEDS = {
    "answer_relayed": _ANSWERS,
    "answer": [
        b"\xf8HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\n\r\nabc",
        b"\x04HTTP/1.1 103 x\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n",
        b"\x02HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nraw",
        b"\x01HTTP/1.0 200 OK\r\n\r\n",
    ],
}
