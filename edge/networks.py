"""Networks of IP addresses, and what is in them.  Sans-IO; its twin is ``edge_networks.h``.

An address is 16 bytes: IPv6, or IPv4 mapped into it (RFC 4291 section 2.5.5.2), as ``::ffff:192.0.2.1``;
zeros are who has none, because he comes over a Unix socket.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

#: Of one setting.
MAX_NETWORKS = 64
#: Stands for everybody who comes over a Unix socket.
UNIX = "unix"
NO_ADDRESS = bytes(16)
_MAPPED = bytes(10) + b"\xff\xff"


class Network(NamedTuple):
    """One network: the addresses that begin with the first *bits* of *address*."""

    address: bytes
    bits: int


class Networks(NamedTuple):
    """Several networks, and perhaps Unix sockets."""

    networks: tuple[Network, ...] = ()
    unix: bool = False

    def holds(self, address: bytes) -> bool:
        """Whether *address*, 16 bytes, is in one of them."""
        if address == NO_ADDRESS:
            return self.unix
        number = int.from_bytes(address, "big")
        return any(
            not (number ^ int.from_bytes(one.address, "big")) >> (128 - one.bits) for one in self.networks
        )

    def __bool__(self) -> bool:
        return bool(self.networks) or self.unix


#: No network at all.
NOWHERE = Networks()


def networks_of(texts: Iterable[str]) -> Networks:
    """The networks that *texts* name: like ``10.0.0.0/8``, ``2001:db8::/32``, one address, or ``unix``.

    :exc:`ValueError` for what is none.
    """
    found, unix = [], False
    for text in texts:
        if text == UNIX:
            unix = True
            continue
        network = ip_network(text, strict=False)
        bits = network.prefixlen + (96 if network.version == 4 else 0)
        found.append(Network(packed(network.network_address), bits))
    return Networks(tuple(found), unix)


def packed(address: IPv4Address | IPv6Address) -> bytes:
    """The 16 bytes of *address*."""
    return _MAPPED + address.packed if address.version == 4 else address.packed


def address_of_text(text: bytes) -> bytes | None:
    """The 16 bytes of a numeric address without a zone; None: *text* is none."""
    if len(text) > 45 or not text or b"%" in text:
        return None
    try:
        return packed(ip_address(text.decode("ascii")))
    except ValueError:
        return None


def text_of_address(address: bytes) -> str:
    """*address*, 16 bytes, as people write it; "": none."""
    if address == NO_ADDRESS:
        return ""
    if address.startswith(_MAPPED):
        return str(IPv4Address(address[12:]))
    return str(IPv6Address(address))
