"""The load of all nodes in a word, to ride on answers that are sent anyway.

::

    Cache-Control: no-store, load=kJ3xZtYsXr0a

    kJ3x   which nodes these are, and where: ``tag`` of the load document
    Zt     weight and utilization of the first of its nodes, in that order
    Ys     ...

It is a directive of Cache-Control because scripts of every origin may read that field without being told so
(Fetch, CORS-safelisted response header), which no field of our own has; unknown directives are ignored
(RFC 9111 section 5.2.3).

A digit has 6 bits, in the order of :data:`edge.digits.DIGITS`.  Weight: 63rds, 0 for 0 alone.
Utilization: 48ths, at most 63 of them.  Whoever has the document of the same tag needs no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from math import ceil

from edge.digits import DIGITS, digits
from edge.load.document import NodeLoad

TAG_LENGTH = 4
#: Of more nodes nothing rides: a 304 has to fit into 200 bytes (promise P6).
NODES = 16


def tag_of(nodes: Iterable[tuple[str, str]]) -> str:
    """The tag of a load document with these nodes: (name, URL) of each, in order."""
    digest = blake2b(digest_size=3)
    for name, url in nodes:
        digest.update(f"{name} {url}\n".encode())
    return digits(int.from_bytes(digest.digest(), "big"), TAG_LENGTH)


def ride(nodes: Sequence[NodeLoad]) -> str:
    """What says the load of *nodes*, all of a load document in its order; "": they are too many."""
    if len(nodes) > NODES:
        return ""
    figures = "".join(
        DIGITS[min(63, ceil(node.weight * 63))] + DIGITS[min(63, int(max(0.0, node.utilization) * 48 + 0.5))]
        for node in nodes
    )
    return tag_of((node.id, node.url) for node in nodes) + figures


def cache_control(word: str) -> bytes:
    """The field Cache-Control of an answer on which *word* rides."""
    load = f", load={word}" if word else ""
    return f"Cache-Control: no-store{load}\r\n".encode("ascii")
