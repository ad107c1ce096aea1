"""HTTP/1.1 with upstreams as the relay speaks it in C, with the verbs of :mod:`edge.upstream`."""

from __future__ import annotations

from typing import Any

from edge._native import ffi, lib

from edge.upstream.answer import AnswerError, ClosedEarlyError, End, Event, Head, Interim
from edge.upstream.fields import NOT_OF_VISITORS, of_answer


class NativeAnswerReader:
    """As :class:`edge.upstream.answer.AnswerReader` without upgrades, as far as the relay can tell.

    Trailers are not told; instead of the value of Keep-Alive, ``rest``: seconds.
    """

    def __init__(self, method: bytes) -> None:
        self._reader = ffi.new("edge_upstream_reader *")
        self._fields = ffi.new("edge_field[]", lib.EDGE_UPSTREAM_FIELDS)
        lib.edge_upstream_begin(self._reader, self._fields, method == b"HEAD")
        self._rest = b""
        self.over = False

    @property
    def begun(self) -> bool:
        """Something has come."""
        return bool(self._reader.begun)

    @property
    def rest(self) -> int:
        """Seconds for which the connection may rest."""
        return int(self._reader.rest)

    def receive(self, data: bytes) -> list[Event]:
        """What *data* makes known, in order; :exc:`AnswerError`."""
        if self.over or not data:
            return []
        data = self._rest + data
        memory = ffi.new("uint8_t[]", data)
        consumed, body = ffi.new("size_t *"), ffi.new("edge_span *")
        events: list[Event] = []
        at = 0
        while True:
            left = len(data) - at
            kind = lib.edge_upstream_read(self._reader, memory + at, left, consumed, body)
            assert consumed[0] <= left, "no more is taken than there is"
            at += consumed[0]
            if kind == lib.EDGE_UPSTREAM_MORE:
                self._rest = data[at:]
                return events
            if kind == lib.EDGE_UPSTREAM_WRONG:
                self.over = True
                raise AnswerError(ffi.string(self._reader.why).decode("ascii"))
            if kind == lib.EDGE_UPSTREAM_END:
                self.over = True
                return [*events, End([], bool(self._reader.reusable) and at == len(data))]
            if kind == lib.EDGE_UPSTREAM_BODY:
                events.append(bytes(ffi.buffer(body.bytes, body.length)))
            else:
                events.append(self._head(kind))

    def close(self) -> list[Event]:
        """The server has closed; :exc:`ClosedEarlyError`: before the answer was over."""
        if self.over:
            return []
        self.over = True
        if lib.edge_upstream_ends(self._reader):
            return [End([], False)]
        raise ClosedEarlyError("it closed early")

    def _head(self, kind: int) -> Event:
        head = self._reader.head
        fields = of_answer(
            [(_bytes(one.name), _bytes(one.value)) for one in (head.fields[i] for i in range(head.count))]
        )
        if kind == lib.EDGE_UPSTREAM_EARLY:
            return Interim(head.status, fields)
        return Head(head.status, fields, None if head.length == lib.EDGE_UNKNOWN else head.length)


def ask(
    method: bytes, target: bytes, host: bytes, peer: bytes, secure: bool, fields: list[tuple[bytes, bytes]]
) -> bytes:
    """The head that asks a question of a visitor who says *fields*; b"": the relay does not ask it."""
    rules = ffi.new("edge_passed_rules *")
    lists = [ffi.new("char[]", b"".join(one + b"\0" for one in texts) + b"\0") for texts in NOT_OF_VISITORS]
    lib.edge_passed_open(rules, *lists)
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    keep = [ffi.new("uint8_t[]", one or b"\0") for one in (target, host, peer, lines)]
    question = ffi.new("edge_question *")
    question.method = lib.EDGE_HEAD if method == b"HEAD" else lib.EDGE_GET
    question.secure = secure
    for name, memory, text in zip(
        ("target", "host", "peer", "fields"), keep, (target, host, peer, lines), strict=True
    ):
        span: Any = getattr(question, name)
        span.bytes, span.length = memory, len(text)
    to = ffi.new("uint8_t[]", lib.EDGE_UPSTREAM_ASK)
    return bytes(ffi.buffer(to, lib.edge_upstream_ask(to, question, rules)))


def _bytes(span: Any) -> bytes:
    return bytes(ffi.buffer(span.bytes, span.length)) if span.length else b""
