"""Recognises the ClientHello of a client that TLS 1.3 can be spoken with, or lets it go.

As with requests, a strict subset is recognised, and everything else goes to Twisted's TLS with the bytes that
were read, before anything was answered: TLS 1.2, what is malformed, and what is unusual::

    records     type 22, version 3.x; at most 4 hold the message, and nothing else
    message     client_hello, 2^14 bytes at most, version 3.3, a session id of up to 32 bytes, one of our
                cipher suites, compression "null" alone
    extensions  each type once; pre_shared_key last; no max_fragment_length, which shortens records
      needed    supported_versions with TLS 1.3; signature_algorithms; supported_groups with one of ours;
                key_share
      if there  server_name: one host_name of letters, digits, ".", "-" and "_"
                application_layer_protocol_negotiation: with "http/1.1" and without "acme-tls/1"

Headers of records, and type and length of the message, are looked at as they come: what speaks no TLS is let
go at its first byte.  The rest is looked at once, when it is whole.  What may follow the message (early data,
which libssl skips) is no part of it.

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
_RECORDS = 4
_TYPE_BYTES = 4  # of a message: its type and length
_TLS12, _TLS13 = b"\x03\x03", 0x0304
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
        message, consumed = _message(data)
        if not consumed:
            return _RECEIVE
        return Hello(Verdict.RECOGNISED, _server_name(message[_TYPE_BYTES:], groups), consumed)
    except _LetGo:
        return Hello(Verdict.LET_GO)


def _message(data: bytes) -> tuple[bytes, int]:
    """The message, as far as it has come, and the bytes that it takes in records; 0: it is not whole."""
    message, at = b"", 0
    for _ in range(_RECORDS):
        header = data[at : at + HEADER_BYTES]
        _need(header[:1] in (b"", bytes((_HANDSHAKE,))) and header[1:2] in (b"", bytes((_MAJOR_VERSION,))))
        if len(header) < HEADER_BYTES:
            return message, 0
        length = int.from_bytes(header[3:], "big")
        _need(1 <= length <= RECORD_BYTES)
        at += HEADER_BYTES + length
        message += data[at - length : at]
        _need(message[:1] in (b"", bytes((_CLIENT_HELLO,))))
        left = max(0, at - len(data))  # of this record
        if len(message) >= _TYPE_BYTES:
            whole = _TYPE_BYTES + int.from_bytes(message[1:_TYPE_BYTES], "big")
            _need(whole <= RECORD_BYTES and len(message) + left <= whole)
            if len(message) == whole:
                return message, at
        if left:
            return message, 0
    raise _LetGo


def _server_name(message: bytes, groups: Collection[int]) -> bytes:
    """The host name in the body of a client_hello that is recognised, or b""."""
    rest = _Bytes(message)
    _need(rest.take(2) == _TLS12)
    rest.take(_RANDOM_BYTES)
    _need(len(rest.vector(1)) <= _SESSION_BYTES)
    _need(any(suite in SUITES for suite in _numbers(rest.vector(2))))
    _need(rest.vector(1) == b"\0")
    extensions = _extensions(rest)
    _need(_FRAGMENT_LENGTH not in extensions and _KEY_SHARE in extensions)
    versions, signatures, offered = (
        _numbers(_Bytes(extensions.get(kind, b"")).only_vector(length_bytes))
        for kind, length_bytes in ((_SUPPORTED_VERSIONS, 1), (_SIGNATURES, 2), (_GROUPS, 2))
    )
    _need(_TLS13 in versions and bool(signatures) and any(group in groups for group in offered))
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
        _need(kind not in found and _PRE_SHARED_KEY not in found)
        found[kind] = block.vector(2)
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
