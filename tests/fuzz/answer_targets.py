"""What servers of applications send, whoever took them over: read by :mod:`edge.upstream.answer`."""

from __future__ import annotations

from collections.abc import Callable

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


TARGETS: dict[str, Callable[[bytes], None]] = {"answer": answer}
SEEDS = {
    "answer": [
        b"\xf8HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\n\r\nabc",
        b"\x04HTTP/1.1 103 x\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n",
        b"\x02HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nraw",
        b"\x01HTTP/1.0 200 OK\r\n\r\n",
    ]
}
