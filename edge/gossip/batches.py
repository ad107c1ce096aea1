"""Signed batches: what proves that a change is of its origin, whoever passes it on.

An origin signs its changes up to :data:`BATCH` at a time.  What it signs is the list of their hashes, and how
far its log is (*generation*, *head*)::

    statement = "edge changes\\0" + MessagePack [origin, generation, head, hashes]

So a batch proves two things: each change in its list, alone and in any company, and that the log has come so
far: nobody else can say so (:mod:`edge.gossip.replica`).  A batch with no hashes proves the second only.

One signature for 64 changes: verifying costs 2 us a change (ECDSA P-256, 108 us a signature), and 16 bytes
each on the wire and on the disk, where one signature each would be 108 us and 72 bytes.  A Merkle tree
would need 96 bytes for a change alone, and as many for each of many; this list 1 KiB for one alone, which
is rare.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.gossip.keyring import FINGERPRINT_BYTES, Keyring
from edge.load.wire import Generation, Name, Number

#: Changes of one batch.
BATCH = 64
#: Bytes of a change's hash: enough against a second change with the same one.
HASH_BYTES = 16

Fingerprint = Annotated[bytes, Meta(min_length=FINGERPRINT_BYTES, max_length=FINGERPRINT_BYTES)]
Signature = Annotated[bytes, Meta(min_length=1, max_length=512)]


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Changes of *origin* that it signed together, and how far its log was then."""

    origin: Name
    #: Of the certificate whose key signed it.
    signer: Fingerprint
    generation: Generation
    #: The newest sequence of the log.
    head: Number
    hashes: Annotated[bytes, Meta(max_length=BATCH * HASH_BYTES)]
    signature: Signature


def is_signed(batch: Batch, keyring: Keyring) -> bool:
    """Whether *batch* is of its origin."""
    said = statement(batch.origin, batch.generation, batch.head, batch.hashes)
    return keyring.verify(batch.signer, batch.origin, said, batch.signature)


def is_hash_in(wanted: bytes, hashes: bytes) -> bool:
    """Whether a hash is one of a list."""
    at = hashes.find(wanted)
    while at > 0 and at % HASH_BYTES:
        at = hashes.find(wanted, at + 1)
    return at >= 0


def statement(origin: str, generation: int, head: int, hashes: bytes) -> bytes:
    """What is signed."""
    return b"edge changes\0" + _ENCODER.encode((origin, generation, head, hashes))


def hash_of(said: object) -> bytes:
    """The hash of what a change says, as it stands in the list."""
    return blake2b(_ENCODER.encode(said), digest_size=HASH_BYTES).digest()


_ENCODER = msgspec.msgpack.Encoder()
