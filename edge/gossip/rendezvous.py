"""Rendezvous hashing: which of some nodes a key belongs to, agreed without a word (Thaler, Ravishankar 1998).

Each node is given a weight for the key, the heaviest has it.  When a node goes, its keys alone move, and
spread over all the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def owner_of(key: bytes, nodes: Iterable[str]) -> str:
    """The node among *nodes*, of which there is one, that *key* belongs to.

    >>> owner_of(b"/ranking", ["n1", "n2", "n3"]) == owner_of(b"/ranking", ["n3", "n2", "n1"])
    True
    """
    return max(nodes, key=lambda node: blake2b(key, digest_size=8, person=_person(node)).digest())


def _person(node: str) -> bytes:
    """16 bytes of a node's name, which may have 63."""
    return blake2b(node.encode(), digest_size=16).digest()
