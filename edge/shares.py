"""Shares: how much one address may hold of what a process has a bounded amount of (sans-IO).

A *pool* is such an amount: connections, bytes of buffers, descriptors, handshakes.  Pools are what strangers
fill.  A bound on all of them together would leave nothing to others once one of them has filled it; a fixed
part for each would refuse, while all the rest is free, the many people behind the one address of an office or
of a mobile network.  The rule, for every pool, here and in C (``edge_share`` in ``edge_peers.h``):

    **An address may hold as much of a pool as it leaves free.**

It is the dynamic threshold of shared-memory switches (Choudhury and Hahne, IEEE/ACM Transactions on
Networking 6(2), 1998).  One address alone gets half of a pool.  Where N take all that they can, each gets
1/(N+1), and as much is left for who comes next; who holds nothing gets what there is.  Nothing has to be
searched or taken back.

An address is an IPv4 address, or the /64 of an IPv6 address, which is what one customer has
(``--ipv6-prefix``: another part of it).  Behind a proxy
all have the same, and on Unix sockets none: these are not told apart (``--connections-per-address 0``), and
only the size of the pool bounds them.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

#: Bits of an IPv6 address that are one customer, where ``--ipv6-prefix`` says nothing else.
PREFIX_BITS = 64
#: The address of those that are not told apart.
NOBODY = b""


def network_of(host: str, prefix: int = PREFIX_BITS) -> bytes:
    """What *host*, a numeric address or "", counts as: an IPv4 address, or *prefix* bits of an IPv6 one."""
    if not host:
        return NOBODY
    if ":" not in host:
        return IPv4Address(host).packed
    packed = IPv6Address(host.partition("%")[0]).packed
    return packed[12:] if packed.startswith(bytes(10) + b"\xff\xff") else first_bits(packed, prefix)


def first_bits(address: bytes, prefix: int) -> bytes:
    """The first *prefix* bits of the 16 bytes of an *address*; the others are zeros."""
    left = 128 - prefix
    return (int.from_bytes(address, "big") >> left << left).to_bytes(16, "big")


def may_hold(size: int, used: int, held: int, more: int = 1) -> bool:
    """Whether who holds so much of a pool may have that much *more* of it; *used*: what all hold together."""
    return used + more <= size and (not held or held + more <= size - used - more)


class Pool:
    """A bounded amount, and who holds how much of it; *told_apart*: the rule of shares holds, too."""

    __slots__ = ("_held", "size", "told_apart", "used")

    def __init__(self, size: int, told_apart: bool = True) -> None:
        self.size = size
        #: Held by all together.
        self.used = 0
        self.told_apart = told_apart
        self._held: dict[bytes, int] = {}

    @property
    def free(self) -> int:
        """What nobody holds."""
        return self.size - self.used

    def held(self, network: bytes) -> int:
        """What one address holds; 0 for those that are not told apart."""
        return self._held.get(network, 0)

    def take(self, network: bytes, amount: int = 1) -> bool:
        """Hold *amount* more, all of it or nothing; whether that is within the size and the share."""
        held = self.held(network)
        if not may_hold(self.size, self.used, held, amount):
            return False
        self.used += amount
        if amount and self.told_apart and network != NOBODY:
            self._held[network] = held + amount
        return True

    def give(self, network: bytes, amount: int = 1) -> None:
        """Hold *amount* less."""
        self.used -= amount
        if network in self._held:
            self._held[network] -= amount
            if not self._held[network]:
                del self._held[network]


#: Bytes of buffers on either side of a process, the fast path and Twisted: what 60 readers of a megabyte
#: that take nothing hold, and little beside the table.
BUFFER_BYTES = 64 * 1024 * 1024
#: TLS handshakes on the Twisted side at once: 53 KiB each, and 400 a second are what a core does.
HANDSHAKES = 1024
#: Bodies of the greatest length that the files of bodies may hold together.
LONGEST_BODIES = 128


class Pools(NamedTuple):
    """What the connections of a process share on its Twisted side."""

    #: Bytes of requests that are not whole and of answers that are not taken.
    buffers: Pool
    #: Second descriptors of connections: files that bodies are read from or written to.
    files: Pool
    #: Bytes in those that are written.
    spooled: Pool
    #: TLS handshakes that have begun and are not over.
    handshakes: Pool

    @classmethod
    def of(cls, files: int, body_bytes: int, told_apart: bool = True) -> Pools:
        """Those of a process that may have so many *files* open, and takes bodies of so many bytes."""
        sizes = (BUFFER_BYTES, files, body_bytes * LONGEST_BODIES, HANDSHAKES)
        return cls(*(Pool(size, told_apart) for size in sizes))
