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
#: How the 16 bytes of an IPv4 address begin, and the bits of that.
MAPPED = bytes(10) + b"\xff\xff"
MAPPED_BITS = 96


class Network(NamedTuple):
    """One network: the addresses that begin with the first *bits* of *address*."""

    address: bytes
    bits: int

    def holds(self, address: bytes) -> bool:
        """Whether *address*, 16 bytes, is in it; no IPv4 address is in a network of IPv6, and none in any."""
        if address == NO_ADDRESS or (self.bits < MAPPED_BITS and address.startswith(MAPPED)):
            return False
        differs = int.from_bytes(address, "big") ^ int.from_bytes(self.address, "big")
        return not differs >> (128 - self.bits)


class Networks(NamedTuple):
    """Several networks, and perhaps Unix sockets."""

    networks: tuple[Network, ...] = ()
    unix: bool = False

    def holds(self, address: bytes) -> bool:
        """Whether *address*, 16 bytes, is in one of them."""
        if address == NO_ADDRESS:
            return self.unix
        return any(one.holds(address) for one in self.networks)

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
        found.append(parse_network(text, strict=False))
    return Networks(tuple(found), unix)


def parse_network(text: str, strict: bool = True) -> Network:
    """The network that *text* names, or the one of an address alone; *strict*: no bits behind its length.

    :exc:`ValueError` for what is none.
    """
    network = ip_network(text, strict=strict)
    bits = network.prefixlen + (MAPPED_BITS if network.version == 4 else 0)
    return Network(packed(network.network_address), bits)


def packed(address: IPv4Address | IPv6Address) -> bytes:
    """The 16 bytes of *address*."""
    return mapped(address.packed)


def mapped(packed: bytes) -> bytes:
    """The 16 bytes of an address that is *packed* in 4 or in 16."""
    return MAPPED + packed if len(packed) == 4 else packed


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
    if address.startswith(MAPPED):
        return str(IPv4Address(address[12:]))
    return str(IPv6Address(address))
