"""The native wire: :class:`loadgen.wire.interface.Wire` over ``src/wire_client.c``.

Nothing here decides anything; ``run`` works in C with the GIL released, and answers are read out of C's
array of structures all at once.
"""

from __future__ import annotations

import os
import struct
from itertools import repeat

from loadgen.wire._native import ffi, lib
from loadgen.wire.interface import Answer, Limits

#: ``wire_answered``: Answer's fields in Answer's order ("64p": a length, then the bytes).
_ANSWERED = struct.Struct("=qIHHqqqqqQQ64pqQQiI32p")


class NativeWire:
    """The wire in C; implements :class:`loadgen.wire.interface.Wire`."""

    kind = "native"

    def __init__(self, users: int, limits: Limits) -> None:
        client = lib.wire_client_new(users, ffi.new("wire_client_limits *", tuple(limits)))
        if client == ffi.NULL:
            raise OSError(ffi.errno, f"no wire: {os.strerror(ffi.errno)}")
        self._client = client
        self._length = ffi.new("size_t *")
        self._send = lib.wire_client_send

    def node(self, host: str, port: int) -> int:
        number = int(lib.wire_client_node(self._client, host.encode("ascii", "replace"), port))
        if number < 0:
            raise ValueError(f"{host}, {port}: not an IP address and a port, or too many nodes")
        return number

    def send(self, token: int, user: int, node: int, due: int, request: bytes) -> None:
        error = self._send(self._client, token, user, node, due, request, len(request))
        if error:
            raise ValueError(f"user {user}, node {node}: no such user or node, or no request, or no memory")

    def cancel(self, token: int) -> None:
        lib.wire_client_cancel(self._client, token)

    def leave(self, user: int) -> None:
        lib.wire_client_leave(self._client, user)

    def run(self, until: int) -> list[Answer]:
        count = lib.wire_client_run(self._client, until)
        if count < 0:
            raise MemoryError("the wire has no memory left for answers")
        records = ffi.buffer(lib.wire_client_answers(self._client), count * _ANSWERED.size) if count else b""
        return list(map(tuple.__new__, repeat(Answer), _ANSWERED.iter_unpack(records)))

    @property
    def bodies(self) -> memoryview:
        bytes_ = lib.wire_client_bodies(self._client, self._length)
        return memoryview(ffi.buffer(bytes_, self._length[0]) if self._length[0] else b"")

    def connections(self) -> int:
        return int(lib.wire_client_connections(self._client))

    def opened(self) -> int:
        return int(lib.wire_client_opened(self._client))

    def close(self) -> None:
        if self._client is not None:
            lib.wire_client_free(self._client)
            self._client = None
