r"""The header of the PROXY protocol, versions 1 and 2: who a proxy has accepted.  Sans-IO.

Specification: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt.  It comes once, before anything
else on a connection, TLS too::

    version 1   "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"     at most 107 bytes; TCP6, UNKNOWN
    version 2   12 bytes \r\n\r\n\0\r\nQUIT\n
                u8  0x20 = LOCAL, 0x21 = PROXY
                u8  family: 0x1_ IPv4, 0x2_ IPv6, 0x3_ Unix, 0x0_ not told; _1 stream, _2 datagram
                u16 bytes that follow, big-endian: the addresses, and type-length-values, which are skipped

Who is believed is decided elsewhere (``--proxy-protocol``): whoever may speak it may say anything.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from edge.networks import address_of_text, mapped

#: Bytes of a header of version 2, addresses and all that follows: certificates of clients are not for us.
MOST_BYTES = 4096
_V1_BYTES = 107
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V1 = b"PROXY "
_PORT = rb"(?:0|[1-9][0-9]{0,4})"
_TCP = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (%b) (%b)\r\n" % (_PORT, _PORT))
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")


class NoProxyHeader(ValueError):
    """A connection begins with something else; str() says with what."""


class Proxied(NamedTuple):
    """A header that is whole."""

    #: Of the header.
    length: int
    #: The 16 bytes of the visitor's address (:mod:`edge.networks`); None: the proxy speaks for itself.
    client: bytes | None


def read(data: bytes) -> Proxied | None:
    """The header that *data* begins with; None: it is not whole yet, and all of *data* belongs to it.

    :raises NoProxyHeader: it is none, or one that nobody may send.
    """
    if data.startswith(SIGNATURE):
        return _version_2(data)
    if data.startswith(_V1):
        return _version_1(data)
    if SIGNATURE.startswith(data) or _V1.startswith(data):
        return None
    raise NoProxyHeader("it begins with no header of the PROXY protocol")


def _version_1(data: bytes) -> Proxied | None:
    end = data.find(b"\n", 0, _V1_BYTES)
    if end < 0:
        if len(data) >= _V1_BYTES:
            raise NoProxyHeader(f"its header of version 1 has more than {_V1_BYTES} bytes")
        return None
    line = data[: end + 1]
    if _UNKNOWN.fullmatch(line):
        return Proxied(len(line), None)
    found = _TCP.fullmatch(line)
    if found is None or max(int(found[4]), int(found[5])) > 65535:
        raise NoProxyHeader("its header of version 1 is malformed")
    source, to = address_of_text(found[2]), address_of_text(found[3])
    is_six = found[1] == b"6"
    if source is None or to is None or (b":" in found[2]) != is_six or (b":" in found[3]) != is_six:
        raise NoProxyHeader("its header of version 1 has a malformed address")
    return Proxied(len(line), source)


def _version_2(data: bytes) -> Proxied | None:
    if len(data) < 16:
        if len(data) > 12 and data[12] not in (0x20, 0x21):
            raise NoProxyHeader(f"its header has the version and command {data[12]:#x}")
        return None
    command, family, length = data[12], data[13], int.from_bytes(data[14:16], "big")
    if command not in (0x20, 0x21):
        raise NoProxyHeader(f"its header has the version and command {command:#x}")
    if length > MOST_BYTES:
        raise NoProxyHeader(f"its header has {length} bytes, more than {MOST_BYTES}")
    least = {0: 0, 1: 12, 2: 36, 3: 216}.get(family >> 4)
    if command == 0x21 and (least is None or family & 15 > 2 or length < least):
        raise NoProxyHeader(f"its header of version 2 has the family {family:#x} in {length} bytes")
    if len(data) < 16 + length:
        return None
    body = data[16 : 16 + length]
    if command == 0x21 and family >> 4 == 1:
        return Proxied(16 + length, mapped(body[:4]))
    if command == 0x21 and family >> 4 == 2:
        return Proxied(16 + length, body[:16])
    return Proxied(16 + length, None)
