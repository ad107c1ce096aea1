"""Networks as configurations write them: which lies in which, and who is in both of two lists (sans-IO)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from edge.networks import parse_network

#: Of ``[[access]]``: all of IPv4 and of IPv6.
EVERYBODY = ("0.0.0.0/0", "::/0")


def is_in(text: str, other: str) -> bool:
    """Whether the network *text* lies in the *other* one."""
    inner, outer = parse_network(text), parse_network(other)
    return outer.bits <= inner.bits and outer.holds(inner.address)


def both(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Who is in one of *ours* and in one of *theirs*: of two networks that meet one lies in the other."""
    found = [one for one in ours if any(is_in(one, other) for other in theirs)]
    found += [one for one in theirs if any(is_in(one, other) for other in ours)]
    return list(dict.fromkeys(found))


def reach(interface: str) -> int:
    """Who gets to an *interface*: 0, this machine; 1, its network; 2, everybody."""
    if interface in ("unix", "localhost"):
        return 0
    address = ip_address(interface) if interface else None
    if address is None or address.is_unspecified or not (address.is_private or address.is_loopback):
        return 2
    return 0 if address.is_loopback else 1
