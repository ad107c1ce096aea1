"""Keys of session tickets on their way from the supervisor to a worker.

80 bytes each, newest first: the name (16), the cipher's key (32), the MAC's key (32).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.trust.tickets import Key

_NAME, _CIPHER, _ALL = 16, 48, 80


class TicketKey(NamedTuple):
    """A key as a worker has it: what tickets under it are called, its cipher's key and its MAC's."""

    name: bytes
    cipher: bytes
    mac: bytes

    def __repr__(self) -> str:
        return f"TicketKey({self.name.hex()})"


def pack(keys: Iterable[Key]) -> bytes:
    """*keys* for a worker."""
    return b"".join(key.name + key.cipher + key.mac for key in keys)


def unpack(packed: bytes) -> list[TicketKey]:
    """The keys in *packed*, which :func:`pack` made."""
    return [
        TicketKey(
            packed[at : at + _NAME], packed[at + _NAME : at + _CIPHER], packed[at + _CIPHER : at + _ALL]
        )
        for at in range(0, len(packed), _ALL)
    ]
