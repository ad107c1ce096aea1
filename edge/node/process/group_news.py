"""Changes of cache groups on their way from the supervisor to a worker, whose sockets follow some of them."""

from __future__ import annotations

import msgspec

from edge.cache.group_changes import Stamp
from edge.cache.group_history import GroupChange


class GroupNews(msgspec.Struct, array_like=True):
    """What is in force now: *changes* in their order, and how far all nodes are: the *vector* behind them."""

    changes: list[GroupChange]
    vector: dict[str, Stamp]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(GroupNews)


def pack(news: GroupNews) -> bytes:
    """*news* for a worker."""
    return _encoder.encode(news)


def unpack(packed: bytes) -> GroupNews:
    """The news in *packed*, which :func:`pack` made."""
    return _decoder.decode(packed)
