"""Networks of addresses, and which of two lists of them decides of an address.

An address is 16 bytes, IPv6 or IPv4 mapped into it, as in records of the log (:mod:`edge.logs.record`); a
network is such bytes and how many bits of them count.  Of two lists, *allow* and *deny*, the longest network
that an address is in decides, and of two alike the denial; who is in none is allowed, unless there is a
list of the allowed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

_IPV4_BITS = 96
_MAPPED = bytes(10) + b"\xff\xff"


class Network(NamedTuple):
    """One network, allowed or denied."""

    #: 16 bytes; those behind the bits are zero.
    address: bytes
    bits: int
    allows: bool

    def holds(self, address: bytes) -> bool:
        """Whether *address*, 16 bytes, is in it; no IPv4 address is in a network of IPv6."""
        if self.bits < _IPV4_BITS and address.startswith(_MAPPED):
            return False
        shift = 128 - self.bits
        return int.from_bytes(address, "big") >> shift == int.from_bytes(self.address, "big") >> shift


def parse_network(text: str, allows: bool) -> Network:
    """The network that *text* names: an address, or one with the number of its bits; :exc:`ValueError`."""
    network = ipaddress.ip_network(text.strip())
    packed, bits = network.network_address.packed, network.prefixlen
    if len(packed) == 4:
        return Network(_MAPPED + packed, _IPV4_BITS + bits, allows)
    return Network(packed, bits, allows)


class Networks:
    """Two lists of networks."""

    def __init__(self, allow: Iterable[str], deny: Iterable[str]) -> None:
        """:exc:`ValueError`: one is no network."""
        allowed = [parse_network(text, True) for text in allow]
        #: The longest first, denials before what allows; so the first that holds an address decides.
        self.ordered = sorted(
            [*(parse_network(text, False) for text in deny), *allowed],
            key=lambda one: (-one.bits, one.allows),
        )
        #: Whether who is in none of them may.
        self.others = not allowed

    def allow(self, address: bytes) -> bool:
        """Whether *address*, 16 bytes, may; zeros, a Unix socket, are in no network."""
        return next((one.allows for one in self.ordered if one.holds(address)), self.others)
