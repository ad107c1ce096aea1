"""The protocol of coordinator and processes: messages of MessagePack, each after its length in four bytes.

::

    coordinator        process
       Job     -->               here, or on another machine
               <--     Ready     or Failed
       Go      -->               all begin at once
       Expect  -->               something is published: pushes count from now
               <--     Report    each second; the last one is marked
       (end of stream: stop)
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from loadgen.run.messages.job import Job
from loadgen.run.messages.report import Report

#: A site of 100,000 pages is some megabytes.
MOST_BYTES = 256 << 20
_LENGTH = struct.Struct("<I")


class Ready(msgspec.Struct, tag="ready"):
    """The job is set up; the process waits for :class:`Go`."""

    kind: str = ""
    bytes_per_user: float = 0.0


class Failed(msgspec.Struct, tag="failed"):
    """The job cannot be done, and why."""

    why: str


class Go(msgspec.Struct, tag="go"):
    """Begin: the same moment for all processes."""


class Expect(msgspec.Struct, tag="expect"):
    """A change is about to be published: latencies of pushes count from *unix_ns*."""

    unix_ns: int


class JobMessage(msgspec.Struct, tag="work"):
    """The job of the process that gets it."""

    job: Job


class ReportMessage(msgspec.Struct, tag="told"):
    """The report of a second."""

    report: Report


Message = Ready | Failed | Go | Expect | JobMessage | ReportMessage
_DECODER: Any = msgspec.msgpack.Decoder(Message)


class MessageError(Exception):
    """The bytes are no message."""


def encode(message: Message) -> bytes:
    """The bytes of *message*, with its length."""
    data = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(data)) + data


class MessageReader:
    """The messages in a stream of bytes.  Sans-IO: feed it bytes, take messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[Message]:
        """The messages that *data* completes; :exc:`MessageError`."""
        self._buffer += data
        found: list[Message] = []
        while len(self._buffer) >= 4:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MOST_BYTES:
                raise MessageError(f"a message of {length:,} bytes")
            if len(self._buffer) < 4 + length:
                break
            try:
                found.append(_DECODER.decode(bytes(self._buffer[4 : 4 + length])))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise MessageError(str(error)) from None
            del self._buffer[: 4 + length]
        return found
