"""ClientHellos for tests: real ones, and ones built field by field."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Sequence


def real_hello(name: str | None = "example.org", protocols: Sequence[str] = ("http/1.1",)) -> bytes:
    """What Python's ``ssl`` sends first."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def vector(data: bytes, length_bytes: int = 2) -> bytes:
    """*data* behind its length."""
    return len(data).to_bytes(length_bytes, "big") + data


def numbers(*values: int) -> bytes:
    """Two bytes each."""
    return b"".join(value.to_bytes(2, "big") for value in values)


def server_name(name: bytes, kind: int = 0) -> bytes:
    """The extension's data with one name."""
    return vector(bytes((kind,)) + vector(name))


#: The extensions of a hello that is recognised: type -> data.
EXTENSIONS: dict[int, bytes] = {
    0: server_name(b"example.org"),
    10: vector(numbers(0x2A2A, 0x001D, 0x0017)),
    13: vector(numbers(0x0403, 0x0804)),
    16: vector(vector(b"h2", 1) + vector(b"http/1.1", 1)),
    43: vector(numbers(0x3A3A, 0x0304, 0x0303), 1),
    51: vector(numbers(0x001D) + vector(bytes(32))),
}


def message(
    *,
    kind: int = 1,
    version: bytes = b"\x03\x03",
    session: bytes = bytes(32),
    suites: bytes | None = None,
    compression: bytes = b"\0",
    extensions: Sequence[tuple[int, bytes]] | None = None,
    behind: bytes = b"",
    **changed: bytes | None,
) -> bytes:
    """A client_hello; ``e43=data`` changes an extension, ``e43=None`` leaves it out."""
    if extensions is None:
        chosen: dict[int, bytes | None] = dict(EXTENSIONS)
        chosen.update({int(name[1:]): data for name, data in changed.items()})
        extensions = [(number, data) for number, data in chosen.items() if data is not None]
    body = version + bytes(range(32)) + vector(session, 1)
    body += vector(numbers(0x1A1A, 0x1301, 0xC02F) if suites is None else suites) + vector(compression, 1)
    body += vector(b"".join(numbers(number) + vector(data) for number, data in extensions)) + behind
    return bytes((kind,)) + vector(body, 3)


def records(message: bytes, *cuts: int, version: bytes = b"\x03\x01", kind: int = 22) -> bytes:
    """*message* in records that are cut at *cuts*."""
    ends = (*cuts, len(message))
    return b"".join(
        bytes((kind,)) + version + vector(message[start:end])
        for start, end in zip((0, *cuts), ends, strict=True)
    )
