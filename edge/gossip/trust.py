"""Messages about certificates (stream lane 3).

MessagePack arrays with a tag first, positions append-only::

["revoked", [list, ...]]      lists of revoked certificates (CRL, DER), signed by the cluster's authorities
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edge.gossip.schema import Decoder

#: Bytes of one list, about 2,000 certificates; authorities that have one: eight rotations are remembered.
LIST_BYTES, LISTS = 96 * 1024, 9
_MAX_MESSAGE = 1 << 20


class Revoked(msgspec.Struct, frozen=True, array_like=True, tag="revoked"):
    """All lists of revoked certificates that the sender has."""

    lists: Annotated[
        tuple[Annotated[bytes, Meta(min_length=1, max_length=LIST_BYTES)], ...], Meta(max_length=LISTS)
    ]


TrustMessage = Revoked

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: Decoder[TrustMessage] = Decoder(TrustMessage, "message about certificates", _MAX_MESSAGE)


def encode_trust(message: TrustMessage) -> bytes:
    """*message* in MessagePack."""
    return _ENCODER.encode(message)


def decode_trust(data: bytes) -> TrustMessage:
    """The message in *data*; :class:`~edge.gossip.schema.GossipError`."""
    return _DECODER.decode(data)
