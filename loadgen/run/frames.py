"""What the processes of a run tell each other: frames of MessagePack, each after its length in four bytes.

::

    parent             process
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

from loadgen.run.books import Report
from loadgen.run.job import Job

#: A site of 100,000 pages is some megabytes.
MOST_BYTES = 256 << 20
_LENGTH = struct.Struct("<I")


class Ready(msgspec.Struct, tag="ready"):
    """Everything is set up."""

    kind: str = ""
    bytes_per_user: float = 0.0


class Failed(msgspec.Struct, tag="failed"):
    """It cannot be done; why."""

    why: str


class Go(msgspec.Struct, tag="go"):
    """Begin."""


class Expect(msgspec.Struct, tag="expect"):
    """Something is published."""

    unix_ns: int


class Work(msgspec.Struct, tag="work"):
    """A job to be set up."""

    job: Job


class Told(msgspec.Struct, tag="told"):
    """A report."""

    report: Report


Frame = Ready | Failed | Go | Expect | Work | Told
_DECODER: Any = msgspec.msgpack.Decoder(Frame)


class FrameError(Exception):
    """The bytes are no frame."""


def encode(frame: Frame) -> bytes:
    """Ready to be sent."""
    data = msgspec.msgpack.encode(frame)
    return _LENGTH.pack(len(data)) + data


class Frames:
    """Sans-IO: feed it bytes, take frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[Frame]:
        """The frames that *data* completes; :exc:`FrameError`."""
        self._buffer += data
        found: list[Frame] = []
        while len(self._buffer) >= 4:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MOST_BYTES:
                raise FrameError(f"a frame of {length:,} bytes")
            if len(self._buffer) < 4 + length:
                break
            try:
                found.append(_DECODER.decode(bytes(self._buffer[4 : 4 + length])))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise FrameError(str(error)) from None
            del self._buffer[: 4 + length]
        return found
