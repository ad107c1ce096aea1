"""The native wire: :class:`loadgen.wire.interface.Wire` over ``src/wire_client.c``.

Nothing here decides anything; ``run`` works in C with the GIL released, and answers are read out of C's
array of structures all at once.
"""

from __future__ import annotations

import errno
import os
import select
import struct
from itertools import repeat
from typing import Any

from loadgen.trust import Trust
from loadgen.wire._native import ffi, lib
from loadgen.wire.interface import Answer, Handshake, Limits
from loadgen.wire.links import PIECE, LinkError, Writes

try:
    import loadgen.wire._tls as _tls
except ImportError:  # there were no headers of OpenSSL
    _tls = None

#: ``wire_answered``: Answer's fields in Answer's order ("64p": a length, then the bytes).
_ANSWERED = struct.Struct("=qIHHqqqqqQQ64pqQQiHBB32p")


#: By what a handshake waits for; 0: it is over.
_AWAITED = (0, select.EPOLLIN, select.EPOLLOUT)


def need_tls() -> None:
    """:exc:`ImportError`: it is not built."""
    if _tls is None:
        raise ImportError("no TLS")


class NativeTls:
    """TLS of a native wire, over the system's OpenSSL."""

    def __init__(self, users: int, trust: Trust) -> None:
        pem = trust.authorities.encode("ascii", "replace")
        self._tls = _tls.lib.wire_tls_new(users, pem or _tls.ffi.NULL, len(pem), trust.insecure)
        if self._tls == _tls.ffi.NULL:
            raise OSError("no TLS: there are no certificates of authorities, or no memory")

    def pointers(self) -> tuple[Any, Any]:
        """What ``wire_client_secure`` takes, of another module."""
        given = _tls.lib.wire_tls_native(), self._tls
        one, other = (int(_tls.ffi.cast("uintptr_t", pointer)) for pointer in given)
        return ffi.cast("void *", one), ffi.cast("void *", other)

    def sessions(self) -> int:
        """Sessions that are kept now."""
        return int(_tls.lib.wire_tls_sessions(self._tls))

    @property
    def pointer(self) -> Any:
        """What the functions of the module take."""
        return self._tls

    def close(self) -> None:
        """Forget the sessions."""
        _tls.lib.wire_tls_free(self._tls)


class NativeLinks(Writes):
    """Connections in C that the wire does not hold; implements :class:`loadgen.wire.links.Links`."""

    def __init__(self, users: int, trust: Trust) -> None:
        super().__init__()
        self._tls = NativeTls(users, trust)
        self._links: dict[int, Any] = {}
        self._bytes, self._more = _tls.ffi.new("uint8_t[]", PIECE), _tls.ffi.new("int *")

    def begin(self, fd: int, user: int, node: int, name: str) -> None:
        link = _tls.lib.wire_tls_begin(self._tls.pointer, fd, user, node, name.encode("ascii", "replace"))
        if link == _tls.ffi.NULL:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        self._links[fd] = link

    def shake(self, fd: int) -> int:
        link = self._links[fd]
        progress = _tls.lib.wire_tls_shake(link)
        if progress == _tls.lib.WIRE_TLS_FAILED:
            raise LinkError(_tls.lib.wire_tls_failure(link))
        return _AWAITED[progress]

    def resumed(self, fd: int) -> bool:
        return bool(_tls.lib.wire_tls_resumed(self._links[fd]))

    def read(self, fd: int) -> tuple[bytes, bool]:
        count = _tls.lib.wire_tls_receive(self._links[fd], self._bytes, PIECE, self._more)
        if count < 0:
            raise OSError(_tls.ffi.errno, os.strerror(_tls.ffi.errno))
        return bytes(_tls.ffi.buffer(self._bytes, count)), bool(self._more[0])

    def _send(self, fd: int, data: bytes) -> None:
        if _tls.lib.wire_tls_send(self._links[fd], data, len(data)) < 0:
            raise OSError(_tls.ffi.errno, os.strerror(_tls.ffi.errno))

    def end(self, fd: int) -> None:
        self._owed.pop(fd, None)
        _tls.lib.wire_tls_end(self._links.pop(fd))

    def close(self) -> None:
        self._tls.close()


class NativeWire:
    """The wire in C; implements :class:`loadgen.wire.interface.Wire`."""

    kind = "native"

    def __init__(self, users: int, limits: Limits, trust: Trust | None = None) -> None:
        client = lib.wire_client_new(users, ffi.new("wire_client_limits *", tuple(limits)))
        if client == ffi.NULL:
            raise OSError(ffi.errno, f"no wire: {os.strerror(ffi.errno)}")
        self._client = client
        self._tls: NativeTls | None = None
        self._made = users, trust or Trust()
        self._length = ffi.new("size_t *")
        self._send = lib.wire_client_send

    def node(self, host: str, port: int, name: str = "") -> int:
        if name and self._tls is None:
            need_tls()
            self._tls = NativeTls(*self._made)
            lib.wire_client_secure(self._client, *self._tls.pointers())
        texts = host.encode("ascii", "replace"), port, name.encode("ascii", "replace")
        number = int(lib.wire_client_node(self._client, *texts))
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

    def handshakes(self) -> list[Handshake]:
        found = lib.wire_client_handshakes(self._client, self._length)
        return [Handshake(one.node, one.resumed, one.took_ns) for one in found[0 : self._length[0]]]

    def connections(self) -> int:
        return int(lib.wire_client_connections(self._client))

    def opened(self) -> int:
        return int(lib.wire_client_opened(self._client))

    def close(self) -> None:
        if self._client is not None:
            lib.wire_client_free(self._client)
            self._client = None
        if self._tls is not None:
            self._tls.close()
            self._tls = None
