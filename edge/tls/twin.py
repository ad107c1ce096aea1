"""The record layer in Python: the specification of the native one, and what serves where there is none.

What is received goes this way, one record at a time; "-> alert" ends the connection::

    5 bytes of header   type not 23 -> unexpected_message; over 2^14 + 256 bytes -> record_overflow
    all of its bytes    not authentic -> bad_record_mac; over 2^14 + 1 inside -> record_overflow
    padding removed     nothing but zeros -> unexpected_message
    by inner type       data (23): to the caller
                        handshake (22): a KeyUpdate, or part of one; any other -> unexpected_message
                        alert (21): the end, but user_canceled
                        any other, ChangeCipherSpec (20) too -> unexpected_message

The version in a header is not compared (RFC 8446 section 5.1: "MUST be ignored for all purposes"); it is
authenticated like the rest of the header.
"""

from __future__ import annotations

from edge.tls.interface import (
    ALPN,
    HEADER_BYTES,
    RECORD_BYTES,
    RECORDS_PER_KEY,
    SEALED_BYTES,
    USELESS_RECORDS,
    Alert,
    AlertDescription,
    Opened,
)
from edge.tls.state import Flag, State
from edge.tls.suites import TAG_BYTES

_ALERT, _HANDSHAKE, _DATA = 21, 22, 23
#: Of a KeyUpdate (section 4.6.3): its type, and its length; update_requested or not follows.
_KEY_UPDATE = b"\x18\x00\x00\x01"
_NOT_REQUESTED, _REQUESTED = b"\x00", b"\x01"
_WARNING, _FATAL = b"\x01", b"\x02"


class _Refused(Exception):
    """What was received ends the connection."""

    def __init__(self, description: int, sent: bool = True) -> None:
        """*sent*: by us, else by the peer."""
        super().__init__(description)
        self.description = description
        self.sent = sent


class PythonRecordLayer:
    """One end of a TLS 1.3 connection.  Implements :class:`~edge.tls.interface.RecordLayer`."""

    def __init__(self, state: bytes, partial: bytes = b"") -> None:
        """The connection that another owner exported; :exc:`ValueError`: *state* is none."""
        self._state: State | None = State.unpack(state)
        self._input = bytearray(partial)

    @property
    def suite(self) -> str:
        return self._owned().suite.name

    @property
    def alpn(self) -> bytes | None:
        return ALPN if self._owned().flags & Flag.ALPN else None

    def open(self, data: bytes, replies: bool = True) -> Opened:
        state = self._owned()
        self._input += data
        plaintext: list[bytes] = []
        try:
            while not state.flags & (Flag.DEAD | Flag.CLOSE_RECEIVED):
                record = self._next_record()
                if record is None:
                    return Opened(b"".join(plaintext), _owed(state) if replies else b"")
                plaintext.append(_take(state, *record))
        except _Refused as refused:
            raise Alert(refused.description, refused.sent, _end(state, refused)) from None
        finally:
            if state.flags & (Flag.DEAD | Flag.CLOSE_RECEIVED):
                self._input.clear()
        return Opened(b"".join(plaintext), _owed(state) if replies else b"", closed=True)

    def seal(self, data: bytes) -> bytes:
        state = self._owned()
        if state.flags & Flag.CLOSE_SENT:
            return b""
        records = [_owed(state)]
        for start in range(0, len(data), RECORD_BYTES):
            if state.seals.sequence >= RECORDS_PER_KEY:
                records.append(_key_update(state))
            records.append(_record(state, _DATA, data[start : start + RECORD_BYTES]))
        return b"".join(records)

    def close(self) -> bytes:
        state = self._owned()
        if state.flags & Flag.CLOSE_SENT:
            return b""
        state.flags = (state.flags | Flag.CLOSE_SENT) & ~Flag.UPDATE_OWED
        return _record(state, _ALERT, _WARNING + bytes((AlertDescription.close_notify,)))

    def export(self) -> tuple[bytes, bytes]:
        state = self._owned()
        self._state = None
        return state.pack(), bytes(self._input)

    def discard(self) -> None:
        self._state = None
        self._input.clear()

    def _owned(self) -> State:
        if self._state is None:
            raise ValueError("the state of this record layer has another owner, or was discarded")
        return self._state

    def _next_record(self) -> tuple[bytes, bytes] | None:
        """Header and sealed bytes of the next record; None: it is not whole."""
        if len(self._input) < HEADER_BYTES:
            return None
        header = bytes(self._input[:HEADER_BYTES])
        if header[0] != _DATA:
            raise _Refused(AlertDescription.unexpected_message)
        end = HEADER_BYTES + int.from_bytes(header[3:], "big")
        if end > HEADER_BYTES + SEALED_BYTES:
            raise _Refused(AlertDescription.record_overflow)
        if len(self._input) < end:
            return None
        sealed = bytes(self._input[HEADER_BYTES:end])
        del self._input[:end]
        return header, sealed


