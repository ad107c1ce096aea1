"""Recognises the ClientHello of a client that TLS 1.3 can be spoken with, or lets it go.

As with requests, a strict subset is recognised, and everything else goes to Twisted's TLS with the bytes that
were read, before anything was answered: TLS 1.2, what is malformed, and what is unusual::

    record      type 22, version 3.x; it holds all of the message, and nothing else
    message     client_hello, version 3.3, a session id of up to 32 bytes, one of our cipher suites,
                compression "null" alone
    extensions  at most 64, each type once; pre_shared_key last; no max_fragment_length, which shortens
                records
      needed    supported_versions with TLS 1.3; signature_algorithms; supported_groups with one of ours;
                key_share with one for a group of ours, so that no second hello comes, and at most 16
      if there  server_name: one host_name of letters, digits, ".", "-" and "_"
                application_layer_protocol_negotiation: with "http/1.1", without "acme-tls/1"

The header of the record, and type and length of the message, are looked at as they come: what speaks no TLS
is let go at its first byte.  The rest is looked at once, when it is whole.  What may follow it (early
data, which libssl skips) is no part of the message.

Sources: RFC 8446 sections 4.1.2, 4.2 and 5.1; RFC 6066 section 3; RFC 7301; RFC 8737.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum, auto
from typing import NamedTuple

from edge.tls.interface import ALPN, HEADER_BYTES, RECORD_BYTES
from edge.tls.suites import SUITES

X25519, SECP256R1, X25519MLKEM768 = 0x001D, 0x0017, 0x11EC

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_MAJOR_VERSION = 3
_TYPE_BYTES = 4  # of a message: its type and length
_TLS12, _TLS13 = b"\x03\x03", 0x0304
_EXTENSIONS = 64
_SHARES = 16
_RANDOM_BYTES = 32
_SESSION_BYTES = 32
_HOST_NAME = b"\0"
_ACME = b"acme-tls/1"
_NAME = re.compile(rb"[A-Za-z0-9._-]{1,255}")

_SERVER_NAME, _FRAGMENT_LENGTH, _GROUPS, _SIGNATURES, _PROTOCOLS = 0, 1, 10, 13, 16
_PRE_SHARED_KEY, _SUPPORTED_VERSIONS, _KEY_SHARE = 41, 43, 51


class Verdict(Enum):
    """What becomes of a connection after the bytes that it began with."""

    #: They may begin a hello that is recognised: wait for more.
    RECEIVE = auto()
    #: TLS 1.3 is spoken.
    RECOGNISED = auto()
    #: Twisted's TLS has it.
    LET_GO = auto()


class Hello(NamedTuple):
    """A verdict, and what a recognised hello asks for."""

    verdict: Verdict
    #: The host name in lower case; b"" if none was sent.
    server_name: bytes = b""
    #: The bytes that the hello takes, with the headers of its records.
    consumed: int = 0


class _LetGo(Exception):
    """The hello is not one that is recognised."""


_RECEIVE = Hello(Verdict.RECEIVE)


def recognise(data: bytes, groups: Collection[int] = (X25519, SECP256R1)) -> Hello:
    """What *data*, the first bytes of a connection, is; *groups*: those of the key exchange that we have."""
    try:
        consumed = _record_bytes(data)
        if not consumed or len(data) < consumed:
            return _RECEIVE
        name = _server_name(data[HEADER_BYTES + _TYPE_BYTES : consumed], groups)
        return Hello(Verdict.RECOGNISED, name, consumed)
    except _LetGo:
        return Hello(Verdict.LET_GO)


def _record_bytes(data: bytes) -> int:
    """The bytes of the record that holds the message; 0: too few have come to tell."""
    _need(data[:1] in (b"", bytes((_HANDSHAKE,))) and data[1:2] in (b"", bytes((_MAJOR_VERSION,))))
    if len(data) < HEADER_BYTES:
        return 0
    length = int.from_bytes(data[3:HEADER_BYTES], "big")
    _need(_TYPE_BYTES <= length <= RECORD_BYTES)
    expected = bytes((_CLIENT_HELLO,)) + (length - _TYPE_BYTES).to_bytes(3, "big")
    _need(expected.startswith(data[HEADER_BYTES : HEADER_BYTES + _TYPE_BYTES]))
    return HEADER_BYTES + length


def _server_name(message: bytes, groups: Collection[int]) -> bytes:
    """The host name in the body of a client_hello that is recognised, or b""."""
    rest = _Bytes(message)
    _need(rest.take(2) == _TLS12)
    rest.take(_RANDOM_BYTES)
    _need(len(rest.vector(1)) <= _SESSION_BYTES)
    _need(any(suite in SUITES for suite in _numbers(rest.vector(2))))
    _need(rest.vector(1) == b"\0")
    extensions = _extensions(rest)
    _need(_FRAGMENT_LENGTH not in extensions)
    versions, signatures, offered = (
        _numbers(_Bytes(extensions.get(kind, b"")).only_vector(length_bytes))
        for kind, length_bytes in ((_SUPPORTED_VERSIONS, 1), (_SIGNATURES, 2), (_GROUPS, 2))
    )
    _need(_TLS13 in versions and bool(signatures) and any(group in groups for group in offered))
    _need(any(group in groups for group in _shared(extensions.get(_KEY_SHARE, b""))))
    if _PROTOCOLS in extensions:
        protocols = _names(_Bytes(extensions[_PROTOCOLS]).only_vector(2))
        _need(ALPN in protocols and _ACME not in protocols)
    return _host_name(extensions[_SERVER_NAME]) if _SERVER_NAME in extensions else b""


def _extensions(rest: _Bytes) -> dict[int, bytes]:
    """The extensions by type; nothing follows them."""
    found: dict[int, bytes] = {}
    block = _Bytes(rest.only_vector(2))
    while block:
        kind = block.number(2)
        _need(kind not in found and _PRE_SHARED_KEY not in found and len(found) < _EXTENSIONS)
        found[kind] = block.vector(2)
    return found


def _shared(extension: bytes) -> list[int]:
    """The groups of the key shares."""
    rest, found = _Bytes(_Bytes(extension).only_vector(2)), []
    while rest:
        found.append(rest.number(2))
        _need(bool(rest.vector(2)) and len(found) <= _SHARES)
    return found


def _host_name(extension: bytes) -> bytes:
    entry = _Bytes(_Bytes(extension).only_vector(2))
    _need(entry.take(1) == _HOST_NAME)
    name = entry.only_vector(2)
    _need(_NAME.fullmatch(name) is not None)
    return name.lower()


def _names(data: bytes) -> list[bytes]:
    """The protocol names of ALPN: at least one, none of them empty."""
    rest, found = _Bytes(data), []
    while rest:
        found.append(rest.vector(1))
    _need(bool(found) and all(found))
    return found


def _numbers(data: bytes) -> list[int]:
    """A list of numbers of two bytes, which is not empty."""
    _need(bool(data) and len(data) % 2 == 0)
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


def _need(condition: bool) -> None:
    if not condition:
        raise _LetGo


class _Bytes:
    """What is left of a message; to take more than there is lets it go."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        _need(self._at + count <= len(self._data))
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def vector(self, length_bytes: int) -> bytes:
        """A vector (RFC 8446 section 3.4): its length in *length_bytes*, and so many bytes."""
        return self.take(self.number(length_bytes))

    def only_vector(self, length_bytes: int) -> bytes:
        """A vector that nothing follows."""
        found = self.vector(length_bytes)
        _need(not self)
        return found
