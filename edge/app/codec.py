"""Messages of edge-app/1 to MessagePack and back: by ``msgspec`` where it is installed, else in Python.

An application runs in an environment of its own, which need not have msgspec; with it a message costs a
tenth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.app import messagepack

if TYPE_CHECKING:
    from collections.abc import Callable

#: Everything that a message may hold, also one of a later version.
Value = None | bool | int | bytes | list[bytes | tuple[bytes, bytes]]

encode: Callable[[object], bytes]
decode: Callable[[bytes], list[object]]

try:
    import msgspec
except ImportError:
    encode, decode = messagepack.encode, messagepack.decode
    IS_FAST = False
else:
    # Typed: what is nested deeper is refused before anything is made of it.
    _DECODER = msgspec.msgpack.Decoder(list[Value])
    IS_FAST = True

    encode = msgspec.msgpack.Encoder().encode

    def decode(data: bytes) -> list[object]:
        """The array that *data* is; :class:`ValueError` for anything else."""
        try:
            return _DECODER.decode(data)  # type: ignore[return-value]
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise ValueError(f"no message: {error}") from None