# What is received


def _take(state: State, header: bytes, sealed: bytes) -> bytes:
    """The application data of one whole record."""
    inner = state.opens.open(sealed, header) if len(sealed) > TAG_BYTES else None
    if inner is None:
        raise _Refused(AlertDescription.bad_record_mac)
    if len(inner) > RECORD_BYTES + 1:
        raise _Refused(AlertDescription.record_overflow)
    content = inner.rstrip(b"\0")
    if not content:
        raise _Refused(AlertDescription.unexpected_message)
    kind, content = content[-1], content[:-1]
    if kind not in (_DATA, _HANDSHAKE, _ALERT) or (state.partial and kind != _HANDSHAKE):
        raise _Refused(AlertDescription.unexpected_message)
    if kind == _DATA and content:
        state.useless = 0
        return content
    if kind == _ALERT:
        _take_alert(state, content)
    else:
        _count_useless(state)
        if kind == _HANDSHAKE:
            _take_handshake(state, content)
    return b""


def _count_useless(state: State) -> None:
    if state.useless == USELESS_RECORDS:
        raise _Refused(AlertDescription.unexpected_message)
    state.useless += 1


def _take_alert(state: State, content: bytes) -> None:
    """An alert stands alone in its record (sections 5.1, 5.4); its level says nothing (section 6)."""
    if len(content) != 2:
        raise _Refused(AlertDescription.decode_error if content else AlertDescription.unexpected_message)
    description = content[1]
    if description == AlertDescription.user_canceled:
        _count_useless(state)  # close_notify follows (section 6.1)
    elif description == AlertDescription.close_notify:
        state.flags |= Flag.CLOSE_RECEIVED
    else:
        raise _Refused(description, sent=False)


def _take_handshake(state: State, content: bytes) -> None:
    """A KeyUpdate, which may span records and must end the last of them (section 5.1)."""
    message = _KEY_UPDATE[: state.partial] + content
    expected = _KEY_UPDATE[: len(message)]
    if not content or message[0] != expected[0]:
        raise _Refused(AlertDescription.unexpected_message)
    if message[: len(expected)] != expected:
        raise _Refused(AlertDescription.decode_error)
    if len(message) <= len(_KEY_UPDATE):
        state.partial = len(message)
        return
    requested, more = message[len(_KEY_UPDATE)], len(message) - len(_KEY_UPDATE) - 1
    if requested > 1:
        raise _Refused(AlertDescription.illegal_parameter)
    if more:
        raise _Refused(AlertDescription.unexpected_message)
    state.partial = 0
    state.opens.update()
    if requested and not state.flags & Flag.CLOSE_SENT:
        state.flags |= Flag.UPDATE_OWED


def _end(state: State, refused: _Refused) -> bytes:
    """The end of both directions; our alert for the peer, if it is ours and can be sent."""
    silent = not refused.sent or state.flags & Flag.CLOSE_SENT
    state.flags = (state.flags | Flag.DEAD | Flag.CLOSE_SENT) & ~Flag.UPDATE_OWED
    state.partial = 0
    return b"" if silent else _record(state, _ALERT, _FATAL + bytes((refused.description,)))


# What is sent


def _record(state: State, kind: int, content: bytes) -> bytes:
    length = len(content) + 1 + TAG_BYTES
    header = b"\x17\x03\x03" + length.to_bytes(2, "big")
    return header + state.seals.seal(content + bytes((kind,)), header)


def _owed(state: State) -> bytes:
    """The KeyUpdate that the peer has asked for, once."""
    if not state.flags & Flag.UPDATE_OWED:
        return b""
    state.flags &= ~Flag.UPDATE_OWED
    return _key_update(state)


def _key_update(state: State) -> bytes:
    """The record with our KeyUpdate, sealed under the keys that end with it."""
    record = _record(state, _HANDSHAKE, _KEY_UPDATE + _NOT_REQUESTED)
    state.seals.update()
    return record
